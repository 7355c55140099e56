"""A stand-in for Misskey and Sharkey: all by POST, markup as it is shown, a token for a session once. Not Misskey."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.oauth import Desk, Shape
from rehearsal.world import Picture, Platform, Received, Refused, World, body_of

TEXT, ALT, WARNING, PICTURES, BYTES = 3000, 512, 100, 16, 10_000_000
PLAIN = re.compile(r"<plain>(.+?)</plain>|<(https?://[^\s>]+)>", re.DOTALL)
LIVE = re.compile(
    r"(?P<link>https?://[.,\w/:%#@$&?!~=+-]*[\w/:%#@$&?!~=+-])|(?P<mention>(?<![A-Za-z0-9])@[\w-]+(?:@[\w.-]+\w)?)"
    r"|(?P<tag>(?<![A-Za-z0-9])#[^\s.,!?'\"#:/\[\]【】()「」（）<>\0]+)",
    re.ASCII,
)
VISIBLE = {"public", "home", "followers", "specified"}
FREE = {"meta"}  # what nobody needs a token for
SCOPES = {"i": "read:account", "drive/files/create": "write:drive", "drive/files/update": "write:drive"}
SCOPES |= dict.fromkeys(("notes/create", "notes/edit", "notes/delete"), "write:notes")


class Misskey(Platform):
    """Speaks for any account; any token is good unless it begins with ``expired`` or with ``reader``, who may not post.

    An account whose name has ``sharkey`` in it is on a server where notes can be changed.
    """

    name: ClassVar = "misskey"
    public: ClassVar = "/notes/{number}"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # https://misskey-hub.net/en/docs/for-developers/api/token/miauth/
        self.desk = MiAuth(self)

    def routes(self) -> list[Route]:
        return [
            *self.desk.routes(),
            Route("/.well-known/nodeinfo", self.nodeinfo_links),
            Route("/nodeinfo/2.1", self.nodeinfo),
            Route("/api/{endpoint:path}", self.ask, methods=["POST"]),
        ]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return _problem(
                429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded. Please try again later.", {"Retry-After": "1"}
            )
        return _problem(status, "INTERNAL_ERROR", "Internal error occurred. Please contact us if the error persists.")

    async def nodeinfo_links(self, request: Request) -> Response:
        schema = "http://nodeinfo.diaspora.software/ns/schema/2.1"
        return JSONResponse({"links": [{"rel": schema, "href": f"{self.home(request)}/nodeinfo/2.1"}]})

    async def nodeinfo(self, request: Request) -> Response:
        name = "sharkey" if self._changes(request) else "misskey"
        return JSONResponse({"version": "2.1", "software": {"name": name, "version": "2025.10.1"}})

    async def ask(self, request: Request) -> Response:
        """One of the endpoints, all of which are asked by POST."""
        name = request.path_params["endpoint"]
        acts = {"meta": self._meta, "i": self._me, "users/notes": self._notes, "notes/show": self._show}
        acts |= {"drive/files/create": self._upload, "drive/files/update": self._describe}
        commits = {"notes/create": self._create, "notes/delete": self._delete}
        if self._changes(request):
            commits["notes/edit"] = self._edit
        if name not in acts and name not in commits:
            raise Refused(_problem(404, "UNKNOWN_API_ENDPOINT", "Unknown API endpoint."))
        fields = await body_of(request)
        self._authorize(request, name, fields)
        if name in acts:
            return acts[name](request, fields)
        if fields.get("visibility", "public") not in VISIBLE:
            raise _invalid("visibility")

        async def take() -> Response:
            return commits[name](request, fields)

        return await self.commit(take)

    def _meta(self, request: Request, fields: dict[str, Any]) -> Response:
        del fields
        told = {
            "version": "2025.10.1",
            "uri": self.home(request),
            "maxNoteTextLength": TEXT,
            "features": {"miauth": True},
        }
        return JSONResponse(told)

    def _me(self, request: Request, fields: dict[str, Any]) -> Response:
        del fields
        account = self.account(request)
        policies = {"maxFileSizeMb": BYTES // 1_000_000, "canPublicNote": True}
        return JSONResponse({**self._user(request), "isCat": "cat" in account.name, "policies": policies})

    def _upload(self, request: Request, fields: dict[str, Any]) -> Response:
        account, file, alt = self.account(request), fields.get("file"), str(fields.get("comment", ""))
        if not isinstance(file, bytes):
            raise _invalid("file")
        if len(alt) > ALT:
            raise _invalid("comment")
        if len(file) > BYTES:
            raise Refused(
                _problem(413, "MAX_FILE_SIZE_EXCEEDED", "Cannot upload the file: it exceeds the maximum size.")
            )
        same = [p for p in account.pictures.values() if (account.folder / p.path).read_bytes() == file]
        if same and fields.get("force") != "true":
            return JSONResponse(self._file(request, same[0]))
        picture = account.keep_picture(account.snowflake(self.world.now()), file, alt=alt)
        if picture is None:
            raise _invalid("file")
        return JSONResponse(self._file(request, picture))

    def _describe(self, request: Request, fields: dict[str, Any]) -> Response:
        account = self.account(request)
        picture = account.pictures.get(str(fields.get("fileId")))
        if picture is None:
            raise _invalid("fileId")
        return JSONResponse(self._file(request, account.describe(picture, str(fields.get("comment") or ""))))

    def _create(self, request: Request, fields: dict[str, Any]) -> Response:
        account, now = self.account(request), self.world.now()
        said = self._said(request, fields)
        answered = fields.get("replyId")
        if answered is not None and account.alive(str(answered)) is None:
            raise Refused(_problem(400, "NO_SUCH_REPLY_TARGET", "No such reply target."))
        number = account.snowflake(now)
        post = Received(
            platform=self.name,
            account=account.name,
            id=number,
            at=now.isoformat(),
            permalink=self.permalink(request, number),
            reply_to=str(answered) if answered is not None else None,
            **said,
        )
        return JSONResponse({"createdNote": self._note(request, account.keep(post))})

    def _edit(self, request: Request, fields: dict[str, Any]) -> Response:
        account = self.account(request)
        post = account.alive(str(fields.get("editId")))
        if post is None:
            raise Refused(_problem(400, "NO_SUCH_NOTE", "No such note."))
        changed = dataclasses.replace(post, **self._said(request, fields))
        return JSONResponse({"createdNote": self._note(request, account.keep(changed))})

    def _said(self, request: Request, fields: dict[str, Any]) -> dict[str, Any]:
        """What a note says, if it may."""
        account, markup, warning = self.account(request), str(fields.get("text") or ""), fields.get("cw")
        files = [str(f) for f in fields.get("fileIds") or ()]
        pictures = [p for f in files if (p := account.pictures.get(f))]
        if not markup.strip() and not files:
            raise _invalid("text")
        if len(markup) > TEXT:
            raise _invalid("text")
        if warning is not None and not 0 < len(str(warning)) <= WARNING:
            raise _invalid("cw")
        if len(files) > PICTURES:
            raise _invalid("fileIds")
        if len(pictures) < len(files):
            raise Refused(_problem(400, "NO_SUCH_FILE", "Some files are not found."))
        text, facets = read_markup(markup.strip())
        own = {"markup": markup.strip(), "cw": warning, "visibility": fields.get("visibility", "public")}
        return {
            "text": text,
            "facets": facets,
            "card": None if pictures else reading.card(facets),
            "pictures": pictures,
            "own": own,
        }

    def _delete(self, request: Request, fields: dict[str, Any]) -> Response:
        account = self.account(request)
        post = account.alive(str(fields.get("noteId")))
        if post is None:
            raise Refused(_problem(400, "NO_SUCH_NOTE", "No such note."))
        account.remove(post)
        return Response(status_code=204)

    def _notes(self, request: Request, fields: dict[str, Any]) -> Response:
        account = self.account(request)
        if fields.get("userId") != str(account.number):
            raise Refused(_problem(400, "NO_SUCH_USER", "No such user."))
        posts = account.living
        if not fields.get("withReplies"):
            posts = [p for p in posts if p.reply_to is None]
        if until := fields.get("untilId"):
            posts = [p for p in posts if int(p.id) < int(until)]
        return JSONResponse([self._note(request, p) for p in posts[: min(int(fields.get("limit", 10)), 100)]])

    def _show(self, request: Request, fields: dict[str, Any]) -> Response:
        post = self.account(request).alive(str(fields.get("noteId")))
        if post is None:
            raise Refused(_problem(400, "NO_SUCH_NOTE", "No such note."))
        return JSONResponse(self._note(request, post))

    def _authorize(self, request: Request, name: str, fields: dict[str, Any]) -> None:
        if name in FREE:
            return
        token = str(fields.get("i") or "")
        if not token:
            raise Refused(_problem(401, "CREDENTIAL_REQUIRED", "Credential required."))
        account = self.account(request)
        if token.startswith("expired") or not self.desk.good(account, token):
            words = "Authentication failed. Please ensure your token is correct."
            raise Refused(_problem(401, "AUTHENTICATION_FAILED", words))
        allowed = self.desk.scopes(account, token)
        if token.startswith("reader"):
            allowed = ["read:account"]
        if allowed is not None and name in SCOPES and SCOPES[name] not in allowed:
            words = "Your app does not have the necessary permissions to use this endpoint."
            raise Refused(_problem(403, "PERMISSION_DENIED", words))

    def _changes(self, request: Request) -> bool:
        return "sharkey" in self.account(request).name

    def _user(self, request: Request) -> dict[str, Any]:
        account = self.account(request)
        return {"id": str(account.number), "username": account.name, "host": None, "name": account.name}

    def _file(self, request: Request, picture: Picture) -> dict[str, Any]:
        address = f"{self.home(request)}/{picture.path}"
        return {"id": picture.id, "type": picture.mime, "url": address, "comment": picture.alt or None}

    def _note(self, request: Request, post: Received) -> dict[str, Any]:
        return {
            "id": post.id,
            "createdAt": datetime.fromisoformat(post.at).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "userId": str(self.account(request).number),
            "user": self._user(request),
            "text": post.own["markup"] or None,
            "cw": post.own["cw"],
            "visibility": post.own["visibility"],
            "replyId": post.reply_to,
            "renoteId": None,
            "fileIds": [p.id for p in post.pictures],
            "files": [self._file(request, p) for p in post.pictures],
            "reactions": {},
            "renoteCount": 0,
            "repliesCount": sum(p.reply_to == post.id for p in self.account(request).living),
        }


class MiAuth(Desk):
    """A page for a session; whoever then knows the session gets the token, once."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(
            platform, Shape(authorize="/miauth/{session}", endpoint="/api/miauth/{session}/check", access=None)
        )

    async def page(self, request: Request) -> Response:
        asked, name = request.query_params, self.platform.account(request).name
        return HTMLResponse(self.consent(name, [s for s in asked.get("permission", "").split(",") if s]))

    async def decided(self, request: Request) -> Response:
        """Back to whoever asked, with the session; who says no stays where they are."""
        account, session = self.platform.account(request), request.path_params["session"]
        async with request.form() as form:
            allowed, scopes = form.get("decision") == "allow", [str(v) for v in form.getlist("scope")]
        if not allowed:
            return HTMLResponse(self.sorry("You said no."))
        kept = self.kept(account)
        kept["codes"][session] = {"scopes": scopes, "used": ""}
        self.keep(account, kept)
        back, _, query = request.query_params["callback"].partition("?")
        return RedirectResponse(f"{back}?{urlencode({**dict(parse_qsl(query)), 'session': session})}", 302)

    async def token(self, request: Request) -> Response:
        account = self.platform.account(request)
        kept = self.kept(account)
        session = kept["codes"].get(request.path_params["session"])
        if session is None or session["used"]:
            return JSONResponse({"ok": False})
        token = session["used"] = self.draw()
        kept["access"][token] = {"ends": "", "scopes": session["scopes"]}
        self.keep(account, kept)
        return JSONResponse({"ok": True, "token": token, "user": {"username": account.name}})


