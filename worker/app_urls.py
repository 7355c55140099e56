"""How Celery spells the address of a broker, and what it must check of one behind TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from worker.errors import HandbillError

FILES = {"ssl_ca_certs": "ca_certs", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile"}
"""What may stand behind the ? of an address, as redis-py has it, and what py-amqp calls it."""

SECURE = frozenset({"amqps", "rediss"})


def broker_of(url: str) -> str:
    """The same server in Celery's spelling: a local socket has another, and what TLS needs is told apart."""
    if url.startswith("sentinel://"):
        do = "Give a RabbitMQ or a Redis of its own in HANDBILL_BROKER_URL: losing it changes nothing"
        raise HandbillError("Celery needs a broker beside a Redis with sentinels", do=do)
    parts = urlsplit(url)
    if parts.scheme in SECURE:
        return urlunsplit(parts._replace(query=""))
    return f"redis+socket://{parts.path}?virtual_host=0" if parts.scheme == "unix" else url


def tls_of(url: str) -> dict[str, Any] | None:
    """What Celery is told of TLS for a broker of this address; None where it speaks none.

    Certificate and name are always checked: left to itself, kombu checks no certificate of a Redis and no name of a
    RabbitMQ. Raises HandbillError for what is no file, and for what would check less.
    """
    parts = urlsplit(url)
    if parts.scheme not in SECURE:
        return None
    files: dict[str, str] = {}
    for name, value in parse_qsl(parts.query):
        if name in FILES and Path(value).is_file():
            files[name] = value
        elif name in FILES:
            raise HandbillError("HANDBILL_BROKER_URL cannot be used", why=f"{name}={value} is no file that can be read")
        elif (name, value) != ("ssl_cert_reqs", "required"):
            do = f"It may have {', '.join(FILES)}; certificate and name are always checked"
            raise HandbillError("HANDBILL_BROKER_URL cannot be used", why=f"{name} is not taken", do=do)
    if parts.scheme == "rediss":
        return {**files, "ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    named = {FILES[name]: value for name, value in files.items()}
    return {**named, "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": parts.hostname}
