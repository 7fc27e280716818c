"""Usage records in (HTTP, log tail, ASGI), metrics out: the exporter."""
