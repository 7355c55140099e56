"""How Celery spells the address of a Redis that redis-py reads."""

from __future__ import annotations

from urllib.parse import urlsplit

from worker.errors import HandbillError


def broker_of(url: str) -> str:
    """The same server in Celery's spelling; anything but a local socket is spelled alike."""
    if url.startswith("sentinel://"):
        do = "Give a RabbitMQ or a Redis of its own in HANDBILL_BROKER_URL: losing it changes nothing"
        raise HandbillError("Celery needs a broker beside a Redis with sentinels", do=do)
    parts = urlsplit(url)
    return f"redis+socket://{parts.path}?virtual_host=0" if parts.scheme == "unix" else url
