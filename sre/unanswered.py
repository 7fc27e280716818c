"""Why a server's answer is no answer: what is wrong, why it matters and what to do."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

Words = tuple[str, str, str]
"""What, why, fix of a finding; the server's address is added where it is known."""

ADDRESS = (
    "give the address of a Prometheus API with its path prefix: "
    "http://host:9090, http://host/prometheus, http://host/select/0/prometheus"
)


def plain(value: object, longest: int = 200) -> str:
    """A server's own words: on one line, and with nothing in them that a terminal would act on."""
    text = "".join(c if c.isprintable() else " " for c in " ".join(str(value).split()))
    return text if len(text) <= longest else text[: longest - 3] + "..."


def no_api(path: str, status: int, body: bytes) -> Words:
    """For an answer that is not the API's JSON."""
    said = plain(body[:400].decode("utf-8", "replace"), 80)
    if status in (401, 403):
        return _no_entry(status)
    if status == 404:
        return f"has no /api/v1/{path} (HTTP 404)", "nothing there answers as Prometheus does", ADDRESS
    if status >= 500:
        return (
            f"failed with HTTP {status}: {said!r}",
            "it is starting or overloaded, or a proxy answers for it",
            "try again when it is ready",
        )
    if body.lstrip()[:1] == b"<":
        return (
            f"answers with a web page (HTTP {status}), not with the API",
            "this is a login page, or the address of another program",
            "give the address behind the login, and a token with --token-env",
        )
    return f"answers with HTTP {status} and not with the API: {said!r}", "it is another program", ADDRESS


def refused(path: str, status: int, answer: Mapping[str, Any]) -> Words:
    """For the API's own word that something went wrong."""
    said = plain(answer.get("error", "no reason given"))
    if status in (401, 403):
        return _no_entry(status)
    if answer.get("errorType") == "timeout" or status == 503:
        return (
            f"gave up on the question: {said}",
            "it is overloaded, or its own time limit is short",
            "try again, or raise the server's --query.timeout",
        )
    return (
        f"refused /api/v1/{path} (HTTP {status}): {said}",
        "without the answer nothing can be said",
        "see the server's limits and its log",
    )


def partial(warnings: list[object]) -> Words:
    """For an answer that some of the server's stores had no part in."""
    return (
        "answered partially" + "".join(f"; {plain(warning)}" for warning in warnings[:3]),
        "what is missing could be what was asked for: absent and unseen would look the same",
        "wait until all of its stores answer, or ask one that holds everything",
    )


def unknown_form(path: str, error: Exception) -> Words:
    """For JSON that is not what the API's documentation says."""
    return (
        f"answered /api/v1/{path} in an unknown form ({type(error).__name__})",
        "this is JSON, but not that of the Prometheus API",
        ADDRESS,
    )


def not_taken(status: int, said: bytes) -> Words:
    """For samples that a server of our own did not take."""
    return (
        f"did not take samples (HTTP {status}): {plain(said[:400].decode('utf-8', 'replace'))}",
        "without them nothing can be evaluated over it",
        "see that the folder for temporary files has space",
    )


def moved(url: str, location: str) -> Words:
    """For a redirect: a question that is sent on can lose its token or its body, so none is followed."""
    parts = urlsplit(location)
    to = plain(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))
    there = f"sends every question on to {to!r}"
    if parts.netloc and parts.hostname != urlsplit(url).hostname:
        return (
            there,
            "this is a login in front of it",
            "give the address behind the login, and a token with --token-env",
        )
    return there, "a question that is sent on can lose its token or its body", "give the final address itself"


def too_slow(timeout: float) -> Words:
    """For an answer that was not complete in time."""
    return (
        f"did not answer in full within {timeout:g} s",
        "it is overloaded, or the network swallows packets",
        "try again, or give it longer with --timeout",
    )


def too_large(limit: int) -> Words:
    """For an answer of more than ``limit`` bytes."""
    return (
        f"the answer is larger than {limit >> 20} MiB",
        "it would fill the memory here",
        "ask for fewer series or a shorter time, or for one fleet's server alone",
    )


def untrusted(error: BaseException) -> Words:
    """For a certificate that does not hold."""
    return (
        f"its certificate is not accepted: {_reason(error)}",
        "who answers cannot be known",
        "set REQUESTS_CA_BUNDLE to the file of your certificate authority",
    )


def no_connection(error: BaseException) -> Words:
    """For a server that is not there."""
    return (
        f"cannot be reached: {_reason(error)}",
        "nothing can be asked",
        "check the address, the port and the way there",
    )


def broken_off(error: BaseException) -> Words:
    """For an answer that ended too early or was garbled."""
    return (
        f"broke off in the middle of the answer: {_reason(error)}",
        "half an answer says nothing",
        "try again",
    )


def _no_entry(status: int) -> Words:
    if status == 401:
        return (
            "wants to know who asks (HTTP 401)",
            "no token or password was sent, or not the right one",
            "name the variable that holds the token with --token-env, or write https://user:password@host",
        )
    return (
        "does not let this user or tenant in (HTTP 403)",
        "the token or the tenant lacks the right to read",
        "use a token that may query, and the tenant's header: --header 'X-Scope-OrgID: tenant'",
    )


def _reason(error: BaseException) -> str:
    """The system's own words at the bottom of the chain: those above repeat the address, password and all."""
    queue: list[object] = [error]
    seen, said = set[int](), type(error).__name__
    while queue:
        one = queue.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        said = one.strerror if isinstance(one, OSError) and one.strerror else said
        queue += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return plain(said)
