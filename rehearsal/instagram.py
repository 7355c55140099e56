"""A stand-in for Instagram's publishing API: containers, JPEG, shapes, hashtags, comments, quota. Not Instagram."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.graph import PIXEL, GraphPlatform, dead, missing, no_token, paged, problem, stamp
from rehearsal.oauth import Desk, Shape
from rehearsal.world import Account, Picture, Received, World, bearer, body_of

DAY = timedelta(hours=24)
VERSION = "v26.0"
POSTS = 50
TALLEST, WIDEST = 4 / 5, 1.91


class Instagram(GraphPlatform):
    """Speaks /v26.0/… for any account; no address in a caption or comment becomes live.

    A container published twice fails here; what it really does is not known. Posts can be deleted, as with Facebook's
    sign-in.
    """

    name: ClassVar = "instagram"
    public: ClassVar = "/p/{number}"
    jpeg_only = True

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.containers: dict[str, dict[str, Any]] = {}
        shape = Shape(
            authorize="/oauth/authorize",
            endpoint="/oauth/access_token",
            access=3600,
            says_scope=True,
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
            Route(f"/{VERSION}/me", self.me),
            Route(f"/{VERSION}/{{user}}/content_publishing_limit", self.limit),
            Route(f"/{VERSION}/{{user}}/media", self.container, methods=["POST"]),
            Route(f"/{VERSION}/{{user}}/media", self.media),
            Route(f"/{VERSION}/{{user}}/media_publish", self.publish, methods=["POST"]),
            Route(f"/{VERSION}/{{number}}/comments", self.comment, methods=["POST"]),
            Route(f"/{VERSION}/{{number}}/comments", self.comments),
            Route(f"/{VERSION}/{{number}}/insights", self.insights),
            Route(f"/{VERSION}/{{number}}", self.delete, methods=["DELETE"]),
            Route(f"/{VERSION}/{{number}}", self.read),
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
        return JSONResponse({"user_id": str(account.number), "username": account.name})

    async def limit(self, request: Request) -> Response:
        account = self._own(request)
        config = {"quota_total": POSTS, "quota_duration": 86_400}
        return JSONResponse({"data": [{"quota_usage": self._used(account), "config": config}]})

    async def container(self, request: Request) -> Response:
        account, fields = self._own(request), await body_of(request)
        caption, alt = str(fields.get("caption", "")), str(fields.get("alt_text", ""))
        facets = reading.facets(caption)
        if len(caption) > 2200:
            raise problem(400, 100, "The caption was too long. It can have up to 2,200 characters.", 2207010)
        if sum(f["type"] == "tag" for f in facets) > 30 or sum(f["type"] == "mention" for f in facets) > 20:
            raise problem(400, 100, "The caption has more than 30 hashtags or 20 mentions.", 2207040)
        if len(alt) > 1000:
            raise problem(400, 100, "The alt text can have up to 1,000 characters.")
        picture = await self.pull(account, str(fields.get("image_url", "")), alt)
        fetched = picture.size != len(PIXEL)
        if fetched and not TALLEST - 0.01 <= picture.width / max(1, picture.height) <= WIDEST + 0.01:
            raise problem(400, 36003, "The aspect ratio is not supported. It must be between 4:5 and 1.91:1.", 2207009)
        number = account.snowflake(self.world.now())
        self.containers[f"{account.name}/{number}"] = {"caption": caption, "picture": picture, "status": "FINISHED"}
        return JSONResponse({"id": number})

    async def publish(self, request: Request) -> Response:
        async def take() -> Response:
            return self._publish(request, await body_of(request))

        return await self.commit(take)

    def _publish(self, request: Request, fields: dict[str, Any]) -> Response:
        account = self._own(request)
        draft = self.containers.get(f"{account.name}/{fields.get('creation_id')}")
        if draft is None or draft["status"] != "FINISHED":
            raise problem(400, 24, "The requested resource does not exist", 2207006)
        if self._used(account) >= POSTS:
            raise problem(400, 9, "Application request limit reached", 2207042)
        draft["status"] = "PUBLISHED"
        return self._keep(request, account, draft["caption"], draft["picture"], None)

    async def comment(self, request: Request) -> Response:
        async def take() -> Response:
            account, fields = self.authorize(request), await body_of(request)
            message = str(fields.get("message", ""))
            on = self._alive(account, request.path_params["number"], "post")
            # https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-comment/replies
            if not message.strip() or len(message) > 300:
                raise problem(400, 100, "The comment can have up to 300 characters.")
            return self._keep(request, account, message, None, on.id)

        return await self.commit(take)

    def _keep(
        self, request: Request, account: Account, text: str, picture: Picture | None, reply_to: str | None
    ) -> Response:
        now = self.world.now()
        number = account.snowflake(now)
        account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=now.isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=[f for f in reading.facets(text) if f["type"] != "link"],
                pictures=[picture] if picture else [],
                reply_to=reply_to,
            )
        )
        return JSONResponse({"id": number})

    async def media(self, request: Request) -> Response:
        account = self._own(request)
        return paged(
            request,
            [
                {"id": p.id, "caption": p.text, "timestamp": stamp(p.at), "permalink": p.permalink}
                for p in account.living
                if p.reply_to is None
            ],
        )

    async def comments(self, request: Request) -> Response:
        account = self.authorize(request)
        on = self._alive(account, request.path_params["number"], "get")
        return paged(
            request,
            [
                {"id": p.id, "text": p.text, "timestamp": stamp(p.at), "username": account.name}
                for p in account.living
                if p.reply_to == on.id
            ],
        )

    async def read(self, request: Request) -> Response:
        account, number = self.authorize(request), request.path_params["number"]
        if number == str(account.number):
            return JSONResponse({"id": number, "username": account.name})
        if draft := self.containers.get(f"{account.name}/{number}"):
            return JSONResponse({"id": number, "status_code": draft["status"]})
        post = self._alive(account, number, "get")
        said = {"text" if post.reply_to else "caption": post.text}
        return JSONResponse({"id": post.id, **said, "permalink": post.permalink, "timestamp": stamp(post.at)})

    async def insights(self, request: Request) -> Response:
        self._alive(self.authorize(request), request.path_params["number"], "get")
        names = request.query_params.get("metric", "views").split(",")
        return JSONResponse({"data": [{"name": n, "period": "lifetime", "values": [{"value": 0}]} for n in names]})

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            account = self.authorize(request)
            account.remove(self._alive(account, request.path_params["number"], "delete"))
            return JSONResponse({"success": True})

        return await self.commit(take)

    def _own(self, request: Request) -> Account:
        account = self.authorize(request)
        if request.path_params["user"] not in {str(account.number), "me"}:
            raise missing(request.path_params["user"])
        return account

    def _alive(self, account: Account, number: str, what: str) -> Received:
        post = account.alive(number)
        if post is None:
            raise missing(number, what)
        return post

    def _used(self, account: Account) -> int:
        """Posts of the last 24 hours, deleted ones too."""
        since = self.world.now() - DAY
        return sum(p.reply_to is None and datetime.fromisoformat(p.at) > since for p in account.posts.values())
