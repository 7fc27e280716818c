"""`sre chargeback`: from gateway records to a month that is closed, checked, explained and corrected."""

import csv
import gzip
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from sre.books.closing import closed_bills
from sre.cli import main

COSTS = """\
version: 1
currency: EUR
timezone: Europe/Berlin
gpus:
  chat-70b:
    - {from: 2026-01-01, gpus: 8, rented: {per_gpu_hour: "2.52", hours: real}}
  extract-8b:
    - {from: 2026-01-01, gpus: 2, owned: {purchase: "52000.00", months: 48}}
fixed:
  - {name: operations, per_month: "3250.00"}
  - {name: monitoring, per_month: "650.00"}
rate_card:
  default: {uncached_input: "1", cached_input: "0.1", cache_write: "1.25", output: "4", reasoning: "4"}
invoice: {id: INV-2026-10, issuer: Example Cloud GmbH, total: null}
"""


def record(number: int, **more) -> dict:
    return {
        "id": f"r-{number:04}", "time": "2026-10-01T08:00:00.250Z", "team": "search", "model": "llama-3.3-70b",
        "pool": "chat-70b", "tokens": {"uncached_input": 820, "cached_input": 400, "output": 180}, "outcome": "success",
        **more,
    }  # fmt: skip


RECORDS = [
    record(1), record(2, team="support", tokens={"uncached_input": 64}, outcome="error", error_type="oom"),
    record(3, team=None, model="mistral-small-24b", pool="extract-8b", tokens={"uncached_input": 3000, "output": 12}),
    record(4, time="2026-10-31T23:59:59+01:00"), record(5, time="2026-10-01T00:00:00+02:00"),
]  # fmt: skip


def lines(*records: object) -> bytes:
    return b"".join(
        json.dumps(one).encode() + b"\n" if not isinstance(one, bytes) else one + b"\n" for one in records
    )


class Desk:
    """A folder with a cost file, where commands are run as their users run them."""

    def __init__(self, folder: Path, costs: str = COSTS) -> None:
        self.folder = folder
        self.put("costs.yaml", costs.encode())

    def put(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def run(self, *arguments: object, expect: int = 0) -> Result:
        done = CliRunner().invoke(main, ["chargeback", *map(str, arguments)])
        assert done.exit_code == expect, f"{done.output}\n{done.exception!r}"
        return done

    def build(self, *arguments: object, into: str = "out", month: str = "2026-10", expect: int = 0) -> Result:
        return self.run("build", "--month", month, "--costs", self.folder / "costs.yaml", "-o", self.folder / into,
                        *arguments, expect=expect)  # fmt: skip

    def read(self, name: str = "out/chargeback.csv") -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((self.folder / name).read_bytes().decode(), newline="")))

    def manifest(self, folder: str = "out") -> dict:
        return json.loads((self.folder / folder / "manifest.json").read_text())

    def files(self, folder: str = "out") -> dict[str, bytes]:
        root = self.folder / folder
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_month_from_records(desk):
    """The contract: total, currency, columns, special teams, and quantities that add up by team."""
    done = desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)))
    rows, manifest = desk.read(), desk.manifest()
    assert manifest["total"] == "20002.53"
    assert manifest["currency"] == "EUR"
    assert manifest["rows"] == len(rows) == 9
    assert sum(round(float(row["cost"]) * 100) for row in rows) == 2000253
    assert {row["team"] for row in rows} == {"search", "support", "__untagged__"}
    assert sum(int(row["requests"]) for row in rows if row["team"] == "search") == 3
    assert sum(int(row["output_tokens"]) for row in rows if row["team"] == "search") == 3 * 180
    assert sum(int(row["successful_requests"]) for row in rows) == 4
    assert "idleness of every pool is not known" in done.stderr
    assert manifest["inputs"]["costs"] == hashlib.sha256(COSTS.encode()).hexdigest()
    assert manifest["inputs"]["usage/u.jsonl"] == hashlib.sha256(lines(*RECORDS)).hexdigest()
    for name, digest in manifest["artefacts"].items():
        assert hashlib.sha256(desk.files()[name]).hexdigest() == digest


