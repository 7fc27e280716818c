"""The directory holds the old output or the new one, whatever happens in between."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sre.findings import Refused
from sre.swap import STAGE, Perform
from sre.write import Artefact, Difference, check, digest, write

CHECKOUT = Path(__file__).parent.parent


def output(**texts: str) -> list[Artefact]:
    """Artefacts with their manifest; `rules__a_yaml` stands for rules/a.yaml."""
    files = [Artefact(name.replace("__", "/").replace("_", "."), text) for name, text in texts.items()]
    listed = {file.path: digest(file.text) for file in files}
    return [Artefact("manifest.json", json.dumps({"artefacts": listed})), *files]


OLD = output(rules__a_yaml="a: 11\n", rules__b_yaml="b: 12\n", gone__c_md="c 13\n", same_txt="14\n")
NEW = output(rules__a_yaml="a: 21\n", rules__d_yaml="d: 22\n", deep__er__e_md="e 23\n", same_txt="14\n")


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and STAGE not in path.parts
    }


def texts(artefacts: list[Artefact]) -> dict[str, str]:
    return {artefact.path: artefact.text for artefact in sorted(artefacts)}


class Fails:
    """Carries out changes until the given one, which fails (and, `forever`, all that follow)."""

    def __init__(self, at: int, *, code: int = errno.ENOSPC, forever: bool = False) -> None:
        self.at, self.code, self.forever, self.count = at, code, forever, 0

    def __call__(self, operation, *args, **kwargs):
        self.count += 1
        if self.count == self.at or (self.forever and self.count > self.at):
            raise OSError(self.code, os.strerror(self.code), str(args[0]))
        return operation(*args, **kwargs)


def test_new_output(tmp_path):
    """A first run makes the directory and every folder in it, and says what it wrote."""
    done = write(NEW, tmp_path / "a" / "out")
    assert files(tmp_path / "a" / "out") == texts(NEW)
    assert done.written == tuple(sorted(texts(NEW)))
    assert (done.unchanged, done.removed) == ((), ())
    assert not (tmp_path / "a" / "out" / STAGE).exists()


def test_second_run_replaces_and_removes(tmp_path):
    """A later run replaces what changed, removes what is no longer wanted and leaves the rest alone."""
    write(OLD, tmp_path)
    done = write(NEW, tmp_path)
    assert files(tmp_path) == texts(NEW)
    assert done.removed == ("gone/c.md", "rules/b.yaml")
    assert done.unchanged == ("same.txt",)
    assert not (tmp_path / "gone").exists()


def test_unchanged_files_keep_their_time(tmp_path):
    """A file whose text is the same is not rewritten, so that nothing reloads it."""
    write(OLD, tmp_path)
    os.utime(tmp_path / "same.txt", (1, 1))
    inode = (tmp_path / "same.txt").stat().st_ino
    write(NEW, tmp_path)
    assert (tmp_path / "same.txt").stat().st_mtime == 1
    assert (tmp_path / "same.txt").stat().st_ino == inode


def test_nothing_to_do_touches_nothing(tmp_path):
    """Writing the same output again makes no change at all to the disk."""
    write(NEW, tmp_path)
    never = Fails(1)
    done = write(NEW, tmp_path, never)
    assert never.count == 0
    assert done.written == done.removed == ()


def test_files_of_others_stay(tmp_path):
    """What somebody else keeps in the directory is there afterwards, byte for byte."""
    write(OLD, tmp_path)
    (tmp_path / "rules" / "own.yaml").write_text("own: 31\n")
    (tmp_path / "gone" / "note").write_text("32\n")
    write(NEW, tmp_path)
    assert files(tmp_path) == texts(NEW) | {"rules/own.yaml": "own: 31\n", "gone/note": "32\n"}


def test_foreign_file_in_the_way(tmp_path):
    """A directory that we never wrote to is refused where a file of it would be lost, and named."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("mine: 33\n")
    with pytest.raises(Refused) as refused:
        write(NEW, tmp_path)
    (finding,) = refused.value.findings
    assert finding.where == str(tmp_path / "rules" / "a.yaml")
    assert "not written by `sre generate`" in finding.what
    assert "no manifest.json of ours" in finding.why
    assert files(tmp_path) == {"rules/a.yaml": "mine: 33\n"}


