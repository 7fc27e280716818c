"""What an exporter's configuration says, as frozen models; each field's description is the reason in findings."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from sre.explain import objection
from sre.fleet.values import FilePath, Flag, Name, Text
from sre.source import show

_PORTS = 1 << 16
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Listen(NamedTuple):
    """An address to listen on; port 0 is any free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _listen(value: object) -> Listen:
    text = value if isinstance(value, str) else ""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    number = int(port) if re.fullmatch(r"\d{1,5}", port, re.ASCII) else _PORTS
    named = re.fullmatch(r"[\w.-]+", bare, re.ASCII) or (
        bare != host and re.fullmatch(r"[\da-f:.%\w]+", bare)
    )
    if not colon or not named or number >= _PORTS:
        near = str(value).lstrip(":")
        known = re.fullmatch(r"\d{1,5}", near, re.ASCII) and int(near) < _PORTS
        port = near if known else "9109"
        raise objection(
            f"{show(value)} is not an address and a port",
            f"write 127.0.0.1:{port} for this machine alone, 0.0.0.0:{port} for every network that it is in",
        )
    return Listen(bare, number)


def _environment(text: str) -> str:
    if not _ENVIRONMENT.fullmatch(text):
        # What stands there may be the token itself.
        raise objection(
            "what stands there is not the name of an environment variable",
            "write a name like SRE_INGEST_TOKEN, and put the token there; one that was written here is to be replaced",
            "a token in a file is read by everybody who may read the file",
        )
    return text


def _between(least: int, most: int) -> Any:
    return Field(ge=least, le=most)


_Whole = Annotated[int, Strict()]
_Address = Annotated[Listen, BeforeValidator(_listen)]
_Variable = Annotated[str, AfterValidator(_environment)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Part):
    """What the exporter may use, whatever is sent to it."""

    label_sets: Annotated[_Whole, _between(0, 1_000_000)] = Field(
        default=2000, description="label sets that any one metric may have beside those of the roster"
    )
    value_length: Annotated[_Whole, _between(16, 1024)] = Field(
        default=128, description="characters of a label value that is not on the roster"
    )
    body_bytes: Annotated[_Whole, _between(1024, 1 << 30)] = Field(
        default=16 << 20, description="bytes of one posted body, unpacked"
    )
    queue_bytes: Annotated[_Whole, _between(1024, 1 << 34)] = Field(
        default=64 << 20, description="bytes of bodies that are being received or wait to be counted"
    )
    connections: Annotated[_Whole, _between(4, 10_000)] = Field(
        default=256, description="connections at once; more are answered 503"
    )
    request_seconds: Annotated[_Whole, _between(1, 600)] = Field(
        default=30, description="seconds for one request to arrive, and for its answer to be taken"
    )
    remembered_ids: Annotated[_Whole, _between(1000, 5_000_000)] = Field(
        default=50_000, description="request ids that are remembered, to know a body that is sent again"
    )


class Roster(_Part):
    """The only names that may become label values."""

    teams: tuple[Name, ...] | None = Field(
        default=None,
        description="the teams that consume; without the list, names are shown as they come, up to the cap",
        examples=[["search", "support"]],
    )
    models: tuple[Name, ...] | None = Field(
        default=None,
        description="the models that are served; without the list, names are shown as they come, up to the cap",
        examples=[["llama-3.3-70b"]],
    )


class Keys(_Part):
    """Whose key is whose, for gateways that do not know teams."""

    # Not typed further: an error of a model names its place, and a key written here in clear must not be shown.
    keys: Mapping[Any, Any] = Field(
        default_factory=dict, description="salted hashes of keys, from `sre exporter hash-key`, to teams"
    )


class Tls(_Part):
    """Certificates of the listener. With ``client_ca``, whoever posts has to show one that it signed."""

    cert: FilePath = Field(description="the listener's certificate chain, PEM", examples=["./tls.crt"])
    key: FilePath = Field(description="the certificate's private key, PEM", examples=["./tls.key"])
    client_ca: FilePath | None = Field(
        default=None, description="who signs certificates of senders, PEM: ingest routes then ask for one"
    )


class Route(_Part):
    """One way in: a log that is read, or a path that is posted to."""

    kind: Literal["tail", "http"] = Field(description="tail reads a log, http takes posts", examples=["tail"])
    path: Text = Field(
        min_length=1,
        description="the log's path, from this file's folder, or the path of the address",
        examples=["./access.jsonl"],
    )
    format: Name = Field(description="the gateway's format, by its file's name", examples=["usage"])
    token_env: _Variable | None = Field(
        default=None, description="the environment variable with the bearer token that senders show"
    )
    trusted: Flag = Field(
        default=False, description="whether a header that clients could set themselves may name the team"
    )


class Config(_Part):
    """Everything that the exporter is told."""

    version: Literal[1] = Field(description="the version of this format", examples=[1])
    listen: _Address = Field(
        default=Listen("127.0.0.1", 9109), description="where /metrics and the ingest routes answer"
    )
    state: FilePath = Field(
        default=Path("exporter.state"), description="the one file that keeps counts and positions"
    )
    limits: Limits = Limits()
    roster: Roster = Roster()
    identity: Keys = Keys()
    tls: Tls | None = None
    catalogue: FilePath | None = Field(
        default=None, description="a folder of your own content over the built-in, for formats of your own"
    )
    output_tokens_by_team: Flag = Field(
        default=False, description="whether `llm_output_tokens` is split by team: 26 series for each pair"
    )
    early_shift_signal: Flag = Field(
        default=False, description="whether replies of a model are watched for lengths that move, by ADWIN"
    )
    metrics_token_env: _Variable | None = Field(
        default=None, description="the environment variable with the bearer token that /metrics asks for"
    )
    routes: tuple[Route, ...] = Field(
        min_length=1,
        description="where records come from",
        examples=[[{"kind": "tail", "path": "./access.jsonl", "format": "usage"}]],
    )

    def with_paths(self, folder: Path) -> "Config":
        """The same with paths that start at ``folder``; a route keeps its path as it is its name."""
        update: dict[str, object] = {"state": folder / self.state}
        if self.catalogue:
            update["catalogue"] = folder / self.catalogue
        if self.tls:
            paths = {name: folder / path for name, path in self.tls if path}
            update["tls"] = self.tls.model_copy(update=paths)
        return self.model_copy(update=update)
