"""The one way in for platforms that fetch a picture: an address that nobody can guess and that comes to an end."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException
from starlette.responses import FileResponse, Response

from web import pictures
from web.access import Parts
from worker import pull

router = APIRouter(include_in_schema=False)


@router.api_route("/pull/{token}", methods=["GET", "HEAD"])
def picture(parts: Parts, token: str) -> Response:
    """The picture behind ``token``; whatever is wrong with it, the answer is the same."""
    name = pull.opened(parts.settings, token, datetime.now(UTC))
    found = pictures.find(parts.settings.data_dir / "media", name) if name else None
    if found is None:
        raise HTTPException(404, "There is no picture here, or no more.")
    return FileResponse(
        found[0],
        media_type=found[1],
        headers={"Cache-Control": "private, no-store", "Cross-Origin-Resource-Policy": "cross-origin"},
    )
