"""`sre simulate`: a fleet that does not exist, behind real /metrics pages."""

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre.cli.inputs import read_inputs
from sre.cli.report import exits, plain, report
from sre.compile.counted import count
from sre.compile.planning import make_plan
from sre.findings import Finding

if TYPE_CHECKING:
    from sre.lab.world import World


@click.command()
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option("--faults", type=click.Path(path_type=Path), metavar="FILE",
              help="What goes wrong: a YAML list of {fault, pool, at, for}.")  # fmt: skip
@click.option("--trace", type=click.Path(path_type=Path), metavar="FILE",
              help="Real requests to replay in every pool, again and again: CSV with TIMESTAMP, ContextTokens and "
                   "GeneratedTokens, or JSON Lines with timestamp, input_length and output_length; gzipped or "
                   "not.")  # fmt: skip
@click.option("--demand", type=click.Choice(["flat", "week"]), default="flat", show_default=True,
              help="The same all the time, or with days, nights, weekends and bursts.")  # fmt: skip
@click.option("--speed", type=click.FloatRange(min=0, min_open=True, max=3600), default=1.0, show_default=True,
              help="Simulated seconds per second: every counter grows so many times as fast, and faults come and "
                   "go so many times as early; gauges and latencies stay what they are.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same fleet.")
@click.option("--port", type=click.IntRange(0, 65535), default=9790, show_default=True,
              help="On loopback; 0 is any free one.")  # fmt: skip
@click.option("--catalogue", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of your own content over the built-in one.")  # fmt: skip
@exits
def simulate(
    fleet: Path, faults: Path | None, trace: Path | None, demand: str, speed: float, seed: int, port: int,
    catalogue: Path | None,
) -> None:  # fmt: skip
    """Serve the /metrics of every engine replica and GPU exporter that FLEET declares, until it is interrupted.

    Behind the pages stands a queueing model of each replica, and cards that follow its work. A page has the names,
    labels, types and buckets of its release, of every metric that the catalogue knows: others of a real page are not
    there, and GPU counters that one line of the exporter's list switches on are.
    """
    inputs = read_inputs(fleet, catalogue)
    # Imported late: a broken fleet file should be told at once.
    from sre.lab.opening import open_world
    from sre.lab.pacing import Pacing, keep
    from sre.lab.pages import serve

    plan, now = make_plan(inputs.fleet, inputs.catalogue, inputs.listed), datetime.now(inputs.fleet.zone)
    monday = _since_monday(now) if demand == "week" else None
    world, warnings = open_world(plan, faults, trace, monday, seed, now.timestamp(), speed)
    report([*inputs.warnings, *warnings], [pool.name for pool in inputs.fleet.pools])
    pacing = Pacing.of(int(inputs.fleet.scrape_interval), speed)
    # Whoever asks first finds something.
    world.step(pacing.step)
    with serve(world.page, port) as world.url:
        _tell(world, speed)
        keep(pacing, world.step, _late, time.monotonic, time.sleep)


def _since_monday(now: datetime) -> float:
    return timedelta(now.weekday(), now.second, 0, 0, now.minute, now.hour).total_seconds()


def _tell(world: "World", speed: float) -> None:
    """Where to look, and with what."""
    pools, replicas = len(world.pools), sum(len(pool.seats) for pool in world.pools)
    cards = sum(len(pool.seats) * pool.cards for pool in world.pools)
    pace = "" if speed == 1 else f", {speed:g} s in each second"
    what = f"{count(pools, 'pool')}, {count(replicas, 'replica')}, {count(cards, 'card')}"
    page = next(path for path in world.paths if path.startswith("/replica/"))
    click.echo(f"{plain(world.fleet.name)}: {what}{pace}")
    click.echo(f"  a page      {world.url}{page}")
    click.echo(f"  every page  {world.url}/")
    click.echo(f"  targets     {world.url}/targets")
    click.echo(f"  Prometheus  curl -so prometheus.yaml {world.url}/prometheus.yaml")
    click.echo("              prometheus --config.file=prometheus.yaml")
    click.echo("Ctrl-C ends it.")
    # A pipe would hold it back until the end.
    sys.stdout.flush()


def _late(seconds: float) -> None:
    what = f"the simulation is {seconds:.0f} s behind its clock, and may fall further behind"
    why, fix = (
        "this machine computes fewer steps than are asked for",
        "give a smaller --speed, or fewer replicas",
    )
    report([Finding("simulate", what, why, fix, "warning")])
