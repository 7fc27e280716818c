"""What is said about a file of Alertmanager receivers, and whether Alertmanager would say the same."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sre.cli import main
from sre.findings import Finding, Refused
from sre.fleet.integration_values import KINDS
from sre.fleet.integrations import Shape, integrations, shapes
from sre.fleet.receivers import read_receivers

EXAMPLE = Path(__file__).parent.parent / "examples" / "fleet.yaml"
HOOK = 'webhook_configs: [{url: "http://127.0.0.1:9/x"}]'
REST = f"""\
receivers:
  - {{name: page, {HOOK}}}
  - name: ticket
  - name: info
  - {{name: watchdog, {HOOK}}}
"""
TEAM = REST + "  - name: documents-page\n    "
LINE = 7
"""Where the first integration of ``TEAM`` stands."""
NEWER = {
    "discord_configs": {"webhook_url_file", "content", "username", "avatar_url"},
    "email_configs": {"auth_secret_file", "force_implicit_tls", "threading"},
    "pagerduty_configs": {"timeout"},
    "pushover_configs": {"user_key_file", "token_file", "device", "ttl", "monospace"},
    "slack_configs": {
        "app_token", "app_token_file", "app_url", "message_text", "timeout", "update_message",
        "message_strategy", "threaded_options",
    },
    "sns_configs": {"use_aws_http_client"},
    "telegram_configs": {"bot_token_file", "chat_id_file", "message_thread_id"},
    "webhook_configs": {"url_file", "timeout"},
    "wechat_configs": {"api_secret_file"},
    "http_config": {"no_proxy", "proxy_from_environment", "http_headers"},
    "oauth2": {"no_proxy", "proxy_from_environment", "client_secret_ref"},
    "basic_auth": {"username_file", "username_ref", "password_ref"},
    "authorization": {"credentials_ref"},
    "tls_config": {"ca", "ca_ref", "cert", "cert_ref", "key", "key_ref"},
    "sigv4": {"external_id", "use_fips_sts_endpoint"},
    "global": {
        "jira_api_url", "rocketchat_api_url", "rocketchat_token", "rocketchat_token_file", "rocketchat_token_id",
        "rocketchat_token_id_file", "slack_app_token", "slack_app_token_file", "slack_app_url",
        "smtp_auth_password_file", "smtp_auth_secret_file", "smtp_tls_config", "smtp_force_implicit_tls",
        "telegram_bot_token", "telegram_bot_token_file", "victorops_api_key_file", "wechat_api_secret_file",
    },
}  # fmt: skip
"""Keys that came after Alertmanager 0.25, the release of Debian 12."""
NEWER_KINDS = {"incidentio", "jira", "mattermost", "msteams", "msteamsv2", "rocketchat"}


def findings(folder: Path, text: str) -> list[Finding]:
    """What is said about the file, refused or not."""
    path = folder / "receivers.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        return read_receivers(path, ["documents", "platform"])[1]
    except Refused as refused:
        return list(refused.findings)


def refused(folder: Path, text: str) -> list[Finding]:
    """The errors alone."""
    return [finding for finding in findings(folder, text) if finding.severity == "error"]


def amtool(folder: Path, text: str) -> str:
    """Why amtool refuses the receivers in a whole configuration; nothing where it takes them."""
    path = folder / "alertmanager.yaml"
    path.write_text(f"route: {{receiver: page}}\n{text}", encoding="utf-8")
    done = subprocess.run(["amtool", "check-config", path], check=False, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


CASES = yaml.safe_load((Path(__file__).parent / "fixtures" / "receivers.yaml").read_text("utf-8"))
GOOD, BAD = CASES["good"], CASES["bad"]
GLOBAL = {
    "Slack for all": 'global: {slack_api_url: "https://h/s"}\n' + TEAM + 'slack_configs: [{channel: "#x"}]',
    "Slack for all, in a file": "global: {slack_api_url_file: /s}\n" + TEAM + "slack_configs: [{}]",
    "mail for all": "global: {smtp_smarthost: 'h:25', smtp_from: a@b.c}\n" + TEAM + "email_configs: [{to: a@b.c}]",
    "OpsGenie for all": "global: {opsgenie_api_key: x}\n" + TEAM + "opsgenie_configs: [{}]",
    "an empty global": "global:\n" + REST,
    "a long wait": "global: {resolve_timeout: 1d12h}\n" + REST,
    "templates": "templates: ['/etc/x/*.tmpl']\n" + REST,
    "aliases": TEAM + "webhook_configs: [&a {url: 'http://h'}, {<<: *a, max_alerts: 1}]",
}  # fmt: skip


@pytest.mark.parametrize(
    "text", [*(TEAM + one for one in GOOD.values()), *GLOBAL.values()], ids=[*GOOD, *GLOBAL]
)
def test_what_alertmanager_takes_is_taken(tmp_path: Path, text: str) -> None:
    """No receiver that works is refused here."""
    assert amtool(tmp_path, text) == ""
    assert refused(tmp_path, text) == []


@pytest.mark.parametrize("one", BAD.values(), ids=BAD.keys())
def test_what_alertmanager_refuses_is_refused_at_its_line(tmp_path: Path, one: dict[str, str]) -> None:
    """Each mistake is one error, where it stands, with what to write; amtool refuses the same file."""
    text = TEAM + one["text"]
    assert amtool(tmp_path, text) != ""
    (finding,) = refused(tmp_path, text)
    assert one["what"] in finding.what
    assert one["fix"] in finding.fix
    assert "Alertmanager would refuse" in finding.why
    assert finding.where.endswith(f"receivers.yaml:{LINE}")


BAD_GLOBAL = {
    "a key": ("{bogus: 1}", "unknown key `bogus` in `global`"),
    "a key misspelt": ("{slack_api_ur: 'http://h'}", "unknown key `slack_api_ur` in `global`"),
    "a wait": ("{resolve_timeout: 1.5h}", "`resolve_timeout` of `global` is '1.5h', not a duration"),
    "a list": ("[a]", "`global` is a list"),
    "two keys": (
        "{opsgenie_api_key: a, opsgenie_api_key_file: /b}",
        "both `opsgenie_api_key` and `opsgenie_api_key_file`",
    ),
    "an address": ("{pagerduty_url: x}", "`pagerduty_url` of `global` is 'x', not a web address"),
}


@pytest.mark.parametrize(("one", "what"), BAD_GLOBAL.values(), ids=BAD_GLOBAL.keys())
def test_what_alertmanager_refuses_under_global_is_refused(tmp_path: Path, one: str, what: str) -> None:
    """`global` is held to the same rules as the receivers."""
    text = f"global: {one}\n{REST}"
    assert amtool(tmp_path, text) != ""
    (finding,) = refused(tmp_path, text)
    assert what in finding.what
    assert finding.where.endswith("receivers.yaml:1")


def sample(shape: Shape, key: str) -> Any:
    """A value that the key may hold."""
    kind = shape.keys[key].strip("[]")
    whole = {"any": {}, "flag": False, "count": 0, "number": 7, "texts": ["a"], "map": {"a": "b"}}
    value = whole.get(kind, KINDS[kind].like) if kind in KINDS else whole_part(kind)
    return [value] if shape.keys[key].startswith("[") else value


def whole_part(name: str) -> dict[str, Any]:
    """Every key of a shape that may stand beside the others, and that Alertmanager 0.25 knows."""
    shape, part = shapes()[name], dict[str, Any]()
    for key in shape.keys:
        taken = any({key, other} <= set(group) for other in part for group in shape.only_one)
        if not taken and key not in NEWER.get(name, ()):
            part[key] = sample(shape, key)
    return part


@pytest.mark.parametrize("kind", [kind for kind in integrations() if kind.split("_")[0] not in NEWER_KINDS])
def test_every_key_that_is_taken_is_one_that_alertmanager_reads(tmp_path: Path, kind: str) -> None:
    """A receiver with all keys of an integration at once is a receiver to Alertmanager."""
    text = TEAM + json.dumps({kind: [whole_part(kind)]})[1:-1]
    assert amtool(tmp_path, text) == ""
    assert refused(tmp_path, text) == []


def test_every_global_key_that_is_taken_is_one_that_alertmanager_reads(tmp_path: Path) -> None:
    """So does `global`."""
    text = json.dumps({"global": whole_part("global")})[1:-1] + "\n" + REST
    assert amtool(tmp_path, text) == ""
    assert refused(tmp_path, text) == []


@pytest.mark.parametrize("kind", sorted(NEWER_KINDS))
def test_integrations_of_newer_alertmanagers_are_known(tmp_path: Path, kind: str) -> None:
    """What came after Debian's Alertmanager is checked as well, not waved through."""
    part = whole_part(f"{kind}_configs")
    assert refused(tmp_path, TEAM + json.dumps({f"{kind}_configs": [part]})[1:-1]) == []
    assert refused(tmp_path, TEAM + json.dumps({f"{kind}_configs": [{**part, "zzz": 1}]})[1:-1])


