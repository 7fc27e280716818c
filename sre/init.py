"""The first files of a fleet: a commented fleet file, its JSON Schema and a pipeline snippet, as text."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from sre import __version__
from sre.fleet.models import Fleet

SCHEMA_FILE = "fleet.schema.json"
"""Where the fleet file's first line tells editors to look."""


@dataclass(frozen=True)
class FoundPool:
    """What is known of one pool; None where nothing said so, which leaves a question in the file.

    ``sure`` says how the version is known, where it is not certain; it becomes a comment.
    """

    name: str
    engine: str
    version: str | None = None
    model: str | None = None
    gpu_type: str | None = None
    gpus_per_replica: int | None = None
    replicas: int | None = None
    memory_budget: str | None = None
    sure: str = ""


@dataclass(frozen=True)
class FoundExporter:
    """What is known of the exporter of GPU metrics; ``sure`` as for a pool."""

    kind: str
    version: str | None = None
    honor_labels: bool = False
    counters: str = "image"
    sure: str = ""


@dataclass(frozen=True)
class Discovered:
    """What a fleet file is written from: a live server's answers, or the template's one pool."""

    pools: tuple[FoundPool, ...]
    gpu_exporter: FoundExporter | None = None
    name: str = "my-fleet"
    pool_label: str = "job"
    identity: str = "kubernetes"
    scrape_interval: str | None = None
    evaluation_interval: str | None = None


def fleet_template() -> str:
    """A fleet file to begin with: valid as it is, every key there or in a comment."""
    pool = FoundPool("chat-70b", "vllm", "0.32.0", "llama-3.3-70b", "h100-sxm-80gb", 2, 4)
    return render_fleet(Discovered((pool,), FoundExporter("dcgm", "4.8.2")))


def render_fleet(found: Discovered) -> str:
    """The commented fleet file. Where something is not known it says ``null``, which ``load`` asks about."""
    parts = [
        _HEAD.format(
            schema=SCHEMA_FILE,
            name=_quoted(found.name),
            pool_label=_quoted(found.pool_label),
            identity=_quoted(found.identity),
            interval=_intervals(found),
        ),
        *_exporter(found.gpu_exporter),
        _LINKS,
        "pools:\n",
        *(_pool(pool) for pool in found.pools),
        _TAIL,
    ]
    return "".join(parts)


def json_schema() -> str:
    """JSON Schema (draft 2020-12) of the fleet file: every key is described, unknown ones are refused."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Fleet.model_json_schema(),
        "title": "The fleet file of inference-sre",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def pipeline_snippet(fleet: str = "fleet.yaml", out: str = "out") -> str:
    """A GitHub Actions job, and in its comment plain shell, that fails where ``out`` is stale."""
    return _PIPELINE.format(fleet=fleet, out=out, version=__version__)


def _exporter(found: FoundExporter | None) -> Iterator[str]:
    if not found:
        yield _NO_EXPORTER
        return
    yield "gpu_exporter:                          # without it, the GPU alerts are blind\n"
    yield f"  kind: {_quoted(found.kind)}\n"
    yield _version("  ", found.version, found.sure)
    honor = _quoted(found.honor_labels)
    yield f"  honor_labels: {honor:<22} # as in the scrape job: is it pod or exported_pod\n"
    yield _COUNTERS.format(counters=_quoted(found.counters))


def _intervals(found: Discovered) -> str:
    given = {"scrape_interval": found.scrape_interval, "evaluation_interval": found.evaluation_interval}
    return "\n".join(f"{name}: {_quoted(one)}" if one else f"# {name}: 30s" for name, one in given.items())


def _version(indent: str, version: str | None, sure: str = "") -> str:
    if version is None:
        return f"{indent}version: null                        # not exported: write the release that runs\n"
    return f"{indent}version: {_quoted(version)}{_comment(sure)}\n"


def _comment(text: str) -> str:
    """On the same line, and only there: what a server said must not begin another."""
    return "  # " + "".join(c if c.isprintable() else " " for c in text) if text else ""


def _pool(pool: FoundPool) -> str:
    lines = [
        f"  - name: {_quoted(pool.name)}\n",
        "    engine:\n",
        f"      kind: {_quoted(pool.engine)}\n",
        _version("      ", pool.version, pool.sure),
    ]
    if pool.model is not None:
        lines.append(f"    model: {_quoted(pool.model)}\n")
    lines.append(
        "    owner: platform                    # who is paged: the `team` label of the pool's alerts\n"
    )
    lines.append(_gpus(pool))
    return "".join(lines) + _BUDGET[pool.memory_budget is None].format(pool.memory_budget) + _POOL_REST


def _gpus(pool: FoundPool) -> str:
    if pool.gpu_type is None:
        return "    # gpus: {type: l40s-48gb, per_replica: 1, replicas: 2}\n"
    replicas = _quoted(pool.replicas) + (
        "" if pool.replicas else "                   # how many are declared?"
    )
    return (
        "    gpus:\n"
        f"      type: {_quoted(pool.gpu_type)}\n"
        f"      per_replica: {pool.gpus_per_replica or 1}\n"
        f"      replicas: {replicas}\n"
        "      # replicas: {min: 2, max: 6}       # where the pool scales\n"
        "      # match: {hostname: gpu-7}         # where the series of pods or hosts do not join\n"
    )


def _quoted(value: str | bool | int | None) -> str:
    """One value as YAML on one line; without quotes only where it is a word that every YAML takes as text."""
    if not isinstance(value, str):
        return json.dumps(value)
    if re.fullmatch(r"[a-z][a-z0-9.-]*", value) and value not in _NO_TEXT:
        return value
    return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=float("inf")).rstrip("\n")


_NO_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that YAML 1.1 or 1.2 reads as something else."""

