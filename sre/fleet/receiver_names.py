"""The names of receivers: for each severity, for each team, and for what nobody is told."""

from sre.fleet.models import Fleet

SEVERITIES = ("page", "ticket", "info")
WATCHDOG, NULL = "watchdog", "null"
PLATFORM = "platform"
REQUIRED = (*SEVERITIES, WATCHDOG)


def owners(fleet: Fleet) -> tuple[str, ...]:
    """Every team that an alert can name: the pools' owners, and the platform for what has no pool."""
    return tuple(sorted({pool.owner for pool in fleet.pools} | {PLATFORM}))


def team_receiver(team: str, severity: str) -> str:
    """The name under which a team has a receiver of its own."""
    return f"{team}-{severity}"
