"""How fast a fleet of 1,000 replicas and 2,000 GPUs is simulated and scraped on one core: prints, judges nothing."""

import time
from collections.abc import Callable
from pathlib import Path

from sre import content
from sre.catalogue.load import load
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.compile.stand_in import StandIn
from sre.fleet.reader import load_text
from sre.lab.opening import open_world
from sre.lab.world import World
from sre.simulate.engine import run_engine
from sre.simulate.gpu import run_card
from sre.simulate.pool import Shape
from sre.simulate.replica import Flows
from sre.simulate.story import Stretch

POOLS, REPLICAS, CARDS, INTERVAL = 10, 100, 2, 15
SCRAPES = 3


def fleet() -> str:
    """Return a fleet file with pools of different promises."""
    head = (
        f"version: 1\nname: bench\nscrape_interval: {INTERVAL}s\n"
        'gpu_exporter: {kind: dcgm, version: "4.8.2"}\npools:\n'
    )
    return head + "".join(
        f"  - name: pool-{number}\n"
        f'    engine: {{kind: vllm, version: "0.32.0"}}\n'
        f"    gpus: {{type: h100, per_replica: {CARDS}, replicas: {REPLICAS}}}\n"
        f"    objectives: {{ttft_p95: {400 + 50 * number}ms, e2e_p99: {8 + number}s}}\n"
        for number in range(POOLS)
    )


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds that it takes."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def scrape(world: World) -> int:
    """Ask for every page; return the bytes of all."""
    pages = [world.page(path) for path in world.paths if path.endswith("/metrics")]
    return sum(len(page.body) for page in pages if page)


def fluid(plan: Plan) -> None:
    """Let the fluid do the same, replica by replica; it usually computes those that are alike once."""
    for pool in plan.fleet.pools:
        stand_in = StandIn(plan, pool)
        shape = Shape(REPLICAS, CARDS, stand_in.thresholds, stand_in.bounds, INTERVAL)
        for _ in range(REPLICAS):
            stretches = (Stretch(SCRAPES, shape.usual),)
            engine = run_engine(stretches, Flows(shape.usual, shape.bounds, INTERVAL), INTERVAL)
            for _ in range(CARDS):
                run_card(stretches, engine.work, INTERVAL)


def served(world: World, step: int) -> int:
    """Let the queueing fleet be served for the same time in such steps, with a scrape of every page an interval."""
    size = 0
    for _ in range(SCRAPES):
        for _ in range(INTERVAL // step):
            world.step(step)
        size = scrape(world)
    return size


def main() -> None:
    """Measure and print."""
    catalogue = load(content.root())
    plan = make_plan(load_text("bench", fleet().encode(), Path())[0], catalogue)
    worlds = list[World]()
    begun = seconds(lambda: worlds.append(open_world(plan)[0]))
    world = worlds[0]
    replicas, cards = POOLS * REPLICAS, POOLS * REPLICAS * CARDS
    rate = sum(s.replica.signals["ttft_count", ()] for p in world.pools for s in p.seats)
    world.step(INTERVAL)
    rate = sum(s.replica.signals["ttft_count", ()] for p in world.pools for s in p.seats) - rate
    print(
        f"{replicas} replicas and {cards} GPUs, {rate / INTERVAL:.0f} requests per second, scraped every {INTERVAL} s"
    )
    print(f"{'':32}{'CPU s per scrape':>18}{'simulated s per CPU s':>24}")
    for what, work in (
        ("fluid, no pages", lambda: fluid(plan)),
        (f"queueing, steps of {INTERVAL} s, pages", lambda: served(world, INTERVAL)),
        ("queueing, steps of 1 s, pages", lambda: served(world, 1)),
    ):
        spent = seconds(work)
        print(f"{what:32}{spent / SCRAPES:>18.2f}{SCRAPES * INTERVAL / spent:>24.1f}")
    print(
        f"\nThe queueing fleet begins in {begun:.1f} s, and answers a scrape with {scrape(world) / 1e6:.1f} MB in all."
    )


if __name__ == "__main__":
    main()
