"""Draw the page of a week of known states as `docs/idle.png`, in headless Chromium.

No server is asked: the states are the truth of `sre/simulate/standing.py`, so that the picture is made in seconds.
"""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from sre.finance.costs import load_text
from sre.fleet import Fleet
from sre.idle.loads import Before, Context, PoolLoad
from sre.idle.observed import Observed, Seat
from sre.idle.page import page
from sre.idle.prices import Prices
from sre.idle.settling import settle
from sre.idle.told import Told, tell_of
from sre.idle.windows import Window, windows
from sre.simulate.cast import BUSY, LEFT_OUT, UNDERUSED
from sre.simulate.courses import DAY
from sre.simulate.standing import Stage, stage

PICTURE = Path(__file__).parents[2] / "docs" / "idle.png"
START = int(datetime(2026, 10, 11, 22, tzinfo=UTC).timestamp())
DAYS = 7
COSTS = b"""
version: 1
currency: EUR
timezone: Europe/Berlin
gpus:
  chat: [{from: 2026-01-01, gpus: 6, rented: {per_gpu_hour: "2.52"}}]
  agents: [{from: 2026-01-01, gpus: 4, rented: {per_gpu_hour: "2.52"}}]
  search: [{from: 2026-01-01, gpus: 3, owned: {purchase: "24000.00", months: 48}}]
  extract: [{from: 2026-01-01, gpus: 2, owned: {purchase: "16000.00", months: 48}}]
  slices: [{from: 2026-01-01, gpus: 2, rented: {per_gpu_hour: "1.10"}}]
rate_card: {default: {uncached_input: "1", cached_input: "0.1", cache_write: "1.25", output: "4", reasoning: "4"}}
"""
_SIZE = "1180,1900"


def told() -> Told:
    """The report of the week."""
    staged = stage(START, DAYS * DAY // 60)
    fleet = Fleet.model_validate(staged.fleet)
    period = windows(START, START + DAYS * DAY, fleet.zone)
    costs, _ = load_text("costs.yaml", COSTS)
    ledger = settle(fleet, _observed(staged, period))
    loads = {pool.name: PoolLoad(work=_work(staged, pool.name, period)) for pool in fleet.pools}
    before = Before({"": ledger.declared * len(period) * 4}, 1.0)
    return tell_of(fleet, ledger, period, Context(loads, before), Prices(costs, fleet))


def _observed(staged: Stage, period: tuple[Window, ...]) -> Observed:
    found = Observed(window.minutes for window in period)
    pools = {pool["name"] for pool in staged.fleet["pools"]}  # type: ignore[attr-defined]
    for card in staged.cards:
        pool = card.replica.rpartition("-")[0]
        seat = Seat(card.uuid, card.mig, pool if pool in pools else "", f"llm/{card.replica}")
        labels = {"gpu": "0", "gpu_model": card.model, "host": f"node-{card.node}", "evidence": "activity"}
        for number, window in enumerate(period):
            first = (window.start - staged.start) // 60
            for state, minutes in Counter(card.truth[first : first + window.minutes]).items():
                reason = {} if state != LEFT_OUT else {"evidence": "young" if pool in pools else "burn_in"}
                found.add(seat, {**labels, "state": state, **reason}, [(number, minutes)])
    return found


def _work(staged: Stage, pool: str, period: tuple[Window, ...]) -> tuple[float, ...]:
    cards = [card for card in staged.cards if card.replica.rpartition("-")[0] == pool]
    shares = {BUSY: 0.6, UNDERUSED: 0.08}
    return tuple(
        max(
            sum(shares.get(card.truth[minute], 0.0) for card in cards)
            for minute in range((window.start - staged.start) // 60, (window.end - staged.start) // 60)
        )
        for window in period
    )


def main() -> None:
    """Draw it."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("Chromium is not on PATH: `apt-get install --no-install-recommends chromium` brings it.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page(told()), encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                   f"--user-data-dir={folder}", f"--window-size={_SIZE}",
                   f"--screenshot={PICTURE}", file.as_uri()]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
