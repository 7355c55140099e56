"""Where our own short links lead: to the article and nowhere else; readers are counted, and nothing is kept of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from web.access import Parts

router = APIRouter(include_in_schema=False)

CODE = re.compile(r"[0-9a-z]{1,16}")
BROWSERS = ("Mozilla/", "Opera/")
"""How every browser begins to call itself; what calls itself otherwise is a program."""

PROGRAMS = re.compile(
    r"(?<!cu)bot(?![a-z])|crawl|spider|slurp|preview|externalhit|facebookcatalog|embed|scan|monitor|validator|archiver"
    r"|headless|lighthouse|pagespeed|phantom|python|curl|wget|okhttp|go-http|mediapartners|google-|feedfetcher"
    r"|proofpoint|barracuda|mimecast|safelinks",
    re.IGNORECASE,
)
"""What only programs say of themselves: crawlers, previews of links, mail filters, monitors. A Cubot is a phone."""

PREFETCH = ("purpose", "sec-purpose", "x-purpose", "x-moz")


@router.api_route("/l/{code}", methods=["GET", "HEAD"])
def follow(request: Request, parts: Parts, code: str) -> Response:
    """To the article, and counted if a reader follows it; also once its post is not kept, while readers come."""
    link = parts.links.find(code) if CODE.fullmatch(code) else None
    if link is None:
        if parts.settings.shortener_home:
            return RedirectResponse(parts.settings.shortener_home, 302, headers={"X-Robots-Tag": "noindex"})
        raise HTTPException(404, "There is nothing at this address.")
    kept = parts.deliveries.exists(link.of)
    if request.method == "GET" and reader(request.headers):
        (parts.links.follow if kept else parts.links.needed)(link)
    # Whence a reader came is the article's to know, as it would be without us.
    headers = {"Referrer-Policy": "no-referrer-when-downgrade", "X-Robots-Tag": "noindex"}
    if not kept:
        headers["Cache-Control"] = "public, max-age=86400"
    return RedirectResponse(link.target, 302 if kept else 301, headers=headers)


def reader(headers: Mapping[str, str]) -> bool:
    """Whether a person follows a link, as far as a browser says: no known program, nothing fetched ahead."""
    agent = headers.get("user-agent", "")
    if not agent.startswith(BROWSERS) or PROGRAMS.search(agent):
        return False
    if any(word in headers.get(name, "") for name in PREFETCH for word in ("fetch", "preview")):
        return False
    return headers.get("sec-fetch-dest", "document") == "document"
