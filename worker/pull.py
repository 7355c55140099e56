"""The public address of a picture, for platforms that fetch it: nobody can guess it, and it ends after a day."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from publishers.core.guard import is_public
from publishers.core.post import Media
from worker.errors import HandbillError
from worker.settings import Settings
from worker.store.secrets import Vault, key_of

LIFE = timedelta(days=1)
"""As long as the platforms keep a draft that waits for its picture."""

ROW = "pull"
MISSING = (
    "This platform fetches pictures itself and HANDBILL_PUBLIC_URL is not set: set it to the address at which the "
    "internet reaches this installation, such as https://posts.example.org"
)


def address(config: Settings, media: Media, now: datetime, *, rehearsal: bool = False) -> str:
    """Where ``media`` can be fetched until ``LIFE`` from ``now``; for a rehearsal, on this machine."""
    base = f"http://127.0.0.1:{config.port}" if rehearsal else config.public_url
    until = str((now + LIFE).timestamp())
    token = _vault(config).lock(ROW, {"name": Path(media.path).name, "until": until}).decode()
    return f"{base.rstrip('/')}/pull/{token}"


def opened(config: Settings, token: str, now: datetime) -> str | None:
    """The file name behind a token that ``address`` made; None if it is none, or its time is over."""
    try:
        told = _vault(config).unlock(ROW, token.encode())
    except HandbillError:
        return None
    return told["name"] if now.timestamp() < float(told["until"]) else None


def check(config: Settings, resolve: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo) -> None:
    """Raise HandbillError, in one clear line, unless the internet can be expected to reach us at the public address."""
    if not config.public_url:
        raise HandbillError(MISSING)
    parts = urlsplit(config.public_url)
    do = "Set it to an address such as https://posts.example.org that leads to the web of this installation"
    what = f"HANDBILL_PUBLIC_URL {config.public_url} cannot be reached from the internet"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise HandbillError(what, why="it is no web address", do=do)
    try:
        found = {str(entry[4][0]) for entry in resolve(parts.hostname, parts.port or 443)}
    except OSError as error:
        raise HandbillError(what, why=f"{parts.hostname} has no address ({error})", do=do) from None
    for one in sorted(found):
        if not is_public(ipaddress.ip_address(one.partition("%")[0])):
            raise HandbillError(what, why=f"{one} is an address of a private network", do=do)


def _vault(config: Settings) -> Vault:
    return Vault(key_of(config.data_dir, config.secret_key.get_secret_value()))