def test_an_integration_that_nobody_here_knows_is_a_warning(tmp_path: Path) -> None:
    """A newer Alertmanager may bring it: the file is written, and the doubt is told."""
    (finding,) = findings(tmp_path, TEAM + "pigeon_configs: [{loft: 7}]")
    assert (finding.severity, finding.what) == (
        "warning",
        "unknown key `pigeon_configs` in the receiver 'documents-page'",
    )
    assert "amtool check-config" in finding.fix


def test_all_that_is_wrong_is_shown_at_once(tmp_path: Path) -> None:
    """Bad entries, a name twice, a receiver that is missing and a key deep inside: one run tells of each."""
    text = """\
globale: {}
receivers:
  - {name: page, webhook_configs: [{url: "http://h"}]}
  - {name: page, webhook_configs: {url: "http://h"}}
  - {}
  - 5
  - {name: info, email_configs: [{to: a@b.c, from: a@b.c, smarthost: nowhere}]}
  - {name: watchdog, webhook_configs: [{urll: x}]}
"""
    said = {(int(f.where.rpartition(":")[2]), f.what.split(" of ")[0]) for f in refused(tmp_path, text)}
    assert said == {
        (1, "unknown key `globale`"),
        (2, "there is no receiver `ticket`"),
        (4, "the receiver 'page' stands here twice"),
        (4, "`webhook_configs`"),
        (5, "entry 3"),
        (6, "entry 4"),
        (7, "`smarthost`"),
        (8, "unknown key `urll` in `webhook_configs`"),
    }


