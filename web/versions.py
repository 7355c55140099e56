"""Which version of a thing an edit has looked at: ETags of what is stored, and the If-Match that names one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, HTTPException

from worker.model import digest, to_json

IfMatch = Annotated[str, Header(alias="If-Match", description="The ETag of what you looked at.")]
IfNoneMatch = Annotated[str, Header(alias="If-None-Match")]


def tag(record: Any) -> str:
    """The ETag of a record: what changes whenever anybody has set something about it."""
    return f'"{digest(to_json(record), length=16)}"'


def named(header: str) -> set[str]:
    """The ETags that a header names."""
    return {one.strip().removeprefix("W/") for one in header.split(",")}


def seen(current: str, if_match: str, what: str) -> None:
    """Raise 412 unless ``current`` is the version of ``what`` that If-Match names; without the header any is."""
    if if_match and if_match.strip() != "*" and current not in named(if_match):
        line = f"{what} was changed meanwhile. Look at it again, then repeat."
        raise HTTPException(412, line, {"ETag": current})
