"""What each format can say: data for a table, in the docs and in the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sre.usage.formats.load import load_gateways
from sre.usage.formats.model import GatewayFormat
from sre.usage.record import TokenClass


@dataclass(frozen=True)
class Listing:
    """One format: its own words, and what a record of it holds.

    ``team`` is "authenticated", "trusted route" (a client can choose it) or "". ``errors`` is what tells their type.
    """

    name: str
    title: str
    source: str
    notes: tuple[str, ...]
    configure: str
    team: str
    key: bool
    model: bool
    tokens: tuple[TokenClass, ...]
    ttft: bool
    duration: bool
    finish_reason: bool
    errors: tuple[str, ...]
    duplicates: bool


def list_formats(catalogue_dirs: Sequence[Path] = ()) -> list[Listing]:
    """All formats by name. Raises ``Refused`` with every finding of their files."""
    return [_listing(name, spec) for name, spec in sorted(load_gateways(catalogue_dirs).formats.items())]


def _listing(name: str, spec: GatewayFormat) -> Listing:
    return Listing(
        name=name,
        title=spec.title,
        source=spec.source,
        notes=spec.notes,
        configure=spec.configure,
        team="authenticated" if spec.team.authenticated else "trusted route" if spec.team.client_set else "",
        key=spec.key is not None,
        model=spec.model is not None,
        tokens=_tokens(spec),
        ttft=bool(spec.ttft),
        duration=bool(spec.duration),
        finish_reason=spec.finish_reason is not None,
        errors=_errors(spec),
        duplicates=spec.id is not None,
    )


def _tokens(spec: GatewayFormat) -> tuple[TokenClass, ...]:
    if spec.tokens is None:
        return ()
    counts: dict[TokenClass, object] = {
        "uncached_input": spec.tokens.input,
        "cached_input": spec.tokens.cached_input,
        "cache_write": spec.tokens.cache_write,
        "output": spec.tokens.output,
        "reasoning": spec.tokens.reasoning,
    }
    return tuple(name for name, count in counts.items() if count)


def _errors(spec: GatewayFormat) -> tuple[str, ...]:
    told = {
        "type": spec.error.type,
        "class": spec.error.class_,
        "code": spec.error.code or spec.outcome.code,
        "flags": spec.outcome.flags,
        "message": spec.error.message,
    }
    return tuple(name for name, paths in told.items() if paths)
