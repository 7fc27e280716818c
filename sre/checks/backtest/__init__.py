"""The compiled alerts over a server's history, evaluated as that server would have evaluated them.

How it is exact. Every rule is an instant query on a fixed grid of times, and a range query is the same query at
each of its steps: so what a rule would have recorded is one range query, whoever answers it. What reads only what
the server holds (raw series, or our records where it ran our rules) is asked of the server itself, with its own
lookback and its own staleness, on the very grid of the group that reads it. What reads our records is asked of a
Prometheus of our own, started empty for the run on loopback, into which every answer is written, rule after rule
in the order of what they read, with a staleness marker where a series ends, as the rule engine writes them.
Rules that mix both are split: the parts that read only the server's series are asked there, and written beside.
The state machine over the answers is `states`.

What was weighed against it. Raw samples taken over as OpenMetrics blocks: the format cannot write staleness
markers, which range queries do not show either, so that a pod that is gone would live on for five minutes; and a
week of blocks takes longer to build than to evaluate. `promtool test rules`: its time begins in 1970 and its series
lie on one even grid, so that business hours and the times of scrapes would be others.

The thresholds are always those of the fleet file, never recorded ones: what a changed number would have cost is
what this is for.
"""
