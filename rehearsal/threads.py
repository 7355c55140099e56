"""A stand-in for the Threads API: containers, emoji counted in bytes, one topic, five links, quotas. Not Threads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

import emoji
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.graph import GraphPlatform, dead, missing, no_token, paged, problem, stamp
from rehearsal.oauth import Desk, Shape
from rehearsal.world import Account, Picture, Received, World, bearer, body_of

DAY = timedelta(hours=24)
POSTS, REPLIES = 250, 1000


def length(text: str) -> int:
    """Characters, with every emoji as long as its UTF-8 (https://developers.facebook.com/documentation/threads/posts)."""
    found = emoji.emoji_list(text)
    return len(text) + sum(len(one["emoji"].encode()) - len(one["emoji"]) for one in found)


class Threads(GraphPlatform):
    """Speaks /v1.0/me/… for any account. A container published twice fails here; what it really does is not known."""

    name: ClassVar = "threads"
    public: ClassVar = "/@{profile}/post/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.containers: dict[str, dict[str, Any]] = {}
        shape = Shape(
            authorize="/oauth/authorize",
            endpoint="/oauth/access_token",
            access=3600,
            says_scope=False,
            comma=True,
            denied={"error": "access_denied", "error_reason": "user_denied", "error_description": "The user denied it"},
            refuse=no_token,
            dead=dead,
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route("/access_token", self.lasting),
            Route("/refresh_access_token", self.token),
            Route("/v1.0/me", self.me),
            Route("/v1.0/me/threads_publishing_limit", self.limit),
            Route("/v1.0/me/threads", self.container, methods=["POST"]),
            Route("/v1.0/me/threads", self.listed),
            Route("/v1.0/me/replies", self.listed),
            Route("/v1.0/me/threads_publish", self.publish, methods=["POST"]),
            Route("/v1.0/{number}/insights", self.insights),
            Route("/v1.0/{number}", self.delete, methods=["DELETE"]),
            Route("/v1.0/{number}", self.read),
        ]

    async def token(self, request: Request) -> Response:
        answer: Response = self.desk.made_to_last(self.authorize(request), bearer(request))
        return answer

    async def lasting(self, request: Request) -> Response:
        """A token of one hour for one of sixty days; the app's secret and it come in the address."""
        asked = request.query_params
        if not asked.get("client_secret"):
            return no_token(400, "invalid_client", "")
        answer: Response = self.desk.made_to_last(self.account(request), asked.get("access_token", ""))
        return answer

    async def me(self, request: Request) -> Response:
        account = self.authorize(request)
        return JSONResponse({"id": str(account.number), "username": account.name})

    async def limit(self, request: Request) -> Response:
        account = self.authorize(request)
        posts, replies = self._used(account)
        used = {
            "quota_usage": posts,
            "config": {"quota_total": POSTS, "quota_duration": 86_400},
            "reply_quota_usage": replies,
            "reply_config": {"quota_total": REPLIES, "quota_duration": 86_400},
        }
        asked = request.query_params.get("fields", "quota_usage").split(",")
        return JSONResponse({"data": [{k: v for k, v in used.items() if k in asked}]})

    async def container(self, request: Request) -> Response:
        account, fields = self.authorize(request), await body_of(request)
        text, answered = str(fields.get("text", "")), fields.get("reply_to_id")
        if fields.get("media_type") not in {"TEXT", "IMAGE"} or (fields["media_type"] == "TEXT" and not text):
            raise problem(400, 100, "(#100) Param media_type or text is missing")
        if length(text) > 500:
            raise problem(400, 100, "Param text must be at most 500 characters long.")
        link = fields.get("link_attachment")
        if len({f["value"] for f in reading.facets(text) if f["type"] == "link"} | ({link} if link else set())) > 5:
            raise problem(400, 100, "THREADS_API__LINK_LIMIT_EXCEEDED", 4279049)
        if answered is not None and account.alive(str(answered)) is None:
            raise problem(400, 24, "The requested resource does not exist", 4279009)
        picture: Picture | None = None
        if fields["media_type"] == "IMAGE":
            alt = str(fields.get("alt_text", ""))
            if len(alt) > 1000:
                raise problem(400, 100, "Param alt_text must be at most 1000 characters long.")
            picture = await self.pull(account, str(fields.get("image_url", "")), alt)
        number = account.snowflake(self.world.now())
        self.containers[f"{account.name}/{number}"] = {
            "text": text,
            "picture": picture,
            "link": link,
            "reply_to": str(answered) if answered is not None else None,
            "status": "FINISHED",
        }
        return JSONResponse({"id": number})

    async def publish(self, request: Request) -> Response:
        async def take() -> Response:
            return self._publish(request, await body_of(request))

        return await self.commit(take)

    def _publish(self, request: Request, fields: dict[str, Any]) -> Response:
        account, now = self.authorize(request), self.world.now()
        draft = self.containers.get(f"{account.name}/{fields.get('creation_id')}")
        if draft is None or draft["status"] != "FINISHED":
            raise problem(400, 24, "The requested resource does not exist", 4279009)
        if self._used(account)[draft["reply_to"] is not None] >= (REPLIES if draft["reply_to"] else POSTS):
            raise problem(400, 100, "The user has reached the quota of posts", 2207042)
        draft["status"] = "PUBLISHED"
        facets = _live(draft["text"])
        number = account.snowflake(now)
        card = {"url": str(draft["link"]), "title": "", "description": ""} if draft["link"] else reading.card(facets)
        account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=now.isoformat(),
                text=draft["text"],
                permalink=self.permalink(request, number),
                facets=facets,
                card=None if draft["picture"] else card,
                pictures=[draft["picture"]] if draft["picture"] else [],
                reply_to=draft["reply_to"],
            )
        )
        return JSONResponse({"id": number})

    async def listed(self, request: Request) -> Response:
        account = self.authorize(request)
        replies = request.url.path.endswith("/replies")
        since = float(request.query_params.get("since", "0"))
        posts = [
            p
            for p in account.living
            if (p.reply_to is not None) is replies and datetime.fromisoformat(p.at).timestamp() >= since
        ]
        return paged(request, [_thread(p) for p in posts])

    async def read(self, request: Request) -> Response:
        account, number = self.authorize(request), request.path_params["number"]
        if draft := self.containers.get(f"{account.name}/{number}"):
            return JSONResponse({"id": number, "status": draft["status"]})
        return JSONResponse(_thread(self._alive(account, number, "get")))

    async def insights(self, request: Request) -> Response:
        self._alive(self.authorize(request), request.path_params["number"], "get")
        names = request.query_params.get("metric", "views").split(",")
        return JSONResponse({"data": [{"name": n, "period": "lifetime", "values": [{"value": 0}]} for n in names]})

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            account, number = self.authorize(request), request.path_params["number"]
            account.remove(self._alive(account, number, "delete"))
            return JSONResponse({"success": True, "deleted_id": number})

        return await self.commit(take)

    def _alive(self, account: Account, number: str, what: str) -> Received:
        post = account.alive(number)
        if post is None:
            raise missing(number, what)
        return post

    def _used(self, account: Account) -> tuple[int, int]:
        """Posts and replies of the last 24 hours, deleted ones too."""
        since = self.world.now() - DAY
        lately = [p for p in account.posts.values() if datetime.fromisoformat(p.at) > since]
        replies = sum(p.reply_to is not None for p in lately)
        return len(lately) - replies, replies


def _live(text: str) -> list[dict[str, Any]]:
    """What becomes live in a text: of its hashtags the first alone, which is the post's topic."""
    found = reading.facets(text)
    tags = [f for f in found if f["type"] == "tag"]
    return [f for f in found if f["type"] != "tag" or f is tags[0]]


def _thread(post: Received) -> dict[str, Any]:
    shown = {"id": post.id, "text": post.text, "timestamp": stamp(post.at), "permalink": post.permalink}
    return {**shown, "replied_to": {"id": post.reply_to}} if post.reply_to else shown
