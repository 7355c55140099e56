"""What a picture is called in an address: the hash of its content and its kind, and where it lies then."""

from __future__ import annotations

import re
from pathlib import Path

from publishers.core.post import Media

SUFFIX = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
NAME = re.compile(r"([0-9a-f]{64})\.(jpg|png|webp|gif)")


def src(media: Media) -> str:
    """Where the web has a picture."""
    return f"/media/{media.sha256}.{SUFFIX.get(media.mime, 'jpg')}"


def find(folder: Path, name: str) -> tuple[Path, str] | None:
    """The file of a name that ``src`` gave, and its MIME type; None if there is none, whatever the name is."""
    found = NAME.fullmatch(name)
    if not found:
        return None
    path = folder / name[:2] / name
    kind = next(mime for mime, suffix in SUFFIX.items() if suffix == found[2])
    return (path, kind) if path.is_file() else None
