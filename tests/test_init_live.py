"""`sre init --prometheus`: a first fleet file from what a server already knows."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sre.cli import main
from sre.fleet import load

FIXTURES = Path(__file__).parent / "fixtures" / "engines"


def sre(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def vllm(name, **replaced):
    text = (FIXTURES / f"vllm-{name}.prom").read_text()
    for old, new in replaced.items():
        text = text.replace(f'{old}="', f'{old}="{new}')
    return text


def replica(job, pod, text, **labels):
    return {
        "job": job,
        "text": text,
        "labels": {"namespace": "llm", "pod": pod, "cluster": "prod-eu", **labels},
    }


def card(number, pod=None, **labels):
    placed = {"namespace": "llm", "pod": pod} if pod else {}
    return {"UUID": f"GPU-{number}", **placed, **labels}


def exporter(text, **page):
    return {"job": "dcgm", "text": text, "labels": {"namespace": "gpu-operator", "pod": "dcgm-x7"}, **page}


@pytest.fixture(scope="module")
def servers(start_prometheus, dcgm):
    """Addresses of one Prometheus for each situation, started side by side."""
    cards = [card(1, "chat-0"), card(2, "chat-0"), card(3, "chat-1"), card(4, "chat-1"), card(5)]
    small = {"modelName": "NVIDIA L40S"}
    situations = {
        "kubernetes": [
            replica("chat-70b", "chat-0", vllm("0.33.0")),
            replica("chat-70b", "chat-1", vllm("0.33.0")),
            replica("extract-8b", "extract-0", vllm("0.10.2")),
            exporter(dcgm(cards)),
            exporter(dcgm([card(6, "extract-0", **small)])),
            {"job": "node-exporter", "text": "node_load1 0.5\n"},
        ],
        "metal": [
            {"job": 'we"ird {{ $x }}', "text": vllm("0.32.0"), "labels": {"instance": "gpu-7:8000"}},
            {
                "job": "dcgm",
                "text": dcgm([card(1), card(2)], host="hostname", without=["FB_RESERVED"]),
                "labels": {"instance": "gpu-7:9400"},
            },
        ],
        "honored": [
            replica("chat", "chat-0", vllm("0.20.2")),
            exporter(dcgm([card(1, "chat-0")]), honor_labels=True),
        ],
        "one job": [
            replica("vllm", "a-0", vllm("0.33.0", model_name="a-"), service="chat"),
            replica("vllm", "b-0", vllm("0.33.0", model_name="b-"), service="code"),
        ],
        "mixed": [
            replica("vllm", "a-0", vllm("0.33.0", model_name="a-")),
            replica("vllm", "b-0", vllm("0.33.0", model_name="b-")),
        ],
        "wrong": [{"job": "shop", "text": "orders_total 7\n"}],
    }
    with ThreadPoolExecutor() as starting:
        started = {name: starting.submit(start_prometheus, *pages) for name, pages in situations.items()}
        return {name: one.result().url for name, one in started.items()}


@pytest.fixture
def found(servers, tmp_path):
    """``found(situation)`` -> the fleet that was written, loaded, its raw data and what was said."""

    def run(situation):
        folder = tmp_path / "new" / "llm"
        result = sre("init", "--prometheus", servers[situation], "-o", folder)
        assert result.exit_code == 0, result.output
        fleet, _ = load(folder / "fleet.yaml")
        generated = sre("generate", folder / "fleet.yaml", "-o", tmp_path / "out")
        assert generated.exit_code == 0, generated.output
        return fleet, (folder / "fleet.yaml").read_text(), result

    return run


def test_pools_engines_and_cards_are_filled_in(found):
    """Jobs that run an engine become pools, with model, replicas, cards and budget."""
    fleet, _, _ = found("kubernetes")
    chat, extract = fleet.pools
    assert (fleet.name, fleet.identity, fleet.pool_label) == ("prod-eu", "kubernetes", "job")
    assert (chat.name, extract.name) == ("chat-70b", "extract-8b")
    assert (chat.gpus.type, chat.gpus.per_replica, chat.replicas_min) == ("h100-80gb-hbm3", 2, 2)
    assert (extract.gpus.type, extract.gpus.per_replica, extract.replicas_min) == ("l40s", 1, 1)
    assert (str(chat.memory_budget), str(extract.memory_budget)) == ("0.92", "0.9")
    assert chat.model != chat.name


def test_releases_are_read_off_names_and_say_how_sure_that_is(found):
    """No engine exports its release: the range that its metrics allow stands beside the guess."""
    fleet, text, _ = found("kubernetes")
    assert [pool.engine.version for pool in fleet.pools] == ["0.32.0", "0.10.2"]
    assert 'version: "0.32.0"  # read off its metric names: vllm 0.32.0 or later' in text
    assert 'version: "0.10.2"  # read off its metric names: vllm 0.10.2 or later, before 0.11.2' in text


def test_the_exporter_is_recognized_by_its_labels_and_list(found):
    """Era, list and honor_labels follow from what the exporter's series carry."""
    fleet, text, _ = found("kubernetes")
    exporter = fleet.gpu_exporter
    assert (exporter.kind, exporter.version, exporter.counters) == ("dcgm", "4.4.0", "image")
    assert not exporter.honor_labels
    assert "dcgm 4.4.0 or later, before 4.8.3" in text


