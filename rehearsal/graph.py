"""What the stand-ins behind a Graph API share: numbered errors, cursors, drafts, pictures fetched. Not the real one."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rehearsal.world import Account, Picture, Platform, Refused, bearer

FETCH_SECONDS = 5.0
PICTURE_BYTES = 8_000_000
# One grey pixel: what is "fetched" from an address that a stand-in must not or cannot speak to.
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")


class GraphPlatform(Platform):
    """Any token is good unless it begins with ``expired``; drafts (containers) are forgotten when the process ends.

    A picture is really fetched from an address on this machine, so from Handbill's own web. Nothing outside is spoken
    to: a well-formed address elsewhere, or one here at which nobody listens, counts as fetched and shows a grey pixel.
    """

    jpeg_only = False

    def trouble(self, status: int) -> Response:
        if status == 429:
            usage = {"1": [{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 1}]}
            headers = {"X-Business-Use-Case-Usage": json.dumps(usage)}
            return problem(400, 4, "(#4) Application request limit reached", headers=headers).answer
        return problem(status, 1, "An unknown error occurred").answer

    def authorize(self, request: Request) -> Account:
        """The account whose token this is."""
        token = bearer(request)
        if not token or token.startswith("expired"):
            raise problem(400, 190, "Error validating access token: Session has expired", 463)
        return self.account(request)

    async def pull(self, account: Account, url: str, alt: str) -> Picture:
        """The picture at ``url``, kept."""
        content = await asyncio.to_thread(fetched, url)
        picture = account.keep_picture(account.snowflake(self.world.now()), content, alt=alt) if content else None
        if picture is None or (self.jpeg_only and content != PIXEL and picture.mime != "image/jpeg"):
            raise problem(400, 9004, "Only photo or video can be accepted as media type.", 2207052)
        if picture.size > PICTURE_BYTES:
            raise problem(400, 36000, "The image size is too large.", 2207004)
        return picture


def fetched(url: str) -> bytes | None:
    """What is at ``url`` if that is on this machine; a grey pixel for any other; None if it is no address."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    try:
        here = ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        here = parts.hostname == "localhost"
    if not here:
        return PIXEL
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=FETCH_SECONDS) as answer:
            return bytes(answer.read(PICTURE_BYTES + 1))
    except urllib.error.HTTPError:
        return None
    except OSError:
        return PIXEL


def no_token(status: int, error: str, words: str) -> Response:
    """A refusal of a token request in the Graph API's shape."""
    del status
    if error == "invalid_client":
        return problem(400, 101, "Error validating client secret.").answer
    return problem(400, 100, words, 36009 if "used" in words else 36007).answer


def dead() -> Response:
    """The answer to a token that has ended."""
    return problem(400, 190, "Error validating access token: Session has expired", 463).answer


def problem(
    status: int, code: int, message: str, subcode: int | None = None, *, headers: Mapping[str, str] | None = None
) -> Refused:
    """A refusal in the Graph API's shape."""
    told: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1b2C3"}
    if subcode is not None:
        told["error_subcode"] = subcode
    return Refused(JSONResponse({"error": told}, status, headers))


def missing(number: str, what: str = "get") -> Refused:
    """There is no such object, or none that may be seen."""
    words = f"Unsupported {what} request. Object with ID '{number}' does not exist, or you may not see it"
    return problem(400, 100, words, 33)


def paged(request: Request, rows: Sequence[Mapping[str, Any]]) -> Response:
    """One page of a list, as far as ``limit`` goes, with a cursor to what follows."""
    start = int(request.query_params.get("after", "0"))
    size = min(int(request.query_params.get("limit", "25")), 100)
    body: dict[str, Any] = {"data": rows[start : start + size]}
    if rows:
        body["paging"] = {"cursors": {"before": str(start), "after": str(start + size)}}
        if start + size < len(rows):
            body["paging"]["next"] = str(request.url)
    return JSONResponse(body)


def stamp(at: str) -> str:
    """An instant as the Graph API writes it."""
    return datetime.fromisoformat(at).strftime("%Y-%m-%dT%H:%M:%S%z")
