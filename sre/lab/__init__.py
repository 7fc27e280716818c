"""The lab: a simulated fleet behind real addresses, for real programs to look at."""