def test_a_page_that_nobody_gets_is_a_warning(tmp_path: Path) -> None:
    """A receiver without integration takes pages, or the dead man's switch, and tells nobody; tickets may wait."""
    text = "receivers: [{name: page}, {name: ticket}, {name: info}, {name: watchdog}, {name: documents-page}]"
    assert [(f.severity, f.what) for f in findings(tmp_path, text)] == [
        ("warning", f"the receiver '{name}' tells nobody: it has no integration")
        for name in ("page", "watchdog", "documents-page")
    ]


def test_a_secret_in_global_is_a_warning_that_does_not_show_it(tmp_path: Path) -> None:
    """Wherever a secret is written out, its file is asked for; a broken one is not repeated either."""
    (finding,) = findings(tmp_path, "global: {slack_api_url: 'https://h/sesame'}\n" + REST)
    assert (finding.severity, finding.fix.split()[1]) == ("warning", "`slack_api_url_file`")
    (wrong,) = refused(tmp_path, "global: {slack_api_url: sesame}\n" + REST)
    assert "sesame" not in str((finding, wrong))


def test_what_is_written_is_what_amtool_takes(tmp_path: Path) -> None:
    """`sre generate` with every integration at once writes a configuration that amtool accepts whole."""
    kinds = [kind for kind in integrations() if kind.split("_")[0] not in NEWER_KINDS]
    entry = {"name": "documents-page", **{kind: [whole_part(kind)] for kind in kinds}}
    data = yaml.safe_load(REST)["receivers"]
    (tmp_path / "receivers.yaml").write_text(json.dumps({"receivers": [*data, entry]}))
    (tmp_path / "fleet.yaml").write_text(EXAMPLE.read_text() + "receivers: ./receivers.yaml\n")
    arguments = ["generate", str(tmp_path / "fleet.yaml"), "-o", str(tmp_path / "out")]
    assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    path = tmp_path / "out" / "alertmanager" / "alertmanager.yaml"
    subprocess.run(["amtool", "check-config", path], check=True, capture_output=True)


def test_the_example_in_the_docs_is_right(tmp_path: Path) -> None:
    """Whoever copies the receivers from the page has a file that fits, and that amtool takes."""
    page = (Path(__file__).parent.parent / "docs" / "loading.md").read_text()
    (example,) = [
        part for part in re.findall(r"```yaml\n(.*?)```", page, re.S) if part.startswith("receivers:")
    ]
    assert findings(tmp_path, example) == []
    assert amtool(tmp_path, example) == ""
