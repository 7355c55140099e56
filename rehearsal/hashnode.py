"""A stand-in for Hashnode's GraphQL: drafts that end when they are published, pictures by a form. Not Hashnode."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Platform, Received, Refused, bearer, body_of

TAGS = 15
NAMED = re.compile(r"^(?:query|mutation) (\w+)")
POOR = "poor"  # a host that begins so has no Pro plan


class Hashnode(Platform):
    """Answers what the adapter asks, by the operation's name; any token is good unless it begins with ``expired``."""

    name: ClassVar = "hashnode"
    public: ClassVar = "/blog/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/", self.ask, methods=["POST"]),
            Route("/bucket", self.bucket, methods=["POST"]),
            Route("/read/{slug}", self.linked),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return JSONResponse({"message": "Too many requests"}, 429, {"Retry-After": "1"})
        return _error("INTERNAL_SERVER_ERROR", "Something broke", status).answer

    async def ask(self, request: Request) -> Response:
        body = await body_of(request)
        act, given = (NAMED.match(str(body.get("query"))) or [""] * 2)[1], body.get("variables") or {}
        acts = {"Me": self._me, "Upload": self._upload, "Draft": self._draft, "Find": self._find, "Count": self._count}
        commits = {"Publish": self._publish, "Update": self._update}

        async def take() -> Response:
            if not bearer(request) or bearer(request).startswith("expired"):
                raise _error("UNAUTHENTICATED", "Missing or invalid token")
            return JSONResponse({"data": {**acts, **commits}[act](request, given)})

        return await (self.commit(take) if act in commits else take())

    async def bucket(self, request: Request) -> Response:
        account, fields = self.account(request), await body_of(request)
        if account.keep_picture(str(fields["key"]), fields["file"]) is None:
            return Response("<Error/>", 400)
        return Response(status_code=204)

    def _me(self, request: Request, given: dict[str, Any]) -> dict[str, Any]:
        name, host = self.account(request).name, str(given["host"])
        if host.startswith(POOR):
            raise _error("FORBIDDEN", "Publication does not have an active Pro plan. Upgrade in your dashboard.")
        found = {"id": "pub1", "title": name, "url": f"{self.home(request)}/"} if not host.startswith("no") else None
        return {"me": {"id": "u1", "username": name}, "publication": found}

    def _upload(self, request: Request, given: dict[str, Any]) -> dict[str, Any]:
        key = self.account(request).snowflake(self.world.now())
        fields = {"key": key, "Content-Type": given["input"]["contentType"]}
        return {"createImageUploadURL": {"presignedPost": {"url": f"{self.home(request)}/bucket", "fields": fields}}}

    def _draft(self, request: Request, given: dict[str, Any]) -> dict[str, Any]:
        account, said = self.account(request), given["input"]
        if len(said.get("tags", [])) > TAGS or any("slug" not in t for t in said.get("tags", [])):
            raise _error("BAD_USER_INPUT", "Too many tags")
        number = hashlib.sha256(account.snowflake(self.world.now()).encode()).hexdigest()[:24]
        _keep(account, {**_drafts(account), number: said})
        return {"createDraft": {"draft": {"id": number}}}

    def _publish(self, request: Request, given: dict[str, Any]) -> dict[str, Any]:
        account, number = self.account(request), given["input"]["draftId"]
        drafts = _drafts(account)
        if number not in drafts:
            raise _error("NOT_FOUND", "Draft not found")
        said = drafts.pop(number)
        _keep(account, drafts)
        post = hashlib.sha256(f"post {number}".encode()).hexdigest()[:24]
        key = _cover(said)
        slugs = {p.own["slug"] for p in account.living}
        slug = f"{said['slug']}-1" if said["slug"] in slugs else said["slug"]
        kept = Received(
            platform=self.name,
            account=account.name,
            id=post,
            at=self.world.now().isoformat(),
            permalink=self.permalink(request, post),
            pictures=[account.pictures[key]] if key else [],
            own={"slug": slug, "tags": said.get("tags", []), "canonical": said.get("originalArticleURL")},
            **_shown(said),
        )
        return {"publishDraft": {"post": self._told(request, account.keep(kept))}}

    def _update(self, request: Request, given: dict[str, Any]) -> dict[str, Any]:
        account, said = self.account(request), given["input"]
        post = account.alive(said["id"])
        if post is None:
            raise _error("NOT_FOUND", "Post not found")
        pictures = [account.pictures[key]] if (key := _cover(said)) else post.pictures
        better = dataclasses.replace(post, pictures=pictures, **_shown(said))
        return {"updatePost": {"post": self._told(request, account.keep(better))}}

    def _find(self, request: Request, given: dict[str, Any]) -> dict[str, Any]:
        found = [p for p in self.account(request).living if p.own["slug"] == given["slug"]]
        return {"publication": {"id": given["id"], "post": self._told(request, found[0]) if found else None}}

    def _count(self, request: Request, given: dict[str, Any]) -> dict[str, Any]:
        del request
        return {"post": {"id": given["id"], "reactionCount": 0, "responseCount": 0, "views": 0}}

    def _told(self, request: Request, post: Received) -> dict[str, Any]:
        slug = post.own["slug"]
        return {"id": post.id, "slug": slug, "url": f"{self.home(request)}/read/{slug}"}

    async def linked(self, request: Request) -> Response:
        """A post's own page, for a reader's browser."""
        slug = request.path_params["slug"]
        found = [p for p in self.account(request).living if p.own["slug"] == slug]
        return RedirectResponse(self.permalink(request, found[0].id)) if found else Response(status_code=404)


def _cover(said: dict[str, Any]) -> str:
    return str((said.get("coverImageOptions") or {}).get("coverImageURL", "")).rpartition("/")[2]


def _shown(said: dict[str, Any]) -> dict[str, Any]:
    body, facets = reading.read_markdown(re.sub(r"<(https?://[^<>\s]+)>", r"\1", said["contentMarkdown"]))
    ahead = len(said["title"]) + 2 if body else 0
    moved = [{**f, "start": f["start"] + ahead, "end": f["end"] + ahead} for f in facets]
    return {"text": f"{said['title']}\n\n{body}".strip(), "facets": moved}


def _drafts(account: Account) -> dict[str, Any]:
    path = account.folder / "drafts.json"
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _keep(account: Account, drafts: dict[str, Any]) -> None:
    account.folder.mkdir(parents=True, exist_ok=True)
    (account.folder / "drafts.json").write_text(json.dumps(drafts))


def _error(code: str, words: str, status: int = 200) -> Refused:
    return Refused(JSONResponse({"errors": [{"message": words, "extensions": {"code": code}}], "data": None}, status))
