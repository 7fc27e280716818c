import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sre.cli import main
from sre.findings import Refused
from sre.usage.config import Config, Listen, read_config
from sre.usage.keys import KeyMap

CONTRACT = """\
version: 1
listen: 127.0.0.1:9109               # /metrics, /-/healthy, /-/ready, and the ingest routes below
state: ./state/exporter.state        # one file: offsets and counters, written atomically
limits: {label_sets: 2000, value_length: 128, body_bytes: 16777216}

roster:                              # the only names that may become label values; all start at 0
  teams: [search, support, legal]
  models: [llama-3.3-70b, mistral-small-24b]
identity:
  keys: {}                           # salted key hash -> team, written by `sre exporter hash-key`

routes:
  - {kind: tail, path: ./access.jsonl, format: usage}             # format: a file of exporters/gateways, by its stem
  - {kind: http, path: /ingest/litellm, format: litellm, token_env: SRE_INGEST_TOKEN}
  - {kind: http, path: /ingest/usage, format: usage, token_env: SRE_INGEST_TOKEN}
"""
ENVIRON = {"SRE_INGEST_TOKEN": "a token"}
LEAST = {"version": 1, "roster": {"teams": ["search"], "models": ["llama"]}}


def write(folder: Path, text: str) -> Path:
    path = folder / "exporter.yaml"
    path.write_text(text)
    (folder / "access.jsonl").touch()
    return path


def said(folder: Path, serving: bool = True, environ: dict[str, str] = ENVIRON, **keys: object) -> str:
    """Everything that is said about a configuration, one finding a line: place, severity, what and what to do."""
    routes = {"routes": [{"kind": "tail", "path": "access.jsonl", "format": "usage"}]}
    path = write(folder, yaml.safe_dump(LEAST | routes | keys))
    try:
        _, findings = read_config(path, environ, serving=serving)
    except Refused as refused:
        findings = list(refused.findings)
    return "\n".join(f"{Path(f.where).name} {f.severity}: {f.what}; {f.why}; {f.fix}" for f in findings)


def http(variable: str | None = "SRE_INGEST_TOKEN", **keys: object) -> list[dict[str, object]]:
    return [{"kind": "http", "path": "/ingest", "format": "usage", "token_env": variable} | keys]


def sre(*arguments: object, **options: object):
    return CliRunner().invoke(main, [*map(str, arguments)], **options)


def test_the_contract_is_accepted_as_it_is_written(tmp_path):
    """The file that is promised to users works, with every key and every default where it says."""
    config, findings = read_config(write(tmp_path, CONTRACT), ENVIRON)
    assert findings == []
    assert config.listen == Listen("127.0.0.1", 9109)
    assert config.state == tmp_path / "state/exporter.state"
    assert config.limits.body_bytes == 1 << 24
    assert config.roster.teams == ("search", "support", "legal")
    assert [route.path for route in config.routes] == ["./access.jsonl", "/ingest/litellm", "/ingest/usage"]