def test_the_same_inputs_give_the_same_bytes(desk):
    """In any order of files and lines, as JSON lines, gzipped, or both."""
    one, two = lines(*RECORDS[:2]), lines(*RECORDS[2:])
    desk.build("--usage", desk.put("a.jsonl", one), desk.put("b.jsonl", two), into="x")
    desk.build("--usage", desk.put("b.jsonl", two), "--usage", desk.put("a.jsonl", one), into="y")
    assert desk.files("x") == desk.files("y")
    desk.build("--usage", desk.put("all.jsonl.gz", gzip.compress(lines(*reversed(RECORDS)))), into="z")
    assert desk.files("x")["chargeback.csv"] == desk.files("z")["chargeback.csv"]


def test_parquet_gives_the_same_table(desk):
    """A table with a struct of tokens, or with a column for each class, bills as JSON lines do."""
    path = desk.put("u.jsonl", lines(*RECORDS))
    desk.build("--usage", path, into="json")
    read = duckdb.sql(f"FROM read_json('{path}', format = 'newline_delimited')")
    read.project("* REPLACE (CAST(time AS TIMESTAMPTZ) AS time)").write_parquet(f"{desk.folder}/u.parquet")
    flat = ", ".join(
        f"tokens.{name} AS {name}_tokens" for name in ("uncached_input", "cached_input", "output")
    )
    read.project(f"id, time, team, model, pool, outcome, {flat}").write_parquet(f"{desk.folder}/flat.parquet")
    for name in ("u.parquet", "flat.parquet"):
        desk.build("--usage", desk.folder / name, into=name + ".out")
        assert desk.files(name + ".out")["chargeback.csv"] == desk.files("json")["chargeback.csv"], name


def test_a_folder_of_records_is_read_whole(desk):
    """Every file in it that ends as records do, at any depth; one with brackets in its name too."""
    (desk.folder / "in" / "deep").mkdir(parents=True)
    desk.put("in/a[1].jsonl", lines(*RECORDS[:2]))
    desk.put("in/deep/b*.jsonl.gz", gzip.compress(lines(*RECORDS[2:])))
    desk.put("in/readme.txt", b"no records")
    desk.build("--usage", desk.folder / "in")
    assert desk.manifest()["records"] == 5


def test_the_same_id_counts_once(desk):
    """Within a file and over files; of two records with one id the earlier one counts, in any order of files."""
    twice = record(1, time="2026-10-02T00:00:00Z", tokens={"output": 999_999})
    one, two = desk.put("a.jsonl", lines(*RECORDS, RECORDS[0])), desk.put("b.jsonl", lines(twice, RECORDS[3]))
    desk.build("--usage", one, two)
    assert desk.manifest()["duplicates"] == 3
    assert desk.manifest()["control"]["tokens"] == 3 * 1400 + 64 + 3012
    first = desk.files()["chargeback.csv"]
    desk.build("--usage", two, one)
    assert desk.files()["chargeback.csv"] == first


def test_records_outside_the_month_are_counted_and_left_out(desk):
    """The month is half-open and local: its last second in Berlin belongs to it, the next midnight does not."""
    outside = [record(10, time="2026-11-01T00:00:00+01:00"), record(11, time="2026-09-30T21:59:59.999Z")]
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS, *outside)))
    assert desk.manifest()["outside_month"] == 2
    assert desk.manifest()["control"]["requests"] == 5


BAD = {
    "not_json": b'{"id": "x", "ti',
    "missing": record(20, id=None),
    "wrong_type": record(21, tokens={"output": 1.5}),
    "negative": record(22, tokens={"uncached_input": -1}),
    "not_finite": json.dumps(record(19, tokens={"output": float("nan")})).encode(),
    "too_large": record(23, tokens={"output": 2**60}),
    "cached_exceeds_input": record(24, tokens={"input": 5, "cached_input": 9, "output": 1}),
    "unknown_class": record(25, tokens={"input": 5, "output": 1}),
    "time": record(26, time="2026-10-01T00:00:00"),
    "no_pool": record(27, pool=None),
}


