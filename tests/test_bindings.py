"""Bindings against what engines and exporters really print: fixtures of this repository, captures beside it."""

import re
from pathlib import Path

import pytest

from sre import content
from sre.catalogue.bindings import Binding, MetricSource
from sre.catalogue.load import load
from sre.catalogue.model import Catalogue
from sre.compile.coverage import bounds_of, in_range
from sre.fleet import Engine, Pool

FIXTURES = Path(__file__).parent / "fixtures" / "engines"
CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
VERSIONS = sorted(
    {m[1] for p in FIXTURES.glob("vllm-*.prom") if (m := re.fullmatch(r"vllm-(\d+\.\d+\.\d+)\.prom", p.name))}
)

# Not in the text itself: the scrape makes `up`, and a probe of the HTTP routes makes the responses.
NOT_PRINTED = {"up"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(content.root())


def names(path: Path) -> set[str]:
    """Every sample name in an exposition, as printed: a parser would add _total to the GPU exporter's counters."""
    return set(re.findall(r"^([a-zA-Z_:][\w:]*)[{ ]", path.read_text(), re.M))


def printed(source: MetricSource, histogram: bool, found: set[str]) -> bool:
    return f"{source.metric}_bucket" in found if histogram else source.metric in found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_signal_bound_for_a_release_is_printed_by_it(catalogue: Catalogue, version: str) -> None:
    """A name that the binding says a vLLM release has is in that release's own /metrics."""
    binding, found = catalogue.engines["vllm"], names(FIXTURES / f"vllm-{version}.prom")
    for name, sources in binding.signals.items():
        bound = [s for s in sources if in_range(s, version)]
        if name not in NOT_PRINTED and bound:
            histogram = catalogue.signals[name].type == "histogram"
            assert any(printed(s, histogram, found) for s in bound), (
                f"{name} of vLLM {version}: {[s.metric for s in bound]}"
            )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_release_prints_no_bound_name_before_its_since_or_after_its_until(
    catalogue: Catalogue, version: str
) -> None:
    """Version ranges are as narrow as the renames: a name outside its range is not in that release's /metrics."""
    binding, found = catalogue.engines["vllm"], names(FIXTURES / f"vllm-{version}.prom")
    for name, sources in binding.signals.items():
        histogram = catalogue.signals[name].type == "histogram"
        for source in sources:
            if name not in NOT_PRINTED and not in_range(source, version):
                assert not printed(source, histogram, found), f"{source.metric} is printed by vLLM {version}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("histogram", ["ttft", "itl", "e2e", "queue_wait"])
def test_bucket_bounds_are_those_of_the_release(catalogue: Catalogue, version: str, histogram: str) -> None:
    """The bounds that objectives are compared with are the ones in that release's histograms."""
    binding = catalogue.engines["vllm"]
    sources = [s for s in binding.signals[histogram] if in_range(s, version)]
    if not sources:
        pytest.skip(f"vLLM {version} has no {histogram}")
    text = (FIXTURES / f"vllm-{version}.prom").read_text()
    found = {
        float(le)
        for le in re.findall(rf'^{re.escape(sources[0].metric)}_bucket{{[^}}]*le="([0-9.e+]+)"', text, re.M)
    }
    pool = Pool(name="p", engine=Engine(kind="vllm", version=version))
    assert {float(b) for b in bounds_of(binding, histogram, pool)} == found


def test_labels_that_a_binding_renames_are_there(catalogue: Catalogue) -> None:
    """The finish reason and the HTTP status are read from labels that vLLM 0.33 has."""
    text = (FIXTURES / "vllm-0.33.0.prom").read_text()
    for sources in catalogue.engines["vllm"].signals.values():
        for source in sources:
            for old in source.labels.values():
                assert re.search(rf'^{re.escape(source.metric)}{{[^}}]*\b{old}="', text, re.M), (
                    f"{source.metric}{{{old}}}"
                )


DCGM = {
    "dcgm-4.8.2-k8s-h100.synthetic.prom": "image",
    "dcgm-4.8.2-baremetal-h100.synthetic.prom": "image",
    "dcgm-4.8.2-helm-chart-default.synthetic.prom": "chart",
    "dcgm-4.8.3-k8s-h100-lowercase-hostname.synthetic.prom": "image",
}


@pytest.mark.parametrize("name", DCGM)
def test_counters_that_a_shipped_list_has_on_are_in_its_capture(catalogue: Catalogue, name: str) -> None:
    """What the binding calls on by default is printed by an exporter with that list; what it calls opt-in is not."""
    path = CAPTURES / "dcgm" / name
    if not path.exists():
        pytest.skip("captures are not beside this checkout")
    found = names(path)
    for source in every(catalogue.gpus["dcgm"]):
        since = source.image if DCGM[name] == "image" else source.chart
        if since is not None and since < "4.8":
            assert source.metric in found, f"{source.metric} is on by default and not in {name}"
        elif since is None:
            assert source.metric not in found, f"{source.metric} is called opt-in and is in {name}"


def test_identity_labels_are_spelled_as_the_exporter_spells_them(catalogue: Catalogue) -> None:
    """Both spellings of the host label, the UUID and the MIG instance are in captures of their exporters."""
    if not CAPTURES.exists():
        pytest.skip("captures are not beside this checkout")
    text = "".join(p.read_text() for p in sorted((CAPTURES / "dcgm").glob("dcgm-*.prom")))
    for spellings in catalogue.gpus["dcgm"].labels.values():
        assert any(f'{label}="' in text for label in spellings), spellings
    assert {"hostname", "Hostname"} <= set(catalogue.gpus["dcgm"].labels["host"])


def test_the_real_server_prints_everything_that_is_bound_for_it(catalogue: Catalogue) -> None:
    """A vLLM 0.32 server under load shows every signal, so that none of its alerts is blind."""
    path = CAPTURES / "vllm-0.32.0-cpu-overload.prom"
    found = names(path if path.exists() else FIXTURES / "vllm-0.32.0-cpu-overload.prom")
    for name, sources in catalogue.engines["vllm"].signals.items():
        histogram = catalogue.signals[name].type == "histogram"
        assert name in NOT_PRINTED or any(
            printed(s, histogram, found) for s in sources if in_range(s, "0.32.0")
        ), name


def every(binding: Binding) -> list[MetricSource]:
    return [source for sources in binding.signals.values() for source in sources]
