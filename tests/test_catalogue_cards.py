"""Signals that take several cards: links between cards are watched where a replica has two of them."""

from pathlib import Path
from typing import Any

import pytest

from sre import content
from sre.catalogue.load import load
from sre.catalogue.model import Catalogue
from sre.compile.coverage import Coverage, State
from sre.compile.plan import PlannedAlert
from sre.compile.planning import make_plan
from sre.fleet import Fleet

LINKS = "GPUNVLinkBandwidthDrop"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(content.root())


def fleet(**cards: int | None) -> Fleet:
    """Pools by name, with so many cards a replica; None declares none."""
    return Fleet.model_validate(
        {
            "version": 1,
            "name": "test",
            "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
            "pools": [pool(name, count) for name, count in cards.items()],
        }
    )


def pool(name: str, count: int | None) -> dict[str, Any]:
    gpus = {"gpus": {"type": "h100", "per_replica": count, "replicas": 2}} if count else {}
    return {"name": name, "engine": {"kind": "vllm", "version": "0.32.0"}, **gpus}


def planned(catalogue: Catalogue, **cards: int | None) -> PlannedAlert:
    return next(p for p in make_plan(fleet(**cards), catalogue).alerts if p.alert.name == LINKS)


def test_an_alert_over_links_is_off_where_replicas_have_one_card(catalogue: Catalogue) -> None:
    """It could never fire there, and nobody should believe that it watches."""
    found = planned(catalogue, chat=1, batch=1)
    assert (found.state, found.rules) == ("off", ())
    assert found.reasons == ("a replica of one card has no gpu_nvlink_bandwidth: it takes 2",)


def test_pools_of_one_and_of_several_cards_are_judged_apart(catalogue: Catalogue) -> None:
    """They differ in nothing else, and are yet not alike."""
    found = planned(catalogue, small=1, large=2, huge=8)
    assert found.state == "live"
    assert found.pools == {"small": "off", "large": "live", "huge": "live"}


def test_a_pool_that_declares_no_cards_is_given_the_benefit_of_the_doubt(catalogue: Catalogue) -> None:
    """How many cards its replicas have, nobody has said."""
    assert planned(catalogue, chat=None).state == "live"


def test_pools_that_differ_only_in_more_cards_than_any_signal_takes_are_asked_once(
    catalogue: Catalogue,
) -> None:
    """A fleet of many sizes costs no more than one of two."""
    assert len(Coverage(fleet(a=1, b=2, c=4, d=8), catalogue).representatives) == 2


def test_a_signal_of_ones_own_says_how_many_cards_it_takes(tmp_path: Path) -> None:
    """The number is data, as everything about a signal."""
    (tmp_path / "exporters" / "signals").mkdir(parents=True)
    (tmp_path / "exporters" / "signals" / "own.yaml").write_text(
        "signals:\n  gpu_power: {type: gauge, unit: watts, cards: 4, help: Power of a rack of four}\n"
    )
    pools = fleet(two=2, four=4)
    coverage = Coverage(pools, load(content.root(), tmp_path))
    seen = {one.name: coverage.signal("gpu_power", one) for one in pools.pools}
    assert {name: sight.state for name, sight in seen.items()} == {"two": State.OFF, "four": State.LIVE}
    assert seen["two"].reasons == ("a replica of 2 cards has no gpu_power: it takes 4",)