@pytest.mark.parametrize("reason", BAD)
def test_an_invalid_record_is_not_billed_silently(desk, reason):
    """The month is refused, with the number of records by reason; or they are put up with, left out and counted."""
    path = desk.put("u.jsonl", lines(*RECORDS, BAD[reason]))
    done = desk.build("--usage", path, expect=2)
    assert "1 of 6 records cannot be billed" in done.stderr
    assert "nothing was written" in done.stderr
    assert not (desk.folder / "out").exists()
    desk.build("--usage", path, "--max-invalid", "20%")
    assert desk.manifest()["invalid"] == {reason: 1}
    assert desk.manifest()["total"] == "20002.53"


def test_the_first_invalid_records_are_told_with_their_lines(desk):
    """File and line, whatever else is in the file or how it is packed, and what to write instead; five at most."""
    (desk.folder / "in").mkdir()
    strange = lines(
        record(1),
        b"",
        b"  \t",
        b'{"id": "torn',
        record(2),
        BAD["time"],
        BAD["no_pool"],
        record(3, pool="", model="other"),
    )
    desk.put("in/a.jsonl", strange)
    desk.put("in/b.jsonl.gz", gzip.compress(lines(record(4), BAD["cached_exceeds_input"], *[b"no"] * 9)))
    done = desk.build("--usage", desk.folder / "in", expect=2)
    told = [line for line in done.stderr.splitlines() if ": error: " in line and "--usage" not in line]
    assert [line.removeprefix(f"{desk.folder}/in/").split(": error: ") for line in told] == [
        ["a.jsonl:4", "no JSON object, or one without id, time and outcome"],
        ["a.jsonl:6", "a time without zone or none"],
        ["a.jsonl:7", "no pool, and none known for the model: 'llama-3.3-70b'"],
        ["a.jsonl:8", "no pool, and none known for the model: 'other'"],
        ["b.jsonl.gz:2", "cached tokens above the input"],
    ]
    assert "2026-10-01T08:00:00Z" in done.stderr
    assert "14 of 17 records" in done.stderr


def test_a_record_of_another_month_is_not_told_as_invalid(desk):
    """What the month does not bill needs no pool."""
    other = record(1, pool=None, model="x", time="2026-09-01T00:00:00Z")
    done = desk.build("--usage", desk.put("u.jsonl", lines(other, record(2, pool=None))), expect=2)
    assert "u.jsonl:2: error" in done.stderr
    assert "u.jsonl:1: error" not in done.stderr


def test_a_line_is_told_where_a_model_has_no_weights(desk):
    """Without a default in the rate card, by the record that names the model."""
    desk.put("costs.yaml", COSTS.replace("  default:", "  mistral-small-24b:").encode())
    done = desk.build("--usage", desk.put("u.jsonl", lines(RECORDS[2], RECORDS[0])), expect=2)
    assert "u.jsonl:2: error: a model that is not known: 'llama-3.3-70b'" in done.stderr


def test_text_in_the_place_of_a_number_is_not_zero(desk):
    """A class that is there and no number makes the record invalid, though the others are fine."""
    desk.build(
        "--usage",
        desk.put("u.jsonl", lines(record(1, tokens={"uncached_input": 5, "output": "many"}))),
        expect=2,
    )


def test_a_negative_duration_is_dropped_alone(desk):
    """The record still counts."""
    desk.build(
        "--usage", desk.put("u.jsonl", lines(*RECORDS, record(9, duration_seconds=-1, ttft_seconds=-5)))
    )
    assert desk.manifest()["invalid"] == {}


def test_a_model_that_the_rate_card_does_not_know(desk):
    """Without a default its records are invalid, by that reason."""
    desk.put("costs.yaml", COSTS.replace("  default:", "  llama-3.3-70b:").encode())
    done = desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)), expect=2)
    assert "a model that is not known: 1" in done.stderr