def test_foreign_file_beside_our_manifest(tmp_path):
    """A file that appeared where a new artefact belongs is not overwritten either."""
    write(OLD, tmp_path)
    (tmp_path / "rules" / "d.yaml").write_text("mine: 34\n")
    with pytest.raises(Refused, match=r"d\.yaml"):
        write(NEW, tmp_path)
    assert files(tmp_path) == texts(OLD) | {"rules/d.yaml": "mine: 34\n"}


@pytest.mark.parametrize(
    "manifest",
    [
        "{",
        "[]",
        '{"name": "web app"}',
        '{"artefacts": {"rules/a.yaml": "no hash"}}',
        "[" * 100_000,
        "\ufeff{}",
    ],
)
def test_foreign_manifest(tmp_path, manifest):
    """A manifest.json of another program is a file of somebody else, not a licence to overwrite."""
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(Refused, match=r"manifest\.json"):
        write(NEW, tmp_path)
    assert files(tmp_path) == {"manifest.json": manifest}


def test_manifest_that_names_files_outside(tmp_path):
    """A forged manifest cannot make us remove a file outside the directory."""
    victim = tmp_path / "victim"
    victim.write_text("35\n")
    out = tmp_path / "out"
    write(OLD, out)
    (out / "manifest.json").write_text(json.dumps({"artefacts": {"../victim": digest("35\n")}}))
    with pytest.raises(Refused):
        write(NEW, out)
    assert victim.read_text() == "35\n"


def test_right_bytes_are_adopted(tmp_path):
    """Files that already hold the right bytes are no obstacle: a checkout of the output without manifest."""
    write(NEW, tmp_path)
    (tmp_path / "manifest.json").unlink()
    assert write(NEW, tmp_path).written == ("manifest.json",)


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/x",
        "a/../../x",
        "a//x",
        "./x",
        "",
        "a/",
        "a\\x",
        "a\nx",
        "a\0x",
        f"{STAGE}/x",
        "x" * 256,
        "\ud800",
    ],
)
def test_paths_that_escape(tmp_path, path):
    """A path that leads out of the directory, or is no file name, is refused before anything is written."""
    out = tmp_path / "out"
    with pytest.raises(Refused, match="leads out of the output directory"):
        write([Artefact("fine.txt", "36\n"), Artefact(path, "37\n")], out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("one", "two"), [("a", "a"), ("a.md", "A.md"), ("a", "a/b")])
def test_two_artefacts_for_one_path(tmp_path, one, two):
    """Two artefacts that would overwrite each other, on any file system, are refused."""
    with pytest.raises(Refused, match="two artefacts want this path"):
        write([Artefact(one, "38\n"), Artefact(two, "39\n")], tmp_path / "out")


def test_text_without_bytes(tmp_path):
    """A text that has no UTF-8 form is a finding with its place, not a traceback."""
    with pytest.raises(Refused, match="character 3 of the text"):
        write([Artefact("a.txt", "ab\ud800")], tmp_path / "out")


def test_symbolic_link_as_folder(tmp_path):
    """A folder of the output that was replaced by a link is not followed out of the directory."""
    write(OLD, tmp_path / "out")
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "out" / "rules").rename(elsewhere)
    (tmp_path / "out" / "rules").symlink_to(elsewhere)
    with pytest.raises(Refused, match="a folder belongs here, and this is a symbolic link"):
        write(NEW, tmp_path / "out")
    assert files(elsewhere) == {"a.yaml": "a: 11\n", "b.yaml": "b: 12\n"}


