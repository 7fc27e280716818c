"""Readers of a month of usage: from gateway records, from a Prometheus API. They give `sre.finance.usage.Usage`."""
