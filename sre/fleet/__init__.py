"""The user's one file: what it may say, how it is read, and what is wrong with it."""

from sre.fleet.checks import check
from sre.fleet.hours import WEEK, BusinessHours
from sre.fleet.models import Fleet, GpuExporter, Team, UsageExporter, file_name
from sre.fleet.pool import OBJECTIVES, Engine, Gpus, Pool, Replicas
from sre.fleet.reader import load, load_text

__all__ = [
    "OBJECTIVES",
    "WEEK",
    "BusinessHours",
    "Engine",
    "Fleet",
    "GpuExporter",
    "Gpus",
    "Pool",
    "Replicas",
    "Team",
    "UsageExporter",
    "check",
    "file_name",
    "load",
    "load_text",
]
