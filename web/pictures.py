"""What a picture is called in an address: the hash of its content, its kind and whose it is; and where it lies then.

A file may be several workspaces'. Whoever is shown a post is given its pictures' addresses, which are signed for the
workspace they look at: no other workspace can use them, nor make one of a hash that it knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from publishers.core.post import Media
from worker.store.secrets import Vault

SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
NAME = re.compile(r"([0-9a-f]{64})\.(jpg|png|webp|gif)")


def src(vault: Vault, workspace: str) -> Callable[[Media], str]:
    """Where people and programs of ``workspace`` find a picture."""

    def address(media: Media) -> str:
        return named(vault, workspace, f"{media.sha256}.{SUFFIX.get(media.mime, 'jpg')}")

    return address


def named(vault: Vault, workspace: str, name: str) -> str:
    """Where people and programs of ``workspace`` find the picture of a name; "" for no name of one."""
    return f"/media/{name}?s={vault.sign('picture', workspace, name)}" if NAME.fullmatch(name) else ""


def theirs(vault: Vault, workspace: str, name: str, sign: str) -> bool:
    """Whether ``src`` gave this name to ``workspace``."""
    return vault.signed(sign, "picture", workspace, name)


def find(folder: Path, name: str) -> tuple[Path, str] | None:
    """The file of a name that ``src`` gave, and its MIME type; None if there is none, whatever the name is."""
    found = NAME.fullmatch(name)
    if not found:
        return None
    path = folder / name[:2] / name
    kind = next(mime for mime, suffix in SUFFIX.items() if suffix == found[2])
    return (path, kind) if path.is_file() else None
