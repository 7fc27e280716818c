"""Pages over HTTP: what is there, what is not, and an address that somebody else has."""

import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from sre.findings import Refused
from sre.lab.pages import JSON, Page, serve

TEXTS = {"/a": Page(b"up 1\n"), "/targets": Page(b"[]", JSON)}


def test_a_page_is_served_with_its_type(fetch) -> None:
    """Prometheus takes targets only as JSON, and metrics as text."""
    with serve(TEXTS.get) as url, urllib.request.urlopen(f"{url}/targets", timeout=10) as answer:  # noqa: S310
        assert (answer.headers["Content-Type"], answer.read()) == (JSON, b"[]")
        assert fetch(f"{url}/a?match=x") == b"up 1\n"


def test_an_unknown_path_is_not_found(fetch) -> None:
    """What is not there is said to be not there, and the connection goes on."""
    with serve(TEXTS.get) as url, pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(f"{url}/b")


def test_a_hundred_clients_at_once_are_all_answered(fetch) -> None:
    """All targets of a fleet may be scraped in the same moment."""
    with serve(TEXTS.get) as url, ThreadPoolExecutor(100) as pool:
        assert set(pool.map(lambda _: fetch(f"{url}/a"), range(300))) == {b"up 1\n"}


def test_a_taken_port_is_refused_with_the_way_out() -> None:
    """Who started it twice reads which address is taken, and what to give instead."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Refused) as refused, serve(TEXTS.get, port):
            pass
    (finding,) = refused.value.findings
    assert finding.where == f"127.0.0.1:{port}"
    assert "in use" in finding.what
    assert "--port 0" in finding.fix


def test_the_port_is_free_again_afterwards() -> None:
    """The next run finds the address that this one had."""
    with serve(TEXTS.get) as url:
        port = int(url.rpartition(":")[2])
    with serve(TEXTS.get, port) as again:
        assert again == url