def test_it_listens_to_this_machine_alone_unless_told_otherwise():
    """Without `listen` nobody on the network can reach it."""
    config = Config.model_validate({"version": 1, "routes": http()})
    assert config.listen == Listen("127.0.0.1", 9109)
    assert config.listen.loopback


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    """One run shows all errors with their lines, so that a file is corrected in one go."""
    path = write(tmp_path, CONTRACT.replace("9109", "99999").replace("label_sets", "label_set")
                 .replace("legal", "other").replace("./access.jsonl", ".").replace("/ingest/usage", "/metrics")
                 .replace("litellm, token", "litelm, token"))  # fmt: skip
    result = sre("exporter", "run", "--config", path, env=ENVIRON)
    assert result.exit_code == 2
    found = re.findall(r"exporter\.yaml:(\d+): error: (.*)", result.stderr)
    assert [int(line) for line, _ in found] == [2, 4, 7, 13, 14, 15]
    assert "did you mean `label_sets`?" in result.stderr
    assert "did you mean `litellm`?" in result.stderr
    assert "6 errors" in result.stderr


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"listen": 9109}, "write 127.0.0.1:9109 for this machine alone"),
        ({"listen": "localhost"}, "'localhost' is not an address and a port"),
        ({"routes": [{"kind": "tail", "path": "access.jsonl", "format": "usage"}] * 2}, "has the path of `routes[1]`"),
        ({"routes": [{"kind": "tail", "path": p, "format": "usage"} for p in ("a.log", "./a.log")]}, "`routes[2]`"),
        ({"routes": http() * 2}, "each record would be counted twice"),
        ({"routes": http(path="/-/ready")}, "'/-/ready' is the exporter's own"),
        ({"routes": http(path="/in gest")}, "is no path of an address"),
        ({"routes": http(variable="NOT_SET")}, "error: the environment variable `NOT_SET` is not set"),
        ({"routes": http(None)}, "warning: anybody who reaches 127.0.0.1:9109 may post"),
        ({"routes": http(None), "listen": "0.0.0.0:9109"}, "error: anybody who reaches 0.0.0.0:9109 may"),
        ({"routes": http(), "listen": "0.0.0.0:9109"}, "warning: tokens travel in clear to 0.0.0.0:9109"),
        ({"routes": http(trusted=True), "roster": {"models": []}}, "is trusted, but there is no `roster.teams`"),
        ({"routes": http(kind="tail", path="a.log")}, "`routes[1].token_env` belongs to routes of kind http"),
        ({"roster": {"teams": ["unassigned"]}}, "'unassigned' is not free to be used"),
        ({"roster": {"teams": ["a", "a"]}}, "'a' stands here twice"),
        ({"roster": {"teams": ["t" * 129]}}, "has 129 characters"),
        ({"roster": {}}, "warning: there is no list `roster.teams`"),
        ({"limits": {"body_bytes": 4096, "queue_bytes": 2048}}, "a body of the largest size would never be taken"),
        ({"state": "."}, "is a folder; the state is one file"),
        ({"state": "access.jsonl/state"}, "cannot be written; counts could not be saved"),
        ({"catalogue": "nowhere"}, "`catalogue`: there is no such folder"),
        ({"tls": {"cert": "a.crt", "key": "a.key"}}, "`tls.cert`: "),
        ({"roster": {"teams": [f"t{n}" for n in range(400)], "models": [f"m{n}" for n in range(40)]}}, "346122 series"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do(tmp_path, keys, words):
    """Each mistake has its own sentence: what, why it matters and what to write instead."""
    assert words in said(tmp_path, **keys)


def test_a_log_that_does_not_exist_yet_is_no_error(tmp_path):
    """Gateways create their log with the first request: the exporter waits for it."""
    routes = [{"kind": "tail", "path": "later.jsonl", "format": "usage"}]
    assert "warning: there is no file" in said(tmp_path, routes=routes)
    assert "error" not in said(tmp_path, routes=routes)


def test_a_key_in_the_file_is_never_repeated(tmp_path):
    """Somebody who writes a key or a token into the file is told the line, and the terminal does not show it."""
    told = said(
        tmp_path,
        identity={"keys": {"sk-secret": "search", "sk-other": ["x"]}},
        routes=http(variable="tok-secret"),
    )
    assert told.count("not the salted hash of a key") == 2
    assert "not the name of an environment variable" in told
    assert "secret" not in told
    assert "sk-" not in told


def test_keys_of_teams_that_are_not_on_the_roster_are_refused(tmp_path):
    """What such a key uses would be counted as `other`; the near name is suggested."""
    entry = sre("exporter", "hash-key", input="sk-1\n").stdout.strip()
    assert "the team 'serch' is not on the roster" in said(tmp_path, identity={"keys": {entry: "serch"}})
    assert said(tmp_path, identity={"keys": {entry: "search"}}) == ""


def test_check_needs_no_secrets(tmp_path):
    """A pipeline checks the file without tokens: that they are missing there is a warning."""
    result = sre("exporter", "check", "--config", write(tmp_path, CONTRACT), env={"SRE_INGEST_TOKEN": ""})
    assert result.exit_code == 0
    assert "`SRE_INGEST_TOKEN` is empty" in result.stderr
    assert "http /ingest/litellm as litellm" in result.stdout
    missing = sre("exporter", "check", "--config", tmp_path / "nothing.yaml")
    assert missing.exit_code == 2
    assert "cannot be read" in missing.stderr


def test_keys_are_hashed_from_standard_input(tmp_path):
    """Each line gives an entry for the file; another run has another salt, unless it is told to go on with a file's."""
    one, two = (sre("exporter", "hash-key", input="sk-1\nsk-2\n").stdout.split() for _ in range(2))
    assert set(one).isdisjoint(two)
    assert KeyMap({one[0]: "search", two[1]: "legal"}).team("sk-1") == "search"
    path = write(tmp_path, CONTRACT.replace("keys: {}", f"keys: {{{one[0]}: search}}"))
    again = sre("exporter", "hash-key", "--config", path, input="sk-1\nsk-2").stdout.split()
    assert again == one
    assert "no key came" in sre("exporter", "hash-key", input="\n").stderr
    assert sre("exporter", "hash-key", "sk-1").exit_code == 2