def test_stale_file_behind_a_link_stays(tmp_path):
    """A stale file that now lies behind a link belongs to whoever made the link."""
    write(OLD, tmp_path / "out")
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "out" / "gone").rename(elsewhere)
    (tmp_path / "out" / "gone").symlink_to(elsewhere)
    write(NEW, tmp_path / "out")
    assert files(elsewhere) == {"c.md": "c 13\n"}


def test_folder_where_a_file_belongs(tmp_path):
    """A folder in place of a file is refused, not emptied."""
    (tmp_path / "same.txt" / "deeper").mkdir(parents=True)
    with pytest.raises(Refused, match="a file belongs here, and this is a folder"):
        write(NEW, tmp_path)


def test_directory_is_a_link(tmp_path):
    """A directory given by a symbolic link is written where the link points, and stays a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    write(OLD, tmp_path / "out")
    write(NEW, tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert files(tmp_path / "real") == texts(NEW)


def test_current_directory(tmp_path, monkeypatch):
    """`-o .` works, and the shell that stands there goes on seeing the files."""
    monkeypatch.chdir(tmp_path)
    write(OLD, Path())
    write(NEW, Path())
    assert files(Path()) == texts(NEW)


def test_directory_is_a_file(tmp_path):
    """A file where the directory should be is a finding that says what to do."""
    (tmp_path / "out").write_text("40\n")
    with pytest.raises(Refused, match="this directory cannot be used") as refused:
        write(NEW, tmp_path / "out")
    assert "-o" in refused.value.findings[0].fix


def test_permissions_are_kept(tmp_path):
    """A file that somebody opened to its readers stays open to them after a rewrite."""
    write(OLD, tmp_path)
    (tmp_path / "rules" / "a.yaml").chmod(0o604)
    write(NEW, tmp_path)
    assert (tmp_path / "rules" / "a.yaml").stat().st_mode & 0o777 == 0o604


def refusal(artefacts: list[Artefact], out: Path, perform: Perform) -> Refused | None:
    try:
        write(artefacts, out, perform)
    except Refused as refused:
        return refused
    return None


def steps(folder: Path) -> int:
    """How many changes to the disk the write of NEW over OLD takes."""
    write(OLD, folder)
    counter = Fails(-1)
    write(NEW, folder, counter)
    return counter.count


def test_disk_full_at_every_step(tmp_path):
    """Whichever change to the disk fails, the finding says why, and the old output is whole."""
    total = steps(tmp_path / "count")
    assert total > 20
    for at in range(1, total + 1):
        out = tmp_path / str(at)
        write(OLD, out)
        before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
        refused = refusal(NEW, out, Fails(at))
        if refused is None:  # clearing up after the last point of no return may fail without harm
            assert files(out) == texts(NEW), at
            continue
        assert "No space left on device" in refused.findings[0].what
        # Two files that are new, one that is other, and the manifest: a block each, however small.
        assert refused.findings[0].fix.startswith("Free 16 KiB there"), at
        assert files(out) == texts(OLD), at
        assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
        assert not (out / "deep").exists()
        assert not (out / STAGE).exists()


def test_disk_that_fails_for_good(tmp_path):
    """Where even putting back fails, the finding says so, and the next run starts from the old output."""
    total = steps(tmp_path / "count")
    mixed = 0
    for at in range(1, total + 1):
        out = tmp_path / str(at)
        write(OLD, out)
        refused = refusal(NEW, out, Fails(at, code=errno.EROFS, forever=True))
        mixed += refused is not None and "half-way" in refused.findings[0].what
        write(OLD, out)
        assert files(out) == texts(OLD), at
    assert mixed > 5


def test_first_run_that_fails_leaves_nothing(tmp_path):
    """A directory that did not exist before a failed run does not exist after it."""
    counter = Fails(-1)
    write(NEW, tmp_path / "count" / "out", counter)
    for at in range(1, counter.count - 1):
        with pytest.raises(Refused):
            write(NEW, tmp_path / str(at) / "out", Fails(at))
        assert not (tmp_path / str(at)).exists(), at


def test_file_system_without_hard_links(tmp_path):
    """Where files cannot have two names the way back is a copy, and works as well."""

    def no_links(operation, *args, **kwargs):
        if operation is os.link:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        if operation is os.unlink:  # the first removal, after every replacement
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return operation(*args, **kwargs)

    write(OLD, tmp_path)
    refused = refusal(NEW, tmp_path, no_links)
    assert refused is not None
    assert write(OLD, tmp_path).removed == ()
    assert files(tmp_path) == texts(OLD)


DIES = """
import json, os, signal, sys
from pathlib import Path
from sre.write import Artefact, write

