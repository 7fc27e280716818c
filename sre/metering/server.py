"""A month of usage from a Prometheus API: the exporter's token and request counters, and what the cards did."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace

from sre.finance.bill import TOKEN_CLASSES, Tokens
from sre.finance.months import Month
from sre.finance.usage import Counted, Usage, Use, team_of
from sre.findings import Finding, Refused
from sre.metering.cards import card_time, read_energy, read_minutes
from sre.metering.counters import Grown, read_growth
from sre.metering.pages import Labels, Pages
from sre.metering.records import Pools
from sre.source import show

TOKENS, REQUESTS = "llm_tokens_total", "llm_requests_total"
"""Our exporter's counters: labels team, model, class; team, model, outcome."""

Tell = Callable[[int, int, str], None]


def read_server(
    pages: Pages, month: Month, pools: Pools, *, energy: bool, tell: Tell = lambda *_: None
) -> Usage:
    """The usage of a month. ``energy``: whether power is paid apart, so that its counters are read.

    Raises ``Unreachable`` for an answer that is partial, carries a warning or does not come, and ``Refused``
    where the server has no usage of the month, or usage that no pool can be found for.
    """
    start, end = (round(moment.timestamp()) for moment in (month.start, month.end))
    tell(0, 4, "token counters")
    tokens = read_growth(pages, TOKENS, start, end)
    tell(1, 4, "request counters")
    requests = read_growth(pages, REQUESTS, start, end)
    if not tokens.amounts and not requests.amounts:
        raise Refused(
            [
                Finding(
                    pages.server.url,
                    f"holds no {TOKENS} and no {REQUESTS} of {month.name}",
                    "without usage nobody can be charged",
                    "give the server that scrapes `sre exporter`, or bill from --usage",
                )
            ]
        )
    tell(2, 4, "card states")
    minutes = read_minutes(pages, month)
    tell(3, 4, "energy")
    watt_hours = read_energy(pages, month, minutes) if energy else {}
    uses = _uses(tokens, requests, pools)
    return Usage(
        month.name,
        "prometheus",
        uses,
        counted=_both(tokens.counted, requests.counted),
        cards=card_time(minutes),
        energy=watt_hours,
    )


def _uses(tokens: Grown, requests: Grown, pools: Pools) -> tuple[Use, ...]:
    counts = defaultdict[tuple[str, str, str], dict[str, int]](lambda: defaultdict(int))
    homeless = set[str]()
    for label, grown in (("class", tokens), ("outcome", requests)):
        for series, amount in grown.amounts.items():
            key, kind = _key(series, pools), dict(series).get(label, "")
            counts[key][kind] += amount
            if amount and not key[0] and kind != "error":
                homeless.add(key[2])
    if homeless:
        raise Refused(_homeless(model) for model in sorted(homeless))
    return tuple(_use(key, found) for key, found in sorted(counts.items()) if any(found.values()))


def _key(series: Labels, pools: Pools) -> tuple[str, str, str]:
    labels = dict(series)
    model = labels.get("model", "")
    return pools.find(labels.get("pool", ""), model), team_of(labels.get("team")), model


def _use(key: tuple[str, str, str], found: Mapping[str, int]) -> Use:
    good, bad = found.get("success", 0), found.get("error", 0)
    return Use(*key, good + bad, good, Tokens(*(found.get(name, 0) for name in TOKEN_CLASSES)))


def _both(a: Counted, b: Counted) -> Counted:
    return replace(
        a, samples=a.samples + b.samples, expected=a.expected + b.expected, series=a.series + b.series,
        resets=a.resets + b.resets, started=a.started + b.started, gaps=tuple(dict.fromkeys((*a.gaps, *b.gaps))),
    )  # fmt: skip


def _homeless(model: str) -> Finding:
    return Finding(
        f"model {show(model)}",
        "its usage names no pool, and no pool is known for it",
        "its cost could not be found",
        "give --fleet, or write `models: {model: pool}` in the cost file",
    )
