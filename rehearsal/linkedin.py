"""A stand-in for LinkedIn's versioned REST API: little text, image uploads, 422 for a duplicate. Not LinkedIn."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import SEVERAL, Desk, Shape
from rehearsal.world import URN, Account, Picture, Platform, Received, Refused, World, bearer, body_of

ELEMENT = re.compile(
    r"\\(?P<escaped>.)"
    r"|\{hashtag\|\\?(?P<sign>[#\uff03])\|(?P<tag>(?:\\.|[^\\}|])+)\}"
    r"|@\[(?P<name>[^\]]+)\]\((?P<urn>urn:li:(?:person|organization):[\w-]+)\)"
    r"|(?P<short>#\w+)"
    r"|(?P<reserved>[|{}@\[\]()<>#*_~\\])",
    re.DOTALL,
)
AUTHOR = re.compile(r"urn:li:(person|organization):[\w-]+")
ORGANIZATION = "urn:li:organization:"
EXCEPTION = "com.linkedin.content.common.exception.BadRequestResponseException"
VERSION = re.compile(r"20\d\d(0[1-9]|1[0-2])")
DUPLICATE_FOR = timedelta(hours=24)  # 24 to 48 hours by report: https://github.com/ComposioHQ/composio/issues/2710


def read_little(little: str) -> tuple[str, list[dict[str, Any]]]:
    """What a reader sees of ``commentary``: an unescaped reserved character silently ends it, as on the real one."""
    said, facets, done = "", [], 0
    for match in ELEMENT.finditer(little):
        said += little[done : match.start()]
        done = match.end()
        if match["reserved"]:
            done = len(little)
            break
        shown, kind, value = match["escaped"], "", ""
        if match["sign"]:
            value = re.sub(r"\\(.)", r"\1", match["tag"])
            shown, kind = match["sign"] + value, "tag"
        elif match["name"]:
            shown, kind, value = match["name"], "mention", match["urn"]
        elif match["short"]:
            shown, kind, value = match["short"], "tag", match["short"][1:]
        if kind:
            facets.append(reading.facet(kind, len(said), len(said) + len(shown), value))
        said += shown
    said += little[done:]
    facets += [f for f in reading.facets(said) if f["type"] == "link"]
    return said, sorted(facets, key=lambda f: int(f["start"]))


class LinkedIn(Platform):
    """Speaks /v2/userinfo and /rest/… for any account, as one member who also runs any organisation named."""

    name: ClassVar = "linkedin"
    public: ClassVar = "/feed/update/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        shape = Shape(
            authorize="/oauth/v2/authorization",
            endpoint="/oauth/v2/accessToken",
            code=1800,
            access=5_184_000,
            denied={
                "error": "user_cancelled_authorize",
                "error_description": "The user cancelled LinkedIn authorization",
            },
            dead=lambda: _error(401, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked").answer,
        )
        self.desk = Desk(self, shape)

    def routes(self) -> list[Route]:
        return [
            Route("/v2/userinfo", self.userinfo),
            Route("/rest/organizations/{number}", self.organization),
            Route("/rest/organizationAcls", self.roles),
            Route("/rest/images", self.initialize, methods=["POST"]),
            Route("/upload/{image}", self.upload, methods=["PUT"]),
            Route("/rest/posts", self.create, methods=["POST"]),
            Route("/rest/posts", self.by_author),
            Route("/rest/posts/{urn}", self.read),
            Route("/rest/posts/{urn}", self.update, methods=["POST"]),
            Route("/rest/posts/{urn}", self.delete, methods=["DELETE"]),
            Route("/rest/socialActions/{urn}/comments", self.comment, methods=["POST"]),
            Route("/rest/socialActions/{urn}/comments", self.comments),
            Route("/rest/socialActions/{urn}/comments/{comment}", self.answer),
            Route("/rest/socialActions/{urn}/comments/{comment}", self.delete, methods=["DELETE"]),
            Route("/rest/socialActions/{urn}/comments/{comment}", self.update, methods=["POST"]),
            Route("/rest/socialMetadata/{urn}", self.numbers),
            *self.desk.routes(),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return _error(429, "TOO_MANY_REQUESTS", "Resource level throttle limit is reached").answer
        return _error(status, "INTERNAL_SERVER_ERROR", "Internal Server Error").answer

    async def userinfo(self, request: Request) -> Response:
        _authorize(request, versioned=False)
        account = self.account(request)
        return JSONResponse({"sub": _member(account).rpartition(":")[2], "name": account.name, "locale": "en-US"})

    async def organization(self, request: Request) -> Response:
        _authorize(request)
        name, number = self.account(request).name, request.path_params["number"]
        shown = f"{name} {number}" if SEVERAL in name else name
        return JSONResponse({"id": int(number), "localizedName": shown, "vanityName": name})

    async def roles(self, request: Request) -> Response:
        """The organisations a member administers: one, or two where the account's name says several."""
        _authorize(request)
        numbers = ["77", "78"] if SEVERAL in self.account(request).name else ["77"]
        rows = [{"role": "ADMINISTRATOR", "state": "APPROVED", "organization": ORGANIZATION + n} for n in numbers]
        return _paged(request, rows)

    async def initialize(self, request: Request) -> Response:
        _authorize(request)
        if request.query_params.get("action") != "initializeUpload":
            raise _error(400, "INVALID_ACTION", "Invalid action")
        owner = str((await body_of(request)).get("initializeUploadRequest", {}).get("owner", ""))
        if not self._may(request, owner):
            raise _error(403, "ACCESS_DENIED", f"Owner {owner} is not one this token may act for")
        image = "C4E" + self.account(request).snowflake(self.world.now())
        value = {"uploadUrl": f"{self.home(request)}/upload/{image}", "image": f"urn:li:image:{image}"}
        return JSONResponse({"value": value})

    async def upload(self, request: Request) -> Response:
        if not bearer(request):
            raise _error(401, "INVALID_ACCESS_TOKEN", "Invalid access token")
        image = f"urn:li:image:{request.path_params['image']}"
        picture = self.account(request).keep_picture(image, await request.body())
        if picture is None or picture.width * picture.height > 36_152_320:
            raise _error(400, "MEDIA_UNSUPPORTED", "The image cannot be processed")
        return Response(status_code=201)

    async def create(self, request: Request) -> Response:
        async def take() -> Response:
            return self._create(request, await body_of(request))

        return await self.commit(take)

    def _create(self, request: Request, fields: dict[str, Any]) -> Response:
        _authorize(request)
        account, now, author = self.account(request), self.world.now(), str(fields.get("author", ""))
        missing = [
            n for n in ("author", "commentary", "visibility", "distribution", "lifecycleState") if n not in fields
        ]
        if missing:
            raise _error(422, "MISSING_FIELD", f"ERROR :: /{missing[0]} :: field is required but not found")
        if not self._may(request, author):
            raise _error(403, "ACCESS_DENIED", f"Author {author} is not one this token may act for")
        text, facets = read_little(str(fields["commentary"]))
        if len(text) > 3000:
            words = "ERROR :: /commentary :: length exceeds the maximum allowed 3000"
            raise _error(422, "FIELD_LENGTH_TOO_LONG", words)
        content = fields.get("content", {})
        article = content.get("article")
        media = [content["media"]] if "media" in content else content.get("multiImage", {}).get("images", [])
        if len(media) > 20 or ("multiImage" in content and len(media) < 2):
            raise _error(422, "INVALID_CONTENT", "ERROR :: /content/multiImage/images :: must have 2 to 20 elements")
        pictures = [_picture(account, str(m.get("id")), str(m.get("altText", ""))) for m in media]
        if article and "thumbnail" in article:
            pictures = [_picture(account, str(article["thumbnail"]), "")]
        for post in account.saying(text):
            young = now - datetime.fromisoformat(post.at) < DUPLICATE_FOR
            if young and post.reply_to is None and post.own["author"] == author:
                raise _duplicate(post.id)
        urn = URN + account.snowflake(now)
        account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=urn,
                at=now.isoformat(),
                text=text,
                permalink=self.permalink(request, urn),
                facets=facets,
                card={
                    "url": str(article.get("source", "")),
                    "title": str(article.get("title", "")),
                    "description": str(article.get("description", "")),
                }
                if article
                else None,
                pictures=pictures,
                own={"author": author, "commentary": fields["commentary"], "content": content},
            )
        )
        return Response(status_code=201, headers={"x-restli-id": urn})

    async def read(self, request: Request) -> Response:
        _authorize(request)
        post = self.account(request).alive(request.path_params["urn"])
        if post is None:
            raise _missing(request.path_params["urn"])
        if not post.own["author"].startswith(ORGANIZATION):
            raise _error(403, "ACCESS_DENIED", "Not enough permissions to access: posts.GET")
        return JSONResponse(_post(post))

    async def answer(self, request: Request) -> Response:
        _authorize(request)
        comment = self.account(request).alive(request.path_params["comment"])
        if comment is None or comment.reply_to != request.path_params["urn"]:
            raise _missing(request.path_params["comment"])
        return JSONResponse(_comment(comment))

    async def by_author(self, request: Request) -> Response:
        _authorize(request)
        asked = request.query_params
        if asked.get("q") != "author" or request.headers.get("x-restli-method", "").upper() != "FINDER":
            raise _error(400, "ILLEGAL_ARGUMENT", "Only the finder by author is supported")
        author = asked.get("author", "")
        if not author.startswith(ORGANIZATION):
            raise _error(403, "ACCESS_DENIED", "Not enough permissions to access: posts.FINDER-author.NO_VERSION")
        posts = [p for p in self.account(request).living if p.reply_to is None and p.own["author"] == author]
        return _paged(request, [_post(p) for p in posts])

    async def update(self, request: Request) -> Response:
        async def take() -> Response:
            fields = await body_of(request)
            _authorize(request)
            account = self.account(request)
            number = request.path_params.get("comment", request.path_params["urn"])
            post = account.alive(number)
            if post is None:
                raise _missing(number)
            if request.headers.get("x-restli-method", "").upper() != "PARTIAL_UPDATE":
                raise _error(400, "ILLEGAL_ARGUMENT", "X-RestLi-Method must be PARTIAL_UPDATE")
            if post.reply_to is not None:
                said = str(fields.get("patch", {}).get("message", {}).get("$set", {}).get("text", ""))
                return JSONResponse(_comment(account.keep(dataclasses.replace(post, text=said))))
            commentary = str(fields.get("patch", {}).get("$set", {}).get("commentary", ""))
            text, facets = read_little(commentary)
            own = {**post.own, "commentary": commentary}
            account.keep(dataclasses.replace(post, text=text, facets=facets, own=own))
            return Response(status_code=204)

        return await self.commit(take)

    async def delete(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            account = self.account(request)
            if post := account.alive(request.path_params.get("comment", request.path_params["urn"])):
                account.remove(post)
            return Response(status_code=204)  # deleting again is a success, as documented for posts

        return await self.commit(take)

    async def comment(self, request: Request) -> Response:
        async def take() -> Response:
            fields = await body_of(request)
            _authorize(request)
            account, now, actor = self.account(request), self.world.now(), str(fields.get("actor", ""))
            if not self._may(request, actor):
                raise _error(403, "ACCESS_DENIED", f"Actor {actor} is not one this token may act for")
            parent = account.alive(request.path_params["urn"])
            if parent is None:
                raise _missing(request.path_params["urn"])
            text = str(fields.get("message", {}).get("text", ""))
            if not 0 < len(text) <= 1250:
                raise _error(422, "FIELD_LENGTH_TOO_LONG", "ERROR :: /message/text :: length must be 1 to 1250")
            number = account.snowflake(now)
            post = Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=now.isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=[f for f in reading.facets(text) if f["type"] == "link"],
                reply_to=parent.id,
                own={"author": actor},
            )
            return JSONResponse(_comment(account.keep(post)), 201, {"x-restli-id": number})

        return await self.commit(take)

    async def comments(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        parent = account.alive(request.path_params["urn"])
        if parent is None:
            raise _missing(request.path_params["urn"])
        return _paged(request, [_comment(p) for p in account.living if p.reply_to == parent.id])

    async def numbers(self, request: Request) -> Response:
        _authorize(request)
        account = self.account(request)
        post = account.alive(request.path_params["urn"])
        if post is None:
            raise _missing(request.path_params["urn"])
        if not post.own["author"].startswith(ORGANIZATION):
            raise _error(403, "ACCESS_DENIED", "Not enough permissions to access: partnerApiSocialMetadata.GET")
        count = sum(p.reply_to == post.id for p in account.living)
        comments = {"count": count, "topLevelCount": count}
        return JSONResponse({"entity": post.id, "reactionSummaries": {}, "commentSummary": comments})

    def _may(self, request: Request, author: str) -> bool:
        if not AUTHOR.fullmatch(author):
            return False
        return author.startswith(ORGANIZATION) or author == _member(self.account(request))


def _member(account: Account) -> str:
    return "urn:li:person:" + hashlib.sha256(account.name.encode()).hexdigest()[:10]


def _picture(account: Account, number: str, alt: str) -> Picture:
    picture = account.pictures.get(number)
    if picture is None:
        raise _error(400, "INVALID_MEDIA", f"{number} does not exist or is not available")
    if len(alt) > 4086:
        raise _error(422, "FIELD_LENGTH_TOO_LONG", "ERROR :: /content/media/altText :: length exceeds 4086")
    return account.describe(picture, alt) if alt else picture


def _post(post: Received) -> dict[str, Any]:
    return {
        "id": post.id,
        "author": post.own["author"],
        "commentary": post.own["commentary"],
        "content": post.own.get("content") or {},
        "createdAt": _millis(post.at),
        "publishedAt": _millis(post.at),
        "visibility": "PUBLIC",
        "lifecycleState": "PUBLISHED",
    }


def _comment(post: Received) -> dict[str, Any]:
    return {
        "id": post.id,
        "actor": post.own["author"],
        "object": post.reply_to,
        "commentUrn": f"urn:li:comment:({post.reply_to},{post.id})",
        "created": {"actor": post.own["author"], "time": _millis(post.at)},
        "message": {"text": post.text, "attributes": []},
    }


def _paged(request: Request, elements: list[Mapping[str, Any]] | list[dict[str, Any]]) -> Response:
    start, count = int(request.query_params.get("start", "0")), int(request.query_params.get("count", "10"))
    page = elements[start : start + count]
    return JSONResponse({"elements": page, "paging": {"start": start, "count": count, "links": []}})


def _millis(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp() * 1000)


def _authorize(request: Request, *, versioned: bool = True) -> None:
    token = bearer(request)
    if not token or token.startswith("expired"):
        raise _error(401, "INVALID_ACCESS_TOKEN", "Invalid access token")
    if not versioned:
        return
    version = request.headers.get("linkedin-version", "")
    if not version:
        raise _error(
            400, "VERSION_MISSING", "A version must be present. Please specify a version by adding the header."
        )
    if not VERSION.fullmatch(version):
        raise _error(426, "NONEXISTENT_VERSION", f"Requested version {version} is not active")


def _duplicate(urn: str) -> Refused:
    # Body as seen in https://github.com/Arisamiga/Linkedin-RSS/issues/5
    return Refused(
        JSONResponse(
            {
                "errorDetailType": "com.linkedin.common.error.BadRequest",
                "message": f"{EXCEPTION}: Content is a duplicate of {urn}",
                "errorDetails": {
                    "inputErrors": [
                        {"description": "Duplicate post is detected", "input": {}, "code": "DUPLICATE_POST"}
                    ]
                },
                "status": 422,
            },
            422,
        )
    )


def _missing(what: str) -> Refused:
    return _error(404, "NOT_FOUND", f"Entity {what} is not found")


def _error(status: int, code: str, words: str) -> Refused:
    return Refused(JSONResponse({"status": status, "code": code, "message": words}, status))
