"""A stand-in for Google's Business Profile APIs: locations, posts with a button, pictures it fetches. Not Google."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.graph import fetched
from rehearsal.oauth import SEVERAL, Desk, Shape
from rehearsal.world import Account, Platform, Received, Refused, World, bearer, body_of

SUMMARY = 1500
BUTTONS = {"LEARN_MORE", "BOOK", "ORDER", "SHOP", "SIGN_UP", "CALL", "GET_OFFER"}
CLOSED = "closed"  # a location whose number begins so takes no posts


class GoogleBusiness(Platform):
    """Speaks /v1 for accounts and locations and /v4 for posts; any token is good unless it begins with ``expired``."""

    name: ClassVar = "googlebusiness"
    public: ClassVar = "/local/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize="/o/oauth2/v2/auth",
            endpoint="/token",
            revoke="/revoke",
            access=3599,
            refresh=15_552_000,
            pkce=True,
            dead=lambda: _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.").answer,
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        posts = "/v4/accounts/{owner}/locations/{place}/localPosts"
        return [
            *self.desk.routes(),
            Route("/v1/accounts", self.accounts),
            Route("/v1/accounts/{owner}/locations", self.locations),
            Route("/v1/locations/{place}", self.location),
            Route(posts, self.posts, methods=["GET", "POST"]),
            Route(f"{posts}/{{number}}", self.one, methods=["GET", "PATCH", "DELETE"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Requests'").answer
        return _error(status, "INTERNAL", "Internal error encountered.").answer

    async def accounts(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse({"accounts": [{"name": "accounts/1", "accountName": self.account(request).name}]})

    async def locations(self, request: Request) -> Response:
        _authorize(request)
        name = self.account(request).name
        rows = [{"name": "locations/11", "title": name, "storefrontAddress": {"locality": "Larkhaven"}}]
        if SEVERAL in name:
            rows.append({"name": "locations/12", "title": f"{name} on the quay"})
        return JSONResponse({"locations": rows})

    async def location(self, request: Request) -> Response:
        _authorize(request)
        place, name = request.path_params["place"], self.account(request).name
        metadata = {"canOperateLocalPost": not place.startswith(CLOSED), "mapsUri": f"{self.home(request)}/maps"}
        return JSONResponse({"title": name, "metadata": metadata})

    async def posts(self, request: Request) -> Response:
        account = self.account(request)

        async def take() -> Response:
            _authorize(request)
            return JSONResponse(self._told(request, account.keep(await self._taken(request, account))))

        if request.method == "POST":
            return await self.commit(take)
        _authorize(request)
        size, start = int(request.query_params.get("pageSize", "20")), int(request.query_params.get("pageToken") or 0)
        page = account.living[start : start + size]
        told: dict[str, Any] = {"localPosts": [self._told(request, p) for p in page]} if page else {}
        if len(account.living) > start + size:
            told["nextPageToken"] = str(start + size)
        return JSONResponse(told)

    async def _taken(self, request: Request, account: Account) -> Received:
        now, body = self.world.now(), await body_of(request)
        shown = _said(body)
        number, pictures = account.counted(), []
        for media in body.get("media") or ():
            content = await asyncio.to_thread(fetched, str(media.get("sourceUrl", "")))
            picture = account.keep_picture(f"p{number}", content) if content else None
            if picture is None or picture.mime not in {"image/jpeg", "image/png"}:
                raise _error(400, "INVALID_ARGUMENT", "Fetching image failed.")
            pictures.append(picture)
        return Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=now.isoformat(),
            permalink=self.permalink(request, number),
            pictures=pictures,
            own={"place": f"accounts/{request.path_params['owner']}/locations/{request.path_params['place']}"},
            **shown,
        )

    async def one(self, request: Request) -> Response:
        account = self.account(request)

        async def take() -> Response:
            _authorize(request)
            post = self._found(account, request)
            if request.method == "DELETE":
                account.remove(post)
                return JSONResponse({})
            changed = account.keep(dataclasses.replace(post, **_said(await body_of(request))))
            return JSONResponse(self._told(request, changed))

        if request.method != "GET":
            return await self.commit(take)
        _authorize(request)
        return JSONResponse(self._told(request, self._found(account, request)))

    def _found(self, account: Account, request: Request) -> Received:
        post = account.alive(request.path_params["number"])
        if post is None:
            raise _error(404, "NOT_FOUND", "Requested entity was not found.")
        return post

    def _told(self, request: Request, post: Received) -> dict[str, Any]:
        card = post.card or {}
        return {
            "name": f"{post.own['place']}/localPosts/{post.id}",
            "summary": post.text,
            "state": "LIVE",
            "createTime": post.at,
            "searchUrl": self.permalink(request, post.id),
            **({"callToAction": {"actionType": "LEARN_MORE", "url": card["url"]}} if card else {}),
            **({"media": [{"mediaFormat": "PHOTO"} for _ in post.pictures]} if post.pictures else {}),
        }


def _said(body: dict[str, Any]) -> dict[str, Any]:
    summary, action = str(body.get("summary", "")), body.get("callToAction") or {}
    if not summary or len(summary) > SUMMARY:
        raise _error(400, "INVALID_ARGUMENT", "Request contains an invalid argument: summary")
    if action and (action.get("actionType") not in BUTTONS or not str(action.get("url", "")).startswith("http")):
        raise _error(400, "INVALID_ARGUMENT", "Request contains an invalid argument: call_to_action")
    card = {"url": str(action["url"]), "title": "", "description": ""} if action else None
    return {"text": summary, "facets": [], "card": card}


def _authorize(request: Request) -> None:
    token = bearer(request)
    if not token or token.startswith("expired"):
        raise _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")


def _error(status: int, code: str, words: str) -> Refused:
    return Refused(JSONResponse({"error": {"code": status, "message": words, "status": code}}, status))
