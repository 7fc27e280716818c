"""Certificates of the listener: whether they can be used at all."""

import ssl
from collections.abc import Iterator

from sre.fleet.problem import Problem
from sre.usage.config.models import Config, Tls


def make_context(tls: Tls) -> ssl.SSLContext:
    """What the listener speaks: TLS 1.2 or later. Raises ``OSError`` (``ssl.SSLError`` among them).

    A certificate is asked for where ``client_ca`` is given, and demanded only by routes that need one: Prometheus
    and probes have none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.cert, tls.key, password=_no_password)
    if tls.client_ca:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def check_tls(config: Config) -> Iterator[Problem]:
    """What keeps the certificates from being used; and tokens that travel in clear."""
    named = config.metrics_token_env or any(route.token_env for route in config.routes)
    if config.tls is None and named and not config.listen.loopback:
        what = f"tokens travel in clear to {config.listen}"
        why = "whoever listens on the way can post in the gateway's name"
        yield Problem(("listen",), what, why, "set `tls`, or listen on 127.0.0.1 behind a proxy", "warning")
    if config.tls:
        yield from _usable(config.tls)


def _usable(tls: Tls) -> Iterator[Problem]:
    missing = False
    for name, path in tls:
        try:
            if path is not None:
                path.read_bytes()
        except (OSError, ValueError) as error:
            missing = True
            what = f"`tls.{name}`: {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}"
            yield Problem(("tls", name), what, "nobody could connect", "check the path and its permissions")
    if missing:
        return
    try:
        make_context(tls)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        what = f"the certificates cannot be used: {reason}"
        fix = "give PEM files: a certificate with its chain, and the private key that belongs to it, without password"
        yield Problem(("tls",), what, "nobody could connect", fix, key=True)


def _no_password() -> str:
    raise ValueError("the private key has a password")
