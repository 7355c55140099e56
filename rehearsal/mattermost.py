"""A stand-in for a Mattermost server: channels by name, files first, flat threads, repeats known a while. Not it."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import datetime, timedelta
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import SEVERAL
from rehearsal.world import Account, Platform, Received, Refused, bearer, body_of

POST = 16_383
FILES = 10
REMEMBERED = timedelta(seconds=30)


class Mattermost(Platform):
    """Speaks /api/v4 for any account; its bot is in every channel but those whose name begins with ``closed``."""

    name: ClassVar = "mattermost"
    public: ClassVar = "/news/channels/{number}"

    def routes(self) -> list[Route]:
        api = "/api/v4"
        return [
            Route(f"{api}/users/me", self.me),
            Route(f"{api}/users/me/teams", self.teams),
            Route(f"{api}/teams/name/{{team}}/channels/name/{{channel}}", self.channel),
            Route(f"{api}/channels/{{channel}}/members/{{user}}", self.member),
            Route(f"{api}/config/client", self.config),
            Route(f"{api}/files", self.file, methods=["POST"]),
            Route(f"{api}/channels/{{channel}}/posts", self.listed),
            Route(f"{api}/posts", self.post, methods=["POST"]),
            Route(f"{api}/posts/{{number}}/patch", self.patch, methods=["PUT"]),
            Route(f"{api}/posts/{{number}}", self.one, methods=["GET", "DELETE"]),
            Route("/{team}/pl/{number}", self.linked),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return Response("limit exceeded", 429, {"Retry-After": "1"})
        return JSONResponse(
            {"id": "app.post.save.app_error", "message": "Unable to save", "status_code": status}, status
        )

    async def me(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        return JSONResponse({"id": _id("user", account.name), "username": account.name, "is_bot": True})

    async def teams(self, request: Request) -> Response:
        _authorize(request)
        names = ["paper", "radio"] if SEVERAL in self.account(request).name else ["paper"]
        return JSONResponse([{"id": _id("team", name), "name": name} for name in names])

    async def channel(self, request: Request) -> Response:
        _authorize(request)
        name = request.path_params["channel"]
        return JSONResponse({"id": _id("channel", name), "name": name, "team_id": _id("team", "t"), "delete_at": 0})

    async def member(self, request: Request) -> Response:
        _authorize(request)
        if request.path_params["channel"] == _id("channel", "closed"):
            raise _no(404, "app.channel.get_member.missing.app_error", "No channel member found")
        return JSONResponse({"channel_id": request.path_params["channel"], "user_id": request.path_params["user"]})

    async def config(self, request: Request) -> Response:
        del request
        told = {"MaxPostSize": str(POST), "MaxFileSize": "104857600", "EnableFileAttachments": "true"}
        return JSONResponse(told)

    async def file(self, request: Request) -> Response:
        _authorize(request)
        account, fields = self.account(request), await body_of(request)
        number = _id("file", account.snowflake(self.world.now()))
        if not fields.get("channel_id") or account.keep_picture(number, fields["files"]) is None:
            raise _no(400, "api.file.upload_file.incorrect_number_of_files.app_error", "Unable to upload files")
        return JSONResponse({"file_infos": [{"id": number}], "client_ids": []}, 201)

    async def post(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            account, now, body = self.account(request), self.world.now(), await body_of(request)
            known = account.keyed(str(body.get("pending_post_id", "")))
            if known and now - datetime.fromisoformat(known.at) < REMEMBERED:
                return JSONResponse(_told(account, known), 201)
            message, files, root = str(body.get("message", "")), body.get("file_ids") or [], body.get("root_id")
            if len(message) > POST:
                raise _no(400, "model.post.is_valid.msg.app_error", "Invalid message: it is too long")
            if not message.strip() and not files:
                raise _no(400, "api.context.invalid_param.app_error", "Invalid or missing message")
            if len(files) > FILES or any(f not in account.pictures for f in files):
                raise _no(400, "model.post.is_valid.file_ids.app_error", "Invalid file ids")
            first = account.alive(str(root)) if root else None
            if root and (first is None or first.reply_to):
                raise _no(400, "api.post.create_post.root_id.app_error", "Invalid RootId parameter")
            text, facets = reading.read_markdown(message)
            number = _id("post", account.snowflake(now))
            bare = (body.get("props") or {}).get("remove_link_preview") == "true"
            post = Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=now.isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=facets,
                card=None if bare else reading.card(facets),
                pictures=[account.pictures[f] for f in files],
                reply_to=str(root) if root else None,
                key=str(body.get("pending_post_id", "")),
                own={"message": message, "channel": body.get("channel_id"), "props": body.get("props") or {}},
            )
            return JSONResponse(_told(account, account.keep(post)), 201)

        return await self.commit(take)

    async def listed(self, request: Request) -> Response:
        _authorize(request)
        account, asked = self.account(request), request.query_params
        size = int(asked.get("per_page", "60"))
        start = int(asked.get("page", "0")) * size
        posts = account.living[start : start + size]
        return JSONResponse({"order": [p.id for p in posts], "posts": {p.id: _told(account, p) for p in posts}})

    async def patch(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            account, body = self.account(request), await body_of(request)
            post, message = self._found(request), str(body.get("message", ""))
            text, facets = reading.read_markdown(message)
            own = {**post.own, "message": message}
            return JSONResponse(
                _told(account, account.keep(dataclasses.replace(post, text=text, facets=facets, own=own)))
            )

        return await self.commit(take)

    async def one(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            self.account(request).remove(self._found(request))
            return JSONResponse({"status": "OK"})

        if request.method == "DELETE":
            return await self.commit(take)
        _authorize(request)
        return JSONResponse(_told(self.account(request), self._found(request)))

    async def linked(self, request: Request) -> Response:
        """A permalink, for a reader's browser."""
        return Response(status_code=307, headers={"Location": self.permalink(request, request.path_params["number"])})

    def _found(self, request: Request) -> Received:
        post = self.account(request).alive(request.path_params["number"])
        if post is None:
            raise _no(404, "app.post.get.app_error", "Unable to get the post")
        return post


def _told(account: Account, post: Received) -> dict[str, Any]:
    return {
        "id": post.id,
        "create_at": int(datetime.fromisoformat(post.at).timestamp() * 1000),
        "delete_at": 0,
        "user_id": _id("user", account.name),
        "channel_id": post.own["channel"],
        "root_id": post.reply_to or "",
        "message": post.own["message"],
        "props": post.own["props"],
        "reply_count": sum(p.reply_to == post.id for p in account.living),
        "file_ids": [p.id for p in post.pictures],
        "metadata": {"reactions": []},
    }


def _id(kind: str, name: str) -> str:
    return hashlib.sha256(f"{kind} {name}".encode()).hexdigest()[:26]


def _authorize(request: Request) -> None:
    token = bearer(request)
    if not token or token.startswith("expired"):
        raise _no(401, "api.context.session_expired.app_error", "Invalid or expired session, please login again.")


def _no(status: int, code: str, words: str) -> Refused:
    return Refused(JSONResponse({"id": code, "message": words, "status_code": status}, status))