_HEAD = """\
# yaml-language-server: $schema={schema}
# Your fleet: `sre generate fleet.yaml -o out` compiles it into alerts, routes, dashboards and runbooks.
# Only `version`, `name` and one pool are required; a key that is not known is an error with a suggestion.
version: 1
name: {name}
timezone: UTC                          # IANA name, such as Europe/Berlin: business hours follow it
business_hours:
  days: [mon, tue, wed, thu, fri]
  start: "08:00"
  end: "18:00"
  holidays: []                         # dates without business hours: [2026-12-25, 2027-01-01]
# holidays: ./holidays.ics             # or an iCalendar file of them

pool_label: {pool_label}                        # the target label whose value is the pool's name
identity: {identity}                   # what engine and GPU series share: kubernetes (namespace, pod) or host
{interval}

"""

_NO_EXPORTER = """\
# Without an exporter of GPU metrics, the GPU alerts are blind.
# gpu_exporter: {kind: dcgm, version: "4.8.2", honor_labels: false, counters: image}
"""

_COUNTERS = "  counters: {counters:<26} # the counter list in use: image, chart, or the path of a CSV\n"

_LINKS = """\
# usage_exporter: {job: sre-exporter}  # the job that scrapes `sre exporter`: usage by team, and errors by type
# catalogue: ./llm-content             # your own rules/, runbooks/, dashboards/, exporters/
# receivers: ./receivers.yaml          # who is told; without it, nobody is. That file holds these four, as Alertmanager
#   receivers:                         # reads them, and where a team has its own, <team>-page, -ticket and -info:
#     - {name: page, pagerduty_configs: [{routing_key_file: /etc/alertmanager/secrets/pagerduty}]}
#     - {name: ticket, webhook_configs: [{url: https://tickets.example.com/alertmanager}]}
#     - {name: info}                   # shown by Alertmanager, sent to nobody
#     - {name: watchdog, webhook_configs: [{url: https://deadmansswitch.example.com/llm}]}
# capacity: {h100-sxm-80gb: 16}        # cards that exist, where more exist than pools declare
# burn_in: [cw-hpc-verification]        # namespaces in which cards are tested: never called idle
# runbook_base_url: https://runbooks.example.com/llm
# grafana_base_url: https://grafana.example.com

"""

_BUDGET = (
    "    memory_budget: {}                # what its engines say that they reserve\n",
    "    # memory_budget: 0.90              # the engine's own reservation (vLLM: --gpu-memory-utilization)\n",
)
"""Known, and not known."""

_POOL_REST = """\
    # objectives: {ttft_p95: 500ms, itl_p95: 80ms, e2e_p99: 10s}
    # thresholds: {queue_depth: 50}    # operational limits; the catalogue's hold where this is silent
    # interactive: false               # batch: business hours and default objectives do not apply
    # min_replicas: 2                  # kept for availability; where `gpus` is silent, fewer is an outage
"""

_TAIL = """\

# The teams that pay: the only names that become values of usage labels.
# teams:
#   - {name: search, contact: "#search-oncall"}
"""

_PIPELINE = """\
# Keeps what was generated in step with {fleet}. GitHub reads it from .github/workflows/ only: move it there, and set
# INFERENCE_SRE below. As plain shell, in any pipeline:
#
#   pip install "$INFERENCE_SRE"
#   sre generate {fleet} -o {out} --check    # 1: {out} is stale (with a diff), 2: {fleet} is wrong
#   promtool check rules {out}/prometheus/*.rules.yaml    # with --target operator: {out}/proofs/rules/*.rules.yaml
#   promtool test rules {out}/proofs/*.test.yaml
#   amtool check-config {out}/alertmanager/alertmanager.yaml
name: alerts
on:
  pull_request:
  push:
    branches: [main]
permissions:
  contents: read
env:
  # Your own copy at one tag or commit: an address of git, a wheel, or a folder of this repository. A bare name would
  # ask the public index, where somebody else may own it.
  INFERENCE_SRE: git+https://git.example.com/your-team/inference-sre@v{version}
jobs:
  generate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install "$INFERENCE_SRE"
      - run: sre generate {fleet} -o {out} --check
      - run: sudo apt-get update
      - run: sudo apt-get install --yes --no-install-recommends prometheus prometheus-alertmanager
      - run: promtool check rules {out}/prometheus/*.rules.yaml
      - run: promtool test rules {out}/proofs/*.test.yaml
      - run: amtool check-config {out}/alertmanager/alertmanager.yaml
"""