def test_a_failed_request_without_model_and_tokens_counts(desk):
    """It costs nothing and stands on a row of its own."""
    bare = {"id": "e", "time": "2026-10-03T00:00:00Z", "outcome": "error"}
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS, bare)))
    rows = [row for row in desk.read() if not row["pool"]]
    assert [(row["team"], row["cost"], row["requests"]) for row in rows] == [("__untagged__", "0.00", "1")]


def test_the_fleet_file_knows_pools_and_models(desk):
    """A record without a pool goes to the only pool of its model; a typing error in the cost file is found."""
    fleet = "version: 1\nname: f\npools:\n" + "".join(
        f"  - {{name: {pool}, model: {model}, engine: {{kind: vllm, version: '0.32.0'}}}}\n"
        for pool, model in (("chat-70b", "llama-3.3-70b"), ("extract-8b", "mistral-small-24b"))
    )
    path, usage = desk.put("fleet.yaml", fleet.encode()), desk.put("u.jsonl", lines(record(1, pool=None)))
    desk.build("--usage", usage, "--fleet", path)
    assert desk.read()[0]["pool"]
    assert "follow from the records" in desk.run("verify", desk.folder / "out", "--usage", usage).output
    desk.put("costs.yaml", COSTS.replace("chat-70b", "chat-70").encode())
    assert "did you mean `chat-70b`" in desk.build("--usage", usage, "--fleet", path, expect=2).stderr


def test_a_model_may_move_from_one_api_to_another(desk):
    """Records without a pool go to the API that served their model in that month."""
    spent = "".join(
        f'  - {{name: {name}, amount: "{amount}", month: {month}, models: [big]}}\n'
        for name, amount, month in (("first", "10.00", "2026-10"), ("second", "20.00", "2026-11"))
    )
    desk.put("costs.yaml", f"{COSTS}fallback:\n{spent}".encode())
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS, record(9, pool=None, model="big"))))
    assert [row["cost"] for row in desk.read() if row["model"] == "big"] == ["10.00"]


def test_a_stated_total_that_differs_is_exit_1(desk):
    """The difference is said, and nothing is written: not even over an older build."""
    usage = desk.put("u.jsonl", lines(*RECORDS))
    desk.build("--usage", usage)
    before = desk.files()
    desk.put("costs.yaml", COSTS.replace("total: null", 'total: "20002.54"').encode())
    done = desk.build("--usage", usage, expect=1)
    assert "the difference is +0.01" in done.stderr
    assert desk.files() == before


@pytest.mark.parametrize(
    ("month", "words"),
    [("2999-01", "is not over"), ("2026-13", "is not a month"), ("october", "is not a month")],
)
def test_only_a_month_that_is_over_can_be_billed(desk, month, words):
    """Part of a month is not the month."""
    assert words in desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)), month=month, expect=2).stderr


def test_files_that_cannot_be_read_are_named(desk):
    """A path that is not there, an empty folder, a torn gzip, a cost file that is not there."""
    (desk.folder / "empty").mkdir()
    done = desk.build("--usage", desk.folder / "nowhere.jsonl", "--usage", desk.folder / "empty", expect=2)
    assert "nowhere.jsonl: error: cannot be read" in done.stderr
    assert "holds no usage records" in done.stderr
    (desk.folder / "costs.yaml").unlink()
    done = desk.build("--usage", desk.folder / "nowhere.jsonl", "--fleet", desk.folder / "no.yaml", expect=2)
    for name in ("costs.yaml", "nowhere.jsonl", "no.yaml"):
        assert f"{name}: error: cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda packed: packed[:20], "is torn"),
        (lambda packed: packed[: len(packed) // 2], "is torn"),
        (lambda packed: packed[:-4], "is torn"),
        (lambda packed: packed[:-8] + bytes(8), "is damaged"),
        (lambda packed: packed + b"more", "is damaged"),
    ],
    ids=["head", "half", "length", "checksum", "more"],
)
def test_a_gzip_that_is_not_whole_is_no_month(desk, spoil, words):
    """However much of it can be read, and however many invalid records are put up with."""
    whole = gzip.compress(lines(*(record(n) for n in range(2000))))
    path = desk.put("u.jsonl.gz", spoil(whole))
    assert (
        f"u.jsonl.gz: error: {words}" in desk.build("--usage", path, "--max-invalid", "100%", expect=2).stderr
    )
    desk.build("--usage", desk.put("u.jsonl.gz", whole + gzip.compress(lines(record(2001)))))
    assert desk.manifest()["records"] == 2001


