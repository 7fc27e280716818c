"""How good the alerts are: whole days of chance, demand and seeded faults, seen by the compiled rules in promtool."""
