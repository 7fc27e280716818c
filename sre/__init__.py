"""Alerts, dashboards, routes and runbooks for self-hosted LLM fleets, compiled from one fleet file."""

__version__ = "0.1.0"