def test_zstd_is_refused_and_never_half_read(desk):
    """DuckDB would take a torn one for a short one, and there is nothing to check it with."""
    packed = f"COPY (SELECT 'x' AS id) TO '{desk.folder}/u.jsonl.zst' (FORMAT json, COMPRESSION zstd)"
    duckdb.connect().execute(packed)
    assert "packed by zstd" in desk.build("--usage", desk.folder / "u.jsonl.zst", expect=2).stderr


def test_records_of_another_month_only_are_doubted(desk):
    """A bill on which nobody used anything says that the files may be those of another month."""
    usage = desk.put("u.jsonl", lines(record(1, time="2026-09-01T00:00:00Z")))
    assert "none of 1 records is of 2026-10" in desk.build("--usage", usage).stderr
    assert {row["team"] for row in desk.read()} == {"__idle__"}


def test_a_dry_run_writes_nothing_and_tells_programs(desk):
    """The summary is JSON on standard output, with money as text."""
    done = desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)), "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert told["total"] == "20002.53"
    assert told["written"] == []
    assert not (desk.folder / "out").exists()


def test_hostile_names_stay_text(desk):
    """Formulas, quotes and line breaks in a team's name neither run nor break the table nor reach the terminal raw."""
    names = ["=1+1", "@x", 'a"b', "a,b", "a\r\nb", "\x1b[31mred", "'; DROP TABLE records; --", "\u202e"]
    done = desk.build(
        "--usage", desk.put("u.jsonl", lines(*(record(n, team=name) for n, name in enumerate(names))))
    )
    teams = {row["team"] for row in desk.read()}
    assert {"'=1+1", "'@x", 'a"b', "a,b"} <= teams
    assert "\x1b[31m" not in done.output
    assert len({row["row_id"] for row in desk.read()}) == len(desk.read())


def test_a_row_is_explained(desk):
    """By its id or the beginning of one; a row that is not there is said so."""
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)))
    row = next(row for row in desk.read() if row["team"] == "search" and row["line"] == "operations")
    said = desk.run("explain", row["row_id"], desk.folder / "out").output
    assert "The line 'operations' comes to 3250.00 EUR" in said
    assert "pool 'chat-70b' has 2600.00 EUR: 5960 of 7450 card-hours" in said
    assert "closed by largest remainder" in said
    desk.run("explain", "nothing", desk.folder / "out", expect=2)


def test_a_closed_month_is_never_written_again(desk):
    """Closing copies it into the books, once; a build over it and another bill of it are refused."""
    usage = desk.put("u.jsonl", lines(*RECORDS))
    desk.build("--usage", usage)
    books = desk.folder / "books"
    desk.run("close", desk.folder / "out", "--books", books)
    closed = desk.files("books/2026-10")
    assert {**desk.files(), "closed.json": closed["closed.json"]} == closed
    assert "closed already" in desk.run("close", desk.folder / "out", "--books", books).output
    desk.build("--usage", usage, into="books/2026-10", expect=2)
    desk.build("--usage", desk.put("late.jsonl", lines(*RECORDS, record(90))), into="late")
    assert (
        "is closed with another bill"
        in desk.run("close", desk.folder / "late", "--books", books, expect=2).stderr
    )
    assert desk.files("books/2026-10") == closed


def test_days_of_grace_are_waited_for(desk):
    """A month may not be closed while late records may still come."""
    desk.put("costs.yaml", (COSTS + "grace_days: 100000\n").encode())
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)))
    assert (
        "may not be closed before"
        in desk.run("close", desk.folder / "out", "--books", desk.folder / "b", expect=2).stderr
    )


