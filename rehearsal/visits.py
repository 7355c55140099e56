"""Stand-ins for Plausible, Matomo and Umami: they count the visits that readers were said to make. Not the services."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.world import World, bearer

NAMES = ("plausible", "matomo", "umami")
UNKNOWN = "unknown"
EXPIRED = "expired"
"""How a site that nobody knows begins, and a key that is good no more."""


class Visits:
    """``PUT /_visits`` says that a reader came by an address; each service counts what it would, from disk."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The three APIs, each below its own name."""
        return [
            Route("/_visits", self.visit, methods=["PUT"]),
            Route("/_plausible/api/v2/query", self.plausible, methods=["POST"]),
            Route("/_matomo/index.php", self.matomo, methods=["POST"]),
            Route("/_umami/api/auth/login", self.login, methods=["POST"]),
            Route("/_umami/api/websites/{site}/metrics", self.umami),
        ]

    async def visit(self, request: Request) -> Response:
        """A reader comes by ``url``."""
        told = await request.json()
        row = {"url": str(told["url"]), "at": self._world.now().isoformat()}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return Response(status_code=204)

    @property
    def _file(self) -> Path:
        self._world.root.mkdir(parents=True, exist_ok=True)
        return self._world.root / "visits.jsonl"

    def _all(self) -> Iterator[tuple[datetime, str]]:
        if self._file.exists():
            for line in self._file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                yield datetime.fromisoformat(row["at"]), row["url"]

    def _by(self, parameter: str, first: date, last: date) -> Counter[str]:
        """Visits by a parameter of their address, of whole days in UTC."""
        found: Counter[str] = Counter()
        for at, url in self._all():
            if first <= at.astimezone(UTC).date() <= last:
                found.update(parse_qs(urlsplit(url).query).get(parameter, ())[:1])
        return found

    def _trouble(self, name: str) -> Response | None:
        fault = self._world.fault(name)
        if fault == "429":
            return JSONResponse({"error": "Too many API requests."}, 429, {"Retry-After": "60"})
        return JSONResponse({"error": "Internal server error"}, 500) if fault else None

    async def plausible(self, request: Request) -> Response:
        """One question of the Stats API v2; only what Handbill may ask is understood."""
        if trouble := self._trouble("plausible"):
            return trouble
        key = bearer(request)
        if not key:
            return JSONResponse(
                {"error": "Missing API key. Please use a valid Plausible API key as a Bearer Token."}, 401
            )
        asked = await request.json()
        if key.startswith(EXPIRED) or str(asked.get("site_id", "")).startswith(UNKNOWN):
            return JSONResponse({"error": "Invalid API key or site ID."}, 401)
        match asked:
            case {
                "site_id": str(),
                "metrics": ["visits"],
                "date_range": [str(first), str(last)],
                "dimensions": ["visit:utm_content"],
                "filters": [["is", "visit:utm_content", [str(), *_] as marks]],
            } if len(asked) == 5:
                found = self._by("utm_content", date.fromisoformat(first), date.fromisoformat(last))
            case _:
                return JSONResponse({"error": "#: Schema does not allow this query."}, 400)
        rows = [{"metrics": [n], "dimensions": [m]} for m, n in found.most_common() if m in marks]
        return JSONResponse({"results": rows, "meta": {}, "query": asked})

    async def matomo(self, request: Request) -> Response:
        """One report, by campaign or by content; errors as Matomo says them."""
        if trouble := self._trouble("matomo"):
            return trouble
        form: Mapping[str, Any] = await request.form()
        token = str(form.get("token_auth", ""))
        if not token or token.startswith(EXPIRED):
            said = "Unable to authenticate with the provided token. It is either invalid, expired or is required to be "
            said += "sent as a POST parameter."
            return JSONResponse({"result": "error", "message": said}, 401)
        site = str(form.get("idSite", ""))
        if not site.isdecimal() or site == "404":
            said = f"You can't access this resource as it requires 'view' access for the website id = {site}."
            return JSONResponse({"result": "error", "message": said})
        parameters = {
            "Referrers.getCampaigns": "utm_campaign",
            "MarketingCampaignsReporting.getContent": "utm_content",
        }
        method, days = str(form.get("method", "")), str(form.get("date", "")).split(",")
        if method not in parameters or form.get("period") != "range" or len(days) != 2 or form.get("format") != "JSON":
            return JSONResponse({"result": "error", "message": f"The method '{method}' does not exist."})
        found = self._by(parameters[method], date.fromisoformat(days[0]), date.fromisoformat(days[1]))
        wanted = re.compile(str(form.get("filter_pattern", "")))
        rows = [{"label": m, "nb_visits": n} for m, n in found.most_common() if wanted.search(m)]
        return JSONResponse(rows)

    async def login(self, request: Request) -> Response:
        """A token for a name and a password."""
        told = await request.json()
        if str(told.get("password", "")).startswith(EXPIRED):
            return JSONResponse({"error": {"message": "Unauthorized", "code": "incorrect-username-password"}}, 401)
        return JSONResponse({"token": f"token-of-{told['username']}", "user": {"username": told["username"]}})

    async def umami(self, request: Request) -> Response:
        """The query strings by which readers came, each with its visitors."""
        if trouble := self._trouble("umami"):
            return trouble
        key, site = request.headers.get("x-umami-api-key", ""), request.path_params["site"]
        if not (key or bearer(request).startswith("token-of-")) or key.startswith(EXPIRED) or site.startswith(UNKNOWN):
            return JSONResponse({"error": {"message": "Unauthorized", "code": "unauthorized"}}, 401)
        asked = request.query_params
        if asked.get("type") != "query":
            return JSONResponse({"error": {"message": "Bad request", "code": "bad-request"}}, 400)
        first, last = (datetime.fromtimestamp(int(asked[n]) / 1000, UTC) for n in ("startAt", "endAt"))
        found: Counter[str] = Counter()
        for at, url in self._all():
            query = urlsplit(url).query
            if first <= at <= last and asked.get("search", "") in query:
                found[query] += 1
        rows = [{"x": q, "y": n} for q, n in found.most_common(int(asked.get("limit", 500)))]
        return JSONResponse(rows)
