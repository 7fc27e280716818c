"""How fast the exporter counts and shows: records a second of one core, and what a scrape of 100,000 series costs.

Prints, judges nothing. Seconds are those of the processor, so that other programs move ratios little.
"""

import gc
import gzip
import json
import random
import time
from collections.abc import Callable, Sequence

from sre.usage.accounts import Accounts
from sre.usage.formats import load_format
from sre.usage.identity import Identity
from sre.usage.intake import Intake, Route
from sre.usage.keys import hash_key

TEAMS = tuple(f"team-{n}" for n in range(40))
MODELS = tuple(f"model-{n}" for n in range(12))
LINES, BATCH = 40_000, 2_000
ROUNDS = 5


def usage(number: int, draw: random.Random) -> dict[str, object]:
    """The record itself, padded to 0.9 kB by fields that nothing reads."""
    tokens = {
        "uncached_input": draw.randrange(4000),
        "cached_input": 400,
        "cache_write": 0,
        "output": draw.randrange(900),
    }
    return {
        "id": f"r-{number}", "time": "2026-10-01T08:00:00.250Z", "team": draw.choice(TEAMS), "pool": "chat-70b",
        "model": draw.choice(MODELS), "requested_model": "llama", "tokens": tokens, "ttft_seconds": draw.random(),
        "duration_seconds": 9 * draw.random(), "finish_reason": "stop", "outcome": "success", "note": "x" * 520,
    }  # fmt: skip


def litellm(number: int, draw: random.Random) -> dict[str, object]:
    """A payload of 11 kB, nearly all of it messages and the response."""
    messages = [{"role": "user", "content": "word " * 800}]
    response = {"choices": [{"finish_reason": "stop", "message": {"content": "token " * 1000}}]}
    metadata = {
        "user_api_key_hash": f"{draw.randrange(1 << 200):064x}",
        "user_api_key_team_alias": draw.choice(TEAMS),
    }
    return {
        "id": f"c-{number}", "status": "success", "messages": messages, "response": response, "metadata": metadata,
        "model_group": draw.choice(MODELS), "model": "hosted", "startTime": 1.79e9, "endTime": 1.79e9 + draw.random(),
        "prompt_tokens": draw.randrange(4000), "completion_tokens": draw.randrange(900),
    }  # fmt: skip


def best(work: Callable[[], object]) -> float:
    """Processor seconds of the fastest of some rounds."""
    return min(_seconds(work) for _ in range(ROUNDS))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def make_intake(teams: Sequence[str] = TEAMS, models: Sequence[str] = MODELS) -> Intake:
    keys = {hash_key(f"key-{n}", bytes(16)): teams[0] for n in range(200)}
    return Intake(Identity(teams, keys), Accounts(teams, models), ["bench"], time.time)


def lines_of(make: Callable[[int, random.Random], dict[str, object]], count: int) -> list[bytes]:
    draw = random.Random(1)  # noqa: S311  (the same lines on every run)
    return [json.dumps(make(number, draw), separators=(",", ":")).encode() for number in range(count)]


def tell_rates(name: str, lines: list[bytes]) -> None:
    """Decoding alone, then everything: decode, identify, count; from a log, and from a posted body without repeats."""
    route = Route("bench", load_format(name))
    decode, intake = route.format.decode, make_intake()
    alone = best(lambda: [None for line in lines if decode(line) is None])
    whole = best(lambda: intake.take(route, lines))
    body = b"[" + b",".join(lines) + b"]"
    posted = min(
        _seconds(lambda: make_intake().take_body(route, body)) - _seconds(make_intake) for _ in range(ROUNDS)
    )
    size = sum(map(len, lines)) / len(lines)
    print(f"{name}, {size / 1000:.1f} kB a record")
    print(f"  decoded alone        {len(lines) / alone:10,.0f} records/s")
    print(
        f"  counted from a log   {len(lines) / whole:10,.0f} records/s   {alone / whole:.0%} of decoding alone"
    )
    print(
        f"  counted from a body  {len(lines) / posted:10,.0f} records/s   {alone / posted:.0%} of decoding alone"
    )


def tell_exposition(lines: list[bytes]) -> None:
    """A page of 100,000 series, and counting while one is made each second."""
    teams, models = tuple(f"team-{n}" for n in range(242)), tuple(f"model-{n}" for n in range(18))
    intake, route = make_intake(teams, models), Route("bench", load_format("usage"))
    intake.take(route, lines)
    page = intake.expose()
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    shown, packed, saved = best(intake.expose), best(lambda: gzip.compress(page, 1)), best(intake.snapshot)
    print(f"{series:,} series, {len(page) / 1e6:.1f} MB")
    print(f"  a page takes {shown * 1000:.0f} ms, a snapshot {saved * 1000:.0f} ms")
    print(f"  it is packed in {packed * 1000:.0f} ms, beside the counting")
    bare, scraped = (_rate(intake, route, lines, every) for every in (0.0, 1.0))
    print(f"  counting with a scrape each second goes on at {scraped / bare:.0%} of its rate")


def _rate(intake: Intake, route: Route, lines: list[bytes], every: float, seconds: float = 4.0) -> float:
    """Records in a processor second, with a page made after every so many of them."""
    begun = last = time.process_time()
    done = 0
    while (now := time.process_time()) - begun < seconds:
        at = done % len(lines)
        intake.take(route, lines[at : at + BATCH])
        done += BATCH
        if every and now - last >= every:
            last = now
            intake.expose()
    return done / (time.process_time() - begun)


def main() -> None:
    # As every command of `sre` has it.
    gc.set_threshold(100_000, 50, 100)
    short = lines_of(usage, LINES)
    tell_rates("usage", short)
    tell_rates("litellm", lines_of(litellm, LINES // 8))
    tell_exposition(short)


if __name__ == "__main__":
    main()