def test_verify_recomputes_byte_for_byte(desk):
    """From the month's own inputs, and from the records anew; a changed file is told before anything is computed."""
    usage = desk.put("u.jsonl", lines(*RECORDS))
    desk.build("--usage", usage)
    assert "byte for byte" in desk.run("verify", desk.folder / "out").output
    assert "from the records" in desk.run("verify", desk.folder / "out", "--usage", usage).output
    done = desk.run(
        "verify", desk.folder / "out", "--usage", desk.put("u.jsonl", lines(*RECORDS[1:])), expect=2
    )
    assert "not the records" in done.stderr
    table = desk.folder / "out" / "chargeback.csv"
    table.write_bytes(table.read_bytes().replace(b",1083.33,", b",1083.34,"))
    assert "is not what was built" in desk.run("verify", desk.folder / "out", expect=2).stderr


def test_verify_finds_files_that_do_not_follow(desk):
    """Somebody who changes a cost and the hashes with it is found out: exit 1, with the file."""
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)))
    folder = desk.folder / "out"
    changed = (folder / "chargeback.csv").read_bytes().replace(b",1083.33,", b",1083.34,")
    old = hashlib.sha256((folder / "chargeback.csv").read_bytes()).hexdigest()
    (folder / "chargeback.csv").write_bytes(changed)
    text = (folder / "manifest.json").read_text().replace(old, hashlib.sha256(changed).hexdigest())
    (folder / "manifest.json").write_text(text)
    assert "chargeback.csv: error: does not follow" in desk.run("verify", folder, expect=1).stderr


def test_late_records_become_corrections_of_the_next_month(desk):
    """October stays closed; November carries the differences as rows of their own, and it verifies too."""
    desk.put("costs.yaml", COSTS.replace("INV-2026-10", "INV").encode())
    books, later = desk.folder / "books", record(50, id="n", time="2026-09-10T00:00:00Z")
    september = [
        record(1, time="2026-09-10T00:00:00Z"),
        record(2, time="2026-09-11T00:00:00Z", team="support"),
    ]
    usage = desk.put("sep.jsonl", lines(*september))
    desk.build("--usage", usage, month="2026-09", into="sep")
    desk.run("close", desk.folder / "sep", "--books", books)
    closed = desk.files("books/2026-09")
    desk.build("--usage", usage, desk.put("late.jsonl", lines(later)), month="2026-09", into="again")
    assert "support" in desk.run("diff", desk.folder / "sep", desk.folder / "again", expect=1).output
    october = (
        "--usage",
        desk.put("oct.jsonl", lines(*RECORDS)),
        "--books",
        books,
        "--corrects",
        desk.folder / "again",
    )
    assert "of that, 6 rows correct closed months: +0.00 EUR" in desk.build(*october, into="oct").output
    assert json.loads(desk.build(*october, "--dry-run", "--json", into="oct").stdout)["correction_rows"] == 6
    rows = [row for row in desk.read("oct/chargeback.csv") if row["kind"] == "correction"]
    assert {(row["month"], row["charge_month"]) for row in rows} == {("2026-10", "2026-09")}
    assert sum(round(float(row["cost"]) * 100) for row in rows) == 0
    assert sum(int(row["requests"]) for row in rows) == 1
    assert {row["corrects"] for row in rows} <= {row["row_id"] for row in desk.read("sep/chargeback.csv")}
    assert desk.manifest("oct")["total"] == "20002.53"
    assert desk.manifest("oct")["corrections"] == "0.00"
    assert desk.files("books/2026-09") == closed
    desk.run("verify", desk.folder / "oct")
    row = next(row for row in rows if row["team"] == "support")
    assert "is closed; row" in desk.run("explain", row["row_id"], desk.folder / "oct").output
    desk.run("close", desk.folder / "oct", "--books", books)
    desk.run("verify", books / "2026-10")


