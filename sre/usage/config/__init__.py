"""The configuration of `sre exporter`: one YAML file, read whole or refused with everything that is wrong."""

from sre.usage.config.models import Config, Limits, Listen, Route, Tls
from sre.usage.config.reader import read_config

__all__ = ["Config", "Limits", "Listen", "Route", "Tls", "read_config"]
