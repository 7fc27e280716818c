"""Lay the queueing model beside a measured server: the table and the picture of docs/calibration.md.

python tools/calibrate/compare.py            writes both anew from tests/fixtures/calibration
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from picture import Panel, draw
from replay import QUANTILES, Figures, replay

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests/fixtures/calibration/vllm-0.32.0-cpu.json"
PAGE, PICTURE = ROOT / "docs/calibration.md", ROOT / "docs/calibration.svg"
BEGIN, END = "<!-- tools/calibrate/compare.py writes from here -->", "<!-- to here -->"
TITLES = {"batch": "Limited by the batch (8 requests)", "kv": "Limited by the KV cache"}


def main() -> None:
    page, picture = made()
    PAGE.write_text(page, encoding="utf-8")
    PICTURE.write_text(picture, encoding="utf-8")


def made() -> tuple[str, str]:
    """Text of the page, with its tables anew, and of the picture."""
    cases = json.loads(FIXTURE.read_text(encoding="utf-8"))["cases"]
    said = {name: [replay(case, plateau) for plateau in case["plateaus"]] for name, case in cases.items()}
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    tables = "\n".join(line for name, case in cases.items() for line in table(name, case, said[name]))
    return f"{before}{BEGIN}\n{tables}\n{END}{rest.partition(END)[2]}", draw_cases(cases, said)


def table(name: str, case: dict[str, Any], said: list[Figures]) -> Iterator[str]:
    """Measured / model, plateau by plateau."""
    yield f"\n### {TITLES[name]}\n"
    yield "| offered | requests | waiting | running | KV usage | TTFT p50 | p95 | p99 | preempted |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for plateau, model in zip(case["plateaus"], said, strict=True):
        real, first = plateau["mean"], model.quantiles
        cells = [
            f"{plateau['share']:.0%}",
            str(len(plateau["requests"]["at"])),
            f"{real['waiting']:.1f} / {model.mean['waiting']:.1f}",
            f"{real['running']:.1f} / {model.mean['running']:.1f}",
            f"{real['kv_usage']:.0%} / {model.mean['kv_usage']:.0%}",
            *(f"{plateau['ttft'][q]:.2f} s / {first[q]:.2f} s" for q in QUANTILES),
            f"{plateau['preemptions']} / {model.preemptions}",
        ]
        yield f"| {' | '.join(cells)} |"


def draw_cases(cases: dict[str, Any], said: dict[str, list[Figures]]) -> str:
    rows = []
    for name, case in cases.items():
        last, title = case["plateaus"][-1], TITLES[name]
        rows += [
            (
                f"{title}: means over a plateau, by the share of capacity that is offered",
                _by_load(case, said[name]),
            ),
            (
                f"{title}: the plateau of {last['share']:.0%}, second by second",
                _by_second(last, said[name][-1]),
            ),
        ]
    return draw("A real vLLM 0.32.0 and the queueing model, under the same arrivals", rows)


def _by_load(case: dict[str, Any], said: list[Figures]) -> list[Panel]:
    across = "offered / capacity"
    shares = [plateau["share"] for plateau in case["plateaus"]]

    def pair(gauge: str) -> list[tuple[str, list[tuple[float, float]], list[tuple[float, float]]]]:
        real = [plateau["mean"][gauge] for plateau in case["plateaus"]]
        model = [figures.mean[gauge] for figures in said]
        return [("", list(zip(shares, real, strict=True)), list(zip(shares, model, strict=True)))]

    first = [
        (
            q,
            [(plateau["share"], plateau["ttft"][q]) for plateau in case["plateaus"]],
            [(share, figures.quantiles[q]) for share, figures in zip(shares, said, strict=True)],
        )
        for q in QUANTILES
    ]
    return [
        Panel("waiting", across, pair("waiting")),
        Panel("running", across, pair("running")),
        Panel("KV usage", across, pair("kv_usage"), 1.0),
        Panel("TTFT, seconds", across, first),
    ]


def _by_second(plateau: dict[str, Any], model: Figures) -> list[Panel]:
    across = "second"
    return [
        Panel(
            title,
            across,
            [
                (
                    "",
                    list(enumerate(plateau["each_second"][gauge], 1)),
                    list(enumerate(model.each_second[gauge], 1)),
                )
            ],
            top,
            dots=False,
        )
        for title, gauge, top in (
            ("waiting", "waiting", None),
            ("running", "running", None),
            ("KV usage", "kv_usage", 1.0),
        )
    ]


if __name__ == "__main__":
    main()
