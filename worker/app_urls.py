"""How Celery spells the address of a Redis that redis-py reads."""

from __future__ import annotations

from urllib.parse import urlsplit


def broker_of(url: str) -> str:
    """The same server in Celery's spelling; anything but a local socket is spelled alike."""
    parts = urlsplit(url)
    return f"redis+socket://{parts.path}?virtual_host=0" if parts.scheme == "unix" else url
