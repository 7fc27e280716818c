"""What the catalogue says of our own exporter, held against what it exposes."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sre import content
from sre.catalogue.load import load
from sre.usage import families
from sre.usage.accounts import Accounts
from sre.usage.families import Family
from sre.usage.identity import Identity
from sre.usage.intake import Intake
from sre.usage.record import Tokens, UsageRecord

CATALOGUE = load(content.root())
BINDING = CATALOGUE.usage["sre-exporter"]


def exposed() -> dict[str, set[str]]:
    """Labels by metric, as a page shows them whose lengths are split by team."""
    accounts = Accounts(("search",), ("llama",), by_team=True)
    accounts.add(UsageRecord("1", 0.0, "success", "search", "llama", tokens=Tokens(output=1)), "search")
    page = Intake(Identity(("search",)), accounts, ["/ingest/usage"], lambda: 100.0).expose().decode()
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


@pytest.mark.parametrize("signal", BINDING.signals)
def test_every_signal_is_exposed_with_its_labels(signal):
    """A fleet that declares `usage_exporter` sees what the catalogue promises: each metric, and each of its labels."""
    found, kind = exposed(), CATALOGUE.signals[signal].type
    for source in BINDING.signals[signal]:
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        for suffix in suffixes:
            assert set(source.labels.values()) <= found[source.metric + suffix]
    types = {one.name: one.type for one in vars(families).values() if isinstance(one, Family)}
    assert types[BINDING.signals[signal][0].metric] == kind


def test_the_exporter_is_known_by_a_metric_that_it_has():
    """`sre doctor` recognizes it by a metric that is there from the first scrape."""
    assert BINDING.identify in exposed()


def test_all_that_is_exposed_has_its_own_name_and_words():
    """No two metrics share a name, and each says in a sentence what it counts, in base units."""
    every = [one for one in vars(families).values() if isinstance(one, Family)]
    assert len({one.name for one in every}) == len(every)
    for one in every:
        assert one.help.endswith(".")
        assert one.name.endswith("_total") == (one.type == "counter")
        assert not one.name.endswith(("_ms", "_milliseconds", "_kb"))
