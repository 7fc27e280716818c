"""What the middleware is told: vLLM hands it the application alone, so the rest comes from the environment.

| variable | meaning |
|---|---|
| SRE_USAGE_CONFIG | the exporter's configuration: `roster`, `identity` and `limits` are used, the rest is the exporter's |
| SRE_USAGE_LOG | file that a record is appended to for each request; for the exporter's log tail |
| SRE_USAGE_METRICS | `off` keeps the metrics from the engine's /metrics, where the exporter has them from the log |
| SRE_USAGE_TEAM_HEADER | header that names the team: only where a gateway sets it and nobody else can reach the engine |
| SRE_USAGE_POOL | the pool that records name |
"""