def read_markup(markup: str) -> tuple[str, list[dict[str, Any]]]:
    """The text that Misskey shows of its markup, and the links, tags and mentions that are live in it."""
    said, mask, facets, done = "", "", [], 0
    for piece in [*PLAIN.finditer(markup), None]:
        bare = markup[done : piece.start() if piece else len(markup)]
        said, mask = said + bare, mask + bare
        if piece is None:
            break
        done = piece.end()
        words = piece[1] or piece[2]
        if piece[2]:
            facets.append(reading.facet("link", len(said), len(said) + len(words), words))
        said, mask = said + words, mask + "\0" * len(words)
    for match in LIVE.finditer(mask):
        value = match[0] if match.lastgroup == "link" else match[0][1:]
        facets.append(reading.facet(str(match.lastgroup), match.start(), match.end(), value))
    return said, sorted(facets, key=lambda f: int(f["start"]))


def _invalid(param: str) -> Refused:
    return Refused(_problem(400, "INVALID_PARAM", f"Invalid param: {param}."))


def _problem(status: int, code: str, words: str, headers: dict[str, str] | None = None) -> Response:
    told = {"message": words, "code": code, "id": "00000000-0000-0000-0000-000000000000", "kind": "client"}
    return JSONResponse({"error": told}, status, headers)