def test_corrections_need_a_closed_month_and_an_open_one(desk):
    """What is not closed is built anew, not corrected; and a closed month takes no corrections."""
    usage = desk.put("u.jsonl", lines(*RECORDS))
    desk.build("--usage", usage)
    assert (
        "needs the books"
        in desk.build("--usage", usage, "--corrects", desk.folder / "out", into="x", expect=2).stderr
    )
    (desk.folder / "books").mkdir()
    done = desk.build(
        "--usage",
        usage,
        "--books",
        desk.folder / "books",
        "--corrects",
        desk.folder / "out",
        into="x",
        expect=2,
    )
    assert "is not closed in the books" in done.stderr


def test_last_month_is_known_from_the_books(desk):
    """The bill holds what each team paid the month before, where that month is closed."""
    desk.build(
        "--usage",
        desk.put("s.jsonl", lines(record(1, time="2026-09-10T00:00:00Z"))),
        month="2026-09",
        into="sep",
    )
    desk.run("close", desk.folder / "sep", "--books", desk.folder / "books")
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)), "--books", desk.folder / "books")
    previous = json.loads((desk.folder / "out" / "bill.json").read_text())["previous"]
    assert sum(round(float(cost) * 100) for cost in previous.values()) == round(
        float(desk.manifest("sep")["total"]) * 100
    )


def test_books_in_another_currency_are_not_compared(desk):
    """After a change of currency last month's figures are left out, and a correction over the change is refused."""
    desk.put("costs.yaml", COSTS.replace("INV-2026-10", "INV").encode())
    september = desk.put("sep.jsonl", lines(record(1, time="2026-09-10T00:00:00Z")))
    desk.build("--usage", september, month="2026-09", into="sep")
    desk.run("close", desk.folder / "sep", "--books", desk.folder / "books")
    desk.put("costs.yaml", COSTS.replace("INV-2026-10", "INV").replace("EUR", "JPY").encode())
    october = ("--usage", desk.put("oct.jsonl", lines(*RECORDS)), "--books", desk.folder / "books")
    desk.build(*october)
    assert json.loads((desk.folder / "out" / "bill.json").read_text())["previous"] is None
    said = desk.build(*october, "--corrects", desk.folder / "sep", into="x", expect=2).stderr
    assert "2026-09 is in EUR, and this month in JPY" in said


def test_what_a_killed_closing_left_is_no_month(desk):
    """Half a step of `close` is never taken for a closed month."""
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)))
    desk.run("close", desk.folder / "out", "--books", desk.folder / "books")
    (desk.folder / "books" / "2026-10").rename(desk.folder / "books" / ".closing-x")
    assert closed_bills(desk.folder / "books") == []


def test_two_builds_are_compared(desk):
    """Exit 0 where no row differs, 1 where any does; another month has nothing to compare."""
    desk.build("--usage", desk.put("u.jsonl", lines(*RECORDS)))
    desk.build("--usage", desk.put("v.jsonl", lines(*RECORDS, record(80, team="legal"))), into="more")
    assert "0 rows differ" in desk.run("diff", desk.folder / "out", desk.folder / "out").output
    told = json.loads(desk.run("diff", desk.folder / "out", desk.folder / "more", "--json", expect=1).stdout)
    assert {one["team"] for one in told if one["kind"] == "added"} == {"legal"}


def test_a_month_may_be_built_where_one_stands(desk):
    """`-o .` is a folder like any other, from a server too: here one that is not there."""
    command = [
        "-m",
        "sre.cli",
        "chargeback",
        "build",
        "--month",
        "2026-10",
        "--costs",
        "costs.yaml",
        "-o",
        ".",
    ]
    asked = [sys.executable, *command, "--prometheus", "http://127.0.0.1:1"]
    done = subprocess.run(asked, cwd=desk.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot be reached" in done.stderr) == (3, True), done.stderr


def test_usage_errors_are_said_at_once(desk):
    """Neither source, a stray argument, a share that is none."""
    desk.build(expect=2)
    desk.build("stray.jsonl", expect=2)
    assert (
        "is not a share"
        in desk.build("--usage", desk.put("u.jsonl", b""), "--max-invalid", "lots", expect=2).stderr
    )
