"""The exporter put together: from a configuration to routes, accounts, logs and a listener, and to another one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sre import __version__
from sre.findings import Finding, Refused
from sre.usage import families
from sre.usage.accounts import Accounts
from sre.usage.config import Config, read_config
from sre.usage.config.tls_check import make_context
from sre.usage.formats import load_format
from sre.usage.identity import Identity
from sre.usage.inbox import Inbox
from sre.usage.intake import Intake, Route
from sre.usage.journal import Journal
from sre.usage.labels import labels
from sre.usage.receiver.desk import Desk, Ingest, Rules
from sre.usage.receiver.doors import make_door
from sre.usage.receiver.listener import Listener
from sre.usage.running import Running
from sre.usage.state import StateFile
from sre.usage.tail import Tail

_WORDS = {"error": "the configuration is wrong", "warning": "the configuration is doubtful", "info": "note"}

_AT_THE_START: dict[str, Callable[[Config], object]] = {
    "listen": lambda config: config.listen,
    "state": lambda config: config.state,
    "limits.connections": lambda config: config.limits.connections,
    "limits.queue_bytes": lambda config: config.limits.queue_bytes,
    "limits.request_seconds": lambda config: config.limits.request_seconds,
}
_SAID_AGAIN = 30.0
"""Seconds after which a problem that lasts is told again."""


@dataclass
class Exporter:
    """Everything that runs, in the thread that counts; ``desk`` and ``listener`` belong to the listener's thread."""

    path: Path
    environ: Mapping[str, str]
    clock: Callable[[], float]
    journal: Journal
    config: Config
    running: Running = field(init=False)
    _read: bool = field(default=True, init=False)
    _read_at: float = field(default=0.0, init=False)
    _started_at: float = field(default=0.0, init=False)
    _told_at: float = field(default=0.0, init=False)
    _skipped: dict[tuple[str, str], int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Take the state file and the address. Raises ``Refused``."""
        config = self.config
        self._read_at = self._started_at = self.clock()
        inbox, routes = Inbox(config.limits.queue_bytes), make_routes(config)
        intake = make_intake(config, self.clock)
        self.running = Running(intake, inbox, StateFile(config.state), self._logs(config, routes), self.clock)
        rules = make_rules(config, routes, self.environ)
        self.desk = Desk(inbox, rules, lambda: self.running.caught_up, self._own)
        context = make_context(config.tls) if config.tls else None
        limits, log = config.limits, partial(self.journal.error)
        self.listener = Listener(
            config.listen, self.desk.answer, limits.connections, limits.request_seconds, context, log
        )

    def reload(self) -> None:
        """Read the configuration again; where it cannot be used, the one in use stays, and it is said why."""
        try:
            config, findings = read_config(self.path, self.environ)
            tell(self.journal, [*findings, *self._fixed(config)])
            self._apply(config.model_copy(update={"listen": self.config.listen, "state": self.config.state}))
        except (Refused, OSError) as error:
            # A certificate may vanish between the look at it and its use.
            self._read = False
            tell(self.journal, error.findings if isinstance(error, Refused) else [])
            self.journal.error("the configuration in use stays", file=self.path)
            return
        self._read, self._read_at = True, self.clock()
        self.journal.info("the configuration was read again", file=self.path)

    def tell_problems(self) -> None:
        """Now and then: what cannot be read or saved, and how many records were skipped and why."""
        if self.clock() - self._told_at < _SAID_AGAIN:
            return
        self._told_at = self.clock()
        for where, problem in self.running.problems:
            self.journal.warning("something is in the way", where=where, what=problem)
        skipped = self.running.intake.skipped()
        for (route, reason), count in skipped.items():
            if more := count - self._skipped.get((route, reason), 0):
                self.journal.warning("records were skipped", route=route, reason=reason, count=more)
        self._skipped = skipped

    def _apply(self, config: Config) -> None:
        routes, intake = make_routes(config), make_intake(config, self.clock)
        rules = make_rules(config, routes, self.environ)
        context = make_context(config.tls) if config.tls else None
        intake.restore(self.running.intake.snapshot())
        # From here on nothing can fail: all of it is in use, or nothing.
        self.running.logs = self._logs(config, routes)
        self.running.intake = intake
        self.desk.rules = rules
        self.listener.context = context
        self.config = config

    def _fixed(self, config: Config) -> list[Finding]:
        """What only a restart changes."""
        why, fix = "it is taken at the start alone", "restart the exporter"
        return [
            Finding(str(self.path), f"`{name}` has changed", why, fix, "warning")
            for name, read in _AT_THE_START.items()
            if read(config) != read(self.config)
        ]

    def _logs(self, config: Config, routes: Mapping[str, Route]) -> list[tuple[Route, Tail]]:
        """Logs with their tails; one that was read before is read on."""
        folder = self.path.parent.absolute()
        old = {route.name: tail for route, tail in self.running.logs} if hasattr(self, "running") else {}
        names = [route.path for route in config.routes if route.kind == "tail"]
        for name in old.keys() - set(names):
            old[name].close()
        return [(routes[name], old.get(name) or Tail(folder / name)) for name in names]

    def _own(self) -> str:
        """Lines about the configuration, the release and the process."""
        return "".join(
            (
                f"{families.RELOAD_OK.head}{families.RELOAD_OK.name} {int(self._read)}\n",
                f"{families.RELOAD_TIME.head}{families.RELOAD_TIME.name} {self._read_at:.3f}\n",
                f"{families.BUILD.head}{families.BUILD.name}{labels(version=__version__)} 1\n",
                f"{families.STARTED.head}{families.STARTED.name} {self._started_at:.3f}\n",
            )
        )


def make_routes(config: Config) -> dict[str, Route]:
    """Routes by their paths, formats loaded. Raises ``Refused``."""
    folders = [config.catalogue] if config.catalogue else []
    return {
        one.path: Route(one.path, load_format(one.format, folders, trusted=one.trusted))
        for one in config.routes
    }


def make_intake(config: Config, clock: Callable[[], float]) -> Intake:
    """Identity and accounts as the configuration has them, nothing counted yet."""
    roster, limits = config.roster, config.limits
    accounts = Accounts(
        roster.teams,
        roster.models,
        label_sets=limits.label_sets,
        longest=limits.value_length,
        by_team=config.output_tokens_by_team,
        early=config.early_shift_signal,
    )
    identity = Identity(roster.teams, config.identity.keys, limits.value_length)
    return Intake(identity, accounts, [route.path for route in config.routes], clock, limits.remembered_ids)


def make_rules(config: Config, routes: Mapping[str, Route], environ: Mapping[str, str]) -> Rules:
    """What the HTTP side has to know."""
    certificate = bool(config.tls and config.tls.client_ca)
    ingest = {
        one.path: Ingest(routes[one.path], make_door(environ, one.token_env, certificate=certificate))
        for one in config.routes
        if one.kind == "http"
    }
    metrics, limits = make_door(environ, config.metrics_token_env), config.limits
    return Rules(ingest, metrics, limits.body_bytes, limits.request_seconds)


def tell(journal: Journal, findings: list[Finding] | tuple[Finding, ...]) -> None:
    """Findings as events."""
    for one in findings:
        say = {"error": journal.error, "warning": journal.warning, "info": journal.info}[one.severity]
        say(_WORDS[one.severity], where=one.where, what=one.what, why=one.why, fix=one.fix)
