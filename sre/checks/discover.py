"""A first fleet file from a live server: pools, engines, releases, cards and the exporter, as far as they show."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from pydantic import ValidationError

from sre.catalogue.bindings import Binding
from sre.catalogue.model import Catalogue
from sre.checks.engines import Engines, find_engines
from sre.checks.eras import Era, at
from sre.checks.live import Asking
from sre.checks.observation import Observation
from sre.checks.sight import Seeing
from sre.findings import Finding
from sre.fleet import Fleet, Pool
from sre.init import Discovered, FoundExporter, FoundPool
from sre.prometheus import Server
from sre.source import show
from sre.units import format_duration, format_number


def discover(server: Server, catalogue: Catalogue) -> tuple[Discovered | None, list[Finding]]:
    """What a fleet file can be written from, and what it leaves open; None where no engine is found.

    Raises ``Unreachable``.
    """
    engines = find_engines(server, catalogue)
    if not engines.targets:
        return None, [_nothing(server, catalogue)]
    fleet, findings = _fleet(server, engines, catalogue)
    if fleet is None:
        return None, findings
    asking = Asking(server, fleet, catalogue)
    observation = asking.observe()
    fleet = _honest(fleet, catalogue, observation)
    seeing = Seeing(fleet, catalogue, observation)
    models = {name: sorted(models) for name, (_, models) in engines.by(fleet.pool_label).items()}
    found = Discovered(
        pools=tuple(_pool(pool, models[pool.name], catalogue, observation, seeing) for pool in fleet.pools),
        gpu_exporter=_exporter(fleet, catalogue, observation, seeing.exporter_era),
        name=fleet.name,
        pool_label=fleet.pool_label,
        identity=fleet.identity,
        **_intervals(server, engines),
    )
    return found, [*findings, *_open(found)]


def _nothing(server: Server, catalogue: Catalogue) -> Finding:
    jobs = sorted({s.labels.get("job", "") for s in server.query("count by (job) (up)")} - {""})
    known = ", ".join(f"{kind} ({binding.identify})" for kind, binding in catalogue.engines.items())
    there = f"its jobs are {', '.join(map(show, jobs[:10]))}" if jobs else "it has no series `up`"
    return Finding(
        server.url,
        "is this the right server? No engine that is known answers there",
        f"looked for {known}; {there}",
        "give the server that scrapes the engines, with its tenant (--header), or begin with plain `sre init`",
    )


def _fleet(server: Server, engines: Engines, catalogue: Catalogue) -> tuple[Fleet | None, list[Finding]]:
    """A provisional fleet with the newest of everything: only its names are asked about."""
    label, findings = engines.label(), list[Finding]()
    pools = list[dict[str, object]]()
    for name, (kinds, models) in sorted(engines.by(label).items()):
        kind = min(kinds)
        pools.append(
            {"name": name, "engine": {"kind": kind, "version": catalogue.engines[kind].versions.newest}}
        )
        if len(models) > 1 or len(kinds) > 1:
            findings.append(_shared(label, name, kinds | models))
    placed = all(labels.get("namespace") and labels.get("pod") for labels, _, _ in engines.targets)
    clusters = {labels.get("cluster", "") for labels, _, _ in engines.targets}
    data = {
        "version": 1,
        "name": (clusters.pop() if len(clusters) == 1 else "") or "my-fleet",
        "pool_label": label,
        "identity": "kubernetes" if placed else "host",
        "gpu_exporter": _kind(server, catalogue),
        "pools": pools,
    }
    try:
        return Fleet.model_validate(data), findings
    except ValidationError as error:
        why = error.errors(include_url=False)[0]
        what = f"{why['loc']}: {why['msg']}"
        fix = "begin with plain `sre init`, and relabel that target"
        return None, [Finding(server.url, f"a name there cannot stand in a fleet file: {what}", "", fix)]


def _shared(label: str, name: str, several: Iterable[str]) -> Finding:
    listed = ", ".join(map(show, sorted(several)))
    return Finding(
        "pools",
        f"{label}={show(name)} serves several models: {listed}",
        "a pool serves one: latencies, queues and bills of several would be one number",
        "give the targets a label with one value for each, and name it as `pool_label`",
        "warning",
    )


def _kind(server: Server, catalogue: Catalogue) -> dict[str, str] | None:
    for kind, binding in catalogue.gpus.items():
        names = {source.metric for source in binding.signals["gpu_present"]}
        if any(server.query(f"group ({name})") for name in sorted(names)):
            return {"kind": kind, "version": binding.versions.newest}
    return None


def _honest(fleet: Fleet, catalogue: Catalogue, observation: Observation) -> Fleet:
    """With the ``honor_labels`` under which more cards join."""
    if fleet.gpu_exporter is None:
        return fleet
    places = Seeing(fleet, catalogue, observation).places
    honor = places.joins(honor=True) > places.joins(honor=False)
    return fleet.model_copy(
        update={"gpu_exporter": fleet.gpu_exporter.model_copy(update={"honor_labels": honor})}
    )


def _pool(
    pool: Pool, models: list[str], catalogue: Catalogue, observation: Observation, seeing: Seeing
) -> FoundPool:
    era, targets = seeing.era(pool), (observation.targets or {}).get(pool.name)
    found = FoundPool(
        name=pool.name,
        engine=pool.engine.kind,
        version=era.low if era else catalogue.engines[pool.engine.kind].versions.newest,
        model=models[0] if len(models) == 1 else None,
        memory_budget=_share(observation.budgets.get(pool.name, ())),
        sure=f"read off its metric names: {era}" if era else "not known: write the release that runs",
    )
    cards = seeing.places.cards_of(pool)
    if not cards or not targets:
        return found
    replicas = targets.up + targets.down
    types = [_model(card.labels, catalogue) for card in observation.cards if card.id in cards]
    return replace(
        found,
        gpu_type=_slug(Counter(types).most_common(1)[0][0]),
        gpus_per_replica=max(1, round(len({uuid for uuid, _ in cards}) / replicas)),
        replicas=replicas,
    )


def _slug(model: str) -> str:
    """``NVIDIA H100 80GB HBM3`` -> ``h100-80gb-hbm3``: a name that fits into file names and prices."""
    words = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    return words.removeprefix("nvidia-") or "gpu"


def _share(texts: Iterable[str]) -> str | None:
    """The largest of the shares that engines state, as a plain number; what they print may be anything."""
    found = list[Decimal]()
    for text in texts:
        try:
            found.append(Decimal(text))
        except ArithmeticError:
            continue
    shares = [share for share in found if share.is_finite() and 0 < share <= 1]
    return format_number(max(shares)) if shares else None


def _model(labels: Iterable[Mapping[str, str]], catalogue: Catalogue) -> str:
    names = [name for binding in catalogue.gpus.values() for name in binding.labels.get("gpu_model", ())]
    return next((one[name] for one in labels for name in names if one.get(name)), "gpu")


def _exporter(
    fleet: Fleet, catalogue: Catalogue, observation: Observation, era: Era | None
) -> FoundExporter | None:
    exporter = fleet.gpu_exporter
    if exporter is None or era is None:
        return None
    binding = catalogue.gpus[exporter.kind]
    shipped = [source for sources in binding.signals.values() for source in sources if source.image]
    lists = [one.image or "0" for one in shipped if one.metric in observation.exporter_names]
    version = max([era.low, *(one for one in lists if not era.high or at(one) < at(era.high))], key=at)
    return FoundExporter(
        exporter.kind,
        version,
        exporter.honor_labels,
        _list(binding, observation, version),
        f"read off its metrics and labels: {replace(era, low=version)}",
    )


def _list(binding: Binding, observation: Observation, version: str) -> str:
    """The counter list that the marks speak for; where none does, the image's own."""
    for mark in binding.marks:
        if mark.list and mark.metric and at(version) >= at(mark.since):
            other = "chart" if mark.list == "image" else "image"
            return mark.list if mark.metric in observation.exporter_names else other
    return "image"


def _intervals(server: Server, engines: Engines) -> dict[str, str]:
    """How often the engines are scraped; rules at most twice a minute, for they look back over minutes."""
    ours = {(labels.get("job"), labels.get("instance")) for labels, _, _ in engines.targets}
    found = [
        Decimal(str(target.interval))
        for target in server.targets() or ()
        if target.interval and (target.labels.get("job"), target.labels.get("instance")) in ours
    ]
    if not found:
        return {}
    usual = Counter(found).most_common(1)[0][0]
    return {
        "scrape_interval": format_duration(usual),
        "evaluation_interval": format_duration(max(usual, Decimal(30))),
    }


def _open(found: Discovered) -> Iterator[Finding]:
    """What the person has to look at, because no server says it."""
    for pool in found.pools:
        if pool.gpu_type is None and found.gpu_exporter:
            yield Finding(
                "pools",
                f"no card joins pool {show(pool.name)}",
                "its GPU alerts would name no pool, and LLMEngineDown counts one replica as enough",
                "write `gpus` with `replicas` and, where pods do not join, `match`",
                "warning",
            )
