"""A stand-in for a relay of Nostr and a Blossom server: events over a WebSocket, pictures by hash. Not a relay."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from rehearsal import text as reading
from rehearsal.world import BEFORE, Account, Platform, Received, Refused

TEXT = 5000
NOTE, DELETION, UPLOAD = 1, 5, 24_242
LOCKED = "locked"  # a relay whose account has this in its name wants to know who writes before it takes anything
BLOCKED = "blocked"  # and this one takes nothing
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CHALLENGE = "who is there?"


class Nostr(Platform):
    """Speaks for any key; whether a signature is right is not looked at here, the id is."""

    name: ClassVar = "nostr"
    public: ClassVar = "/{number}"

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/", self.about),
            WebSocketRoute("/", self.speak),
            Route("/upload", self.upload, methods=["PUT"]),
            Route("/blob/{file}", self.blob),
            Route("/{code}", self.shown),
        ]

    def trouble(self, status: int) -> Response:
        return JSONResponse({"message": "Internal Server Error"}, status)

    async def about(self, request: Request) -> Response:
        """NIP-11."""
        limits = {"max_content_length": TEXT + 300, "payment_required": False, "min_pow_difficulty": 0}
        return JSONResponse({"name": self.account(request).name, "supported_nips": [1, 9, 11], "limitation": limits})

    async def speak(self, socket: WebSocket) -> None:
        """One conversation: NIP-01, NIP-09, NIP-42."""
        account = self.world.account(self.name, socket.path_params["account"])
        home = f"{str(socket.base_url).replace('ws', 'http', 1).rstrip('/')}/{self.name}/{account.name}"
        await socket.accept()
        known = LOCKED not in account.name
        if not known:
            await socket.send_text(json.dumps(["AUTH", CHALLENGE]))
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                kind, *told = json.loads(await socket.receive_text())
                match kind:
                    case "AUTH":
                        known = ["challenge", CHALLENGE] in told[0]["tags"]
                        await socket.send_text(json.dumps(["OK", told[0]["id"], known, ""]))
                    case "EVENT":
                        await self._event(socket, account, home, told[0], known=known)
                    case "REQ":
                        for event in _wanted(account, told[1]):
                            await socket.send_text(json.dumps(["EVENT", told[0], event]))
                        await socket.send_text(json.dumps(["EOSE", told[0]]))

    async def _event(
        self, socket: WebSocket, account: Account, home: str, event: dict[str, Any], *, known: bool
    ) -> None:
        fault = self.world.fault(self.name)
        answer: tuple[bool, str] = (False, "auth-required: say who you are")
        if known and fault not in BEFORE:
            answer = self._take(account, home, event)
        match fault:
            case None:
                await socket.send_text(json.dumps(["OK", event["id"], *answer]))
            case "429":
                await socket.send_text(json.dumps(["OK", event["id"], False, "rate-limited: slow down there"]))
            case "500-before" | "500-after":
                await socket.send_text(json.dumps(["OK", event["id"], False, "error: could not reach the database"]))
            case "garbled":
                await socket.send_text('["OK", "')
            case "hang" | "accept-then-hang":
                pass
            case _:
                socket.scope["rehearsal.close"]()

    def _take(self, account: Account, home: str, event: Mapping[str, Any]) -> tuple[bool, str]:
        said = [0, event["pubkey"], event["created_at"], event["kind"], event["tags"], event["content"]]
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        if hashlib.sha256(text.encode()).hexdigest() != event["id"] or len(event["sig"]) != 128:
            return False, "invalid: the id is not that of the event"
        if BLOCKED in account.name:
            return False, "blocked: you are not on the list"
        if event["id"] in account.posts:
            return True, "duplicate: already have this event"
        if event["kind"] == DELETION:
            for tag in event["tags"]:
                if tag[0] == "e" and (post := account.alive(tag[1])):
                    account.remove(post)
            return True, ""
        return self._note(account, home, event)

    def _note(self, account: Account, home: str, event: Mapping[str, Any]) -> tuple[bool, str]:
        """Keep a note as its readers see it: the address of a picture is the picture."""
        content, pictures = event["content"], []
        for about in (dict(p.partition(" ")[::2] for p in t[1:]) for t in event["tags"] if t[0] == "imeta"):
            name = about["url"].rpartition("/")[2]
            content = content.replace(about["url"], "").rstrip()
            found = next((p for p in account.pictures.values() if p.path.endswith(name)), None)
            if found:
                pictures.append(account.describe(found, about.get("alt", "")))
        if len(content) > TEXT:
            return False, "invalid: the content is too long"
        answered = {t[3]: t[1] for t in event["tags"] if t[0] == "e" and len(t) > 3}
        facets = reading.facets(content)
        account.keep(
            Received(
                platform=self.name,
                account=account.name,
                id=event["id"],
                at=self.world.now().isoformat(),
                text=content,
                permalink=f"{home}/posts/{event['id']}",
                facets=facets,
                card=None if pictures else reading.card(facets),
                pictures=pictures,
                reply_to=answered.get("reply") or answered.get("root"),
                own=dict(event),
            )
        )
        return True, ""

    async def upload(self, request: Request) -> Response:
        """BUD-02, BUD-11."""
        content, account = await request.body(), self.account(request)
        digest = hashlib.sha256(content).hexdigest()
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        tags = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["tags"] if kind == "Nostr" else []
        if ["t", "upload"] not in tags or ["x", digest] not in tags:
            raise Refused(JSONResponse({"message": "no token for this"}, 401))
        picture = account.keep_picture(digest, content)
        if picture is None:
            raise Refused(JSONResponse({"message": "no picture"}, 415))
        address = f"{self.home(request)}/blob/{picture.path.rpartition('/')[2]}"
        told = {"url": address, "sha256": digest, "size": len(content), "type": picture.mime, "uploaded": 0}
        return JSONResponse(told, 201)

    async def shown(self, request: Request) -> Response:
        """Where a gateway shows a note."""
        return RedirectResponse(f"{self.home(request)}/posts/{_id(request.path_params['code'])}")

    async def blob(self, request: Request) -> Response:
        account, name = self.account(request), request.path_params["file"]
        found = next((p for p in account.pictures.values() if p.path.endswith(name)), None)
        if found is None:
            raise Refused(JSONResponse({"message": "not found"}, 404))
        return Response((account.folder / found.path).read_bytes(), media_type=found.mime)


def _id(code: str) -> str:
    """The id in an nevent1…, which comes first in it (NIP-19)."""
    bits = "".join(f"{LETTERS.index(c):05b}" for c in code.rpartition("1")[2] if c in LETTERS)
    return bytes(int(bits[n : n + 8], 2) for n in range(0, len(bits) - 7, 8))[2:34].hex()


def _wanted(account: Account, asked: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The events that a filter asks for, newest first."""
    if 0 in asked.get("kinds", ()):
        content = json.dumps({"name": account.name})
        return [{"kind": 0, "pubkey": a, "created_at": 0, "content": content, "tags": []} for a in asked["authors"]]
    found = [p.own for p in account.living]
    found = [e for e in found if e["id"] in asked.get("ids", (e["id"],)) and e["kind"] in asked.get("kinds", (NOTE,))]
    if named := asked.get("#e"):
        found = [e for e in found if any(t[0] == "e" and t[1] in named for t in e["tags"])]
    return found