def test_intervals_are_those_of_the_scrapes(found):
    """Scrapes as they are configured; rules at most twice a minute."""
    fleet, _, _ = found("kubernetes")
    assert (fleet.scrape_interval, fleet.evaluation_interval) == (2, 30)


def test_bare_metal_joins_over_hosts(found):
    """Targets without pods are told apart by host; the newer label and the chart's list are recognized."""
    fleet, _, _ = found("metal")
    (pool,) = fleet.pools
    assert fleet.identity == "host"
    assert (pool.gpus.per_replica, pool.replicas_min) == (2, 1)
    assert (fleet.gpu_exporter.version, fleet.gpu_exporter.counters) == ("4.8.3", "chart")


def test_names_from_the_server_are_only_text(found):
    """A job may be called anything: it stands in the file as it is, and breaks nothing."""
    fleet, _, _ = found("metal")
    assert fleet.pools[0].name == 'we"ird {{ $x }}'


def test_honor_labels_is_found_by_what_joins(found):
    """Where the exporter's own labels are honoured, its pods are the engines'."""
    fleet, _, _ = found("honored")
    assert fleet.gpu_exporter.honor_labels
    assert fleet.pools[0].gpus.per_replica == 1


def test_a_label_that_tells_models_apart_is_chosen(found):
    """One job for all models is no pool; the label that has one value for each is."""
    fleet, _, result = found("one job")
    assert fleet.pool_label == "service"
    assert [pool.name for pool in fleet.pools] == ["chat", "code"]
    assert [pool.model[:2] for pool in fleet.pools] == ["a-", "b-"]
    assert "error" not in result.stderr


def test_a_job_of_several_models_is_told(found):
    """Where no label tells models apart, the file is written and says what is missing."""
    fleet, _, result = found("mixed")
    assert [pool.name for pool in fleet.pools] == ["vllm"]
    assert "job='vllm' serves several models" in result.stderr
    assert "name it as `pool_label`" in result.stderr


def test_the_wrong_server_writes_nothing(servers, tmp_path):
    """A server without engines is told with what it does hold, and exit code 1."""
    result = sre("init", "--prometheus", servers["wrong"], "-o", tmp_path / "new")
    assert result.exit_code == 1
    assert "is this the right server?" in result.stderr
    assert "its jobs are 'shop'" in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_server_that_is_away_writes_nothing(tmp_path):
    """Exit code 3, and no file."""
    result = sre("init", "--prometheus", "http://127.0.0.1:1", "-o", tmp_path / "new")
    assert result.exit_code == 3
    assert not (tmp_path / "new").exists()


def test_doctor_agrees_with_what_init_wrote(servers, tmp_path):
    """The file that a server fills in brings no error when that server is asked about it."""
    sre("init", "--prometheus", servers["kubernetes"], "-o", tmp_path)
    result = sre("doctor", tmp_path / "fleet.yaml", "--prometheus", servers["kubernetes"])
    assert result.exit_code == 0, result.stderr


def test_files_are_written_once(tmp_path):
    """Plain `sre init` writes three files, and refuses where one is there, touching none."""
    assert sre("init", "-o", tmp_path).exit_code == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"fleet.yaml", "fleet.schema.json", "pipeline.yaml"}
    (tmp_path / "pipeline.yaml").unlink()
    (tmp_path / "fleet.yaml").write_text("mine")
    result = sre("init", "-o", tmp_path)
    assert result.exit_code == 2
    assert "fleet.yaml: error: is there already" in result.stderr
    assert (tmp_path / "fleet.yaml").read_text() == "mine"
    assert not (tmp_path / "pipeline.yaml").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """Where a file stands in the way of the folder, nothing is written and the reason is given."""
    (tmp_path / "file").write_text("")
    result = sre("init", "-o", tmp_path / "file" / "new")
    assert result.exit_code == 2
    assert "cannot be written to" in result.stderr


def test_the_plain_template_compiles(tmp_path):
    """The first files work as they are."""
    sre("init", "-o", tmp_path)
    assert sre("generate", tmp_path / "fleet.yaml", "-o", tmp_path / "out").exit_code == 0
    assert yaml.safe_load((tmp_path / "pipeline.yaml").read_text())["jobs"]