at, sign, out, artefacts = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), json.load(sys.stdin)
count = 0

def dies(operation, *args, **kwargs):
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), sign)
    return operation(*args, **kwargs)

write([Artefact(path, text) for path, text in artefacts], out, dies)
"""


def dies(at: int, sign: signal.Signals, out: Path, artefacts: list[Artefact] = NEW) -> int:
    """Write in a process of its own that gets the signal before the given change; return its exit status."""
    held = json.dumps([[artefact.path, artefact.text] for artefact in artefacts])
    command = [sys.executable, "-c", DIES, str(at), str(int(sign)), str(out)]
    return subprocess.run(command, input=held, text=True, cwd=CHECKOUT, check=False).returncode


def test_killed_at_every_step(tmp_path):
    """After SIGKILL anywhere the next run finds one whole output and goes on from it, leaving no rubbish."""
    counted = steps(tmp_path / "count")
    for at in range(1, counted + 1):
        out = tmp_path / str(at)
        write(OLD, out)
        assert dies(at, signal.SIGKILL, out) == -signal.SIGKILL
        (out / "foreign").write_text("41\n")
        with pytest.raises(Refused):  # recovers first, then refuses
            write([*OLD, Artefact("foreign", "42\n")], out)
        held = files(out)
        del held["foreign"]
        assert held in (texts(OLD), texts(NEW)), at
        assert not (out / STAGE).exists()


def test_killed_while_recovering(tmp_path):
    """A second kill, in the middle of putting things back, is recovered from like the first."""
    middle = steps(tmp_path / "count") - 9  # renames done, journal still there
    for at in range(1, 13):
        out = tmp_path / str(at)
        write(OLD, out)
        dies(middle, signal.SIGKILL, out)
        assert files(out) not in (texts(OLD), texts(NEW))
        dies(at, signal.SIGKILL, out, OLD)
        write(OLD, out)
        assert files(out) == texts(OLD), at
        assert not (out / STAGE).exists()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_cancelled_at_every_third_step(tmp_path, sign):
    """A cancelled pipeline leaves one whole output at once, without waiting for a later run."""
    seen = set()
    for at in range(1, steps(tmp_path / "count") + 1, 3):
        out = tmp_path / str(at)
        write(OLD, out)
        assert dies(at, sign, out) != 0
        assert files(out) in (texts(OLD), texts(NEW)), at
        seen.add(files(out) == texts(NEW))
    assert seen == {True, False}


def test_two_runs_at_once(tmp_path):
    """A second run waits for the first one to finish, and then does its own work."""
    write(OLD, tmp_path)
    first = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    held = json.dumps([[artefact.path, artefact.text] for artefact in NEW])
    command = [sys.executable, "-c", DIES, "-1", "0", str(tmp_path)]
    second = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, cwd=CHECKOUT)
    with pytest.raises(subprocess.TimeoutExpired):
        second.communicate(held, timeout=1)
    assert files(tmp_path) == texts(OLD)
    os.close(first)
    assert second.wait() == 0
    assert files(tmp_path) == texts(NEW)


def test_file_size_limit(tmp_path):
    """A real limit of the operating system, hit half-way, leaves the old output and a cure."""
    write(OLD, tmp_path)
    big = output(rules__a_yaml="a: 51\n", rules__big_yaml="x" * 100_000)
    script = (
        "import json, resource, sys; from pathlib import Path\n"
        "from sre.findings import Refused; from sre.write import Artefact, write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: write([Artefact(*pair) for pair in json.load(sys.stdin)], Path(sys.argv[1]))\n"
        "except Refused as refused: print(refused.findings[0].fix)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        input=json.dumps([[artefact.path, artefact.text] for artefact in big]),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=True,
    )
    assert "ulimit -f" in run.stdout
    assert files(tmp_path) == texts(OLD)


def test_forged_journal(tmp_path):
    """A journal that names files outside the directory undoes nothing there."""
    victim = tmp_path / "victim"
    victim.write_text("61\n")
    out = tmp_path / "out"
    write(OLD, out)
    (out / STAGE).mkdir()
    for steps_ in ([{"path": "../victim", "new": digest("61\n"), "old": False}], "nonsense"):
        (out / STAGE / "journal.json").write_text(json.dumps({"steps": steps_, "folders": []}))
        with pytest.raises(Refused, match="not a journal of this program"):
            write(NEW, out)
    assert victim.read_text() == "61\n"


def test_check_of_right_output(tmp_path):
    """Where `write` would do nothing, `check` has nothing to say."""
    write(NEW, tmp_path)
    assert check(NEW, tmp_path) == []


def test_check_names_each_difference(tmp_path):
    """Changed, missing and stale files are named, a changed one with its diff, and nothing is written."""
    write(OLD, tmp_path)
    before = files(tmp_path)
    found = {difference.path: difference for difference in check(NEW, tmp_path)}
    assert found.keys() == {
        "manifest.json",
        "rules/a.yaml",
        "rules/b.yaml",
        "rules/d.yaml",
        "deep/er/e.md",
        "gone/c.md",
    }
    assert found["rules/b.yaml"] == Difference("rules/b.yaml", "stale")
    assert found["rules/d.yaml"] == Difference("rules/d.yaml", "missing")
    assert found["rules/a.yaml"].kind == "differs"
    assert found["rules/a.yaml"].text.splitlines()[-2:] == ["-a: 11", "+a: 21"]
    assert files(tmp_path) == before


def test_check_of_absent_directory(tmp_path):
    """A directory that does not exist lacks every file, and is not made."""
    assert {difference.kind for difference in check(NEW, tmp_path / "out")} == {"missing"}
    assert not (tmp_path / "out").exists()


def test_check_bounds_and_cleans_its_text(tmp_path):
    """A diff is short, and what a terminal would obey is shown instead of obeyed."""
    write(OLD, tmp_path)
    (tmp_path / "rules" / "a.yaml").write_bytes(b"\x1b[2J\xff\r\n" + b"y" * 5_000 + b"\n" + b"z\n" * 9_000)
    (difference,) = check(OLD, tmp_path)
    assert "\x1b" not in difference.text
    assert "\\x1b[2J" in difference.text
    assert "\\r" in difference.text
    assert len(difference.text) < 20_000
    assert "... and more" in difference.text


def test_check_sees_the_missing_last_newline(tmp_path):
    """Two texts that differ only in the newline at the end show a visible difference."""
    write(OLD, tmp_path)
    (tmp_path / "same.txt").write_text("14")
    (difference,) = check(OLD, tmp_path)
    assert "(no newline at the end)" in difference.text


def test_check_of_unreadable_directory(tmp_path):
    """A path that cannot be read is a finding, not a traceback."""
    (tmp_path / "out").write_text("71\n")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Refused, match="this directory cannot be used"):
        check(NEW, tmp_path / "loop")
