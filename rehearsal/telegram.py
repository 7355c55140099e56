"""A stand-in for Telegram's Bot API: UTF-16 entities, captions of 1,024, and every call a new message. Not Telegram."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Account, Picture, Platform, Received, Refused, body_of

OWN = {"text_link": "link", "url": "link", "hashtag": "tag", "mention": "mention"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method and its fields."""

    request: Request
    account: Account
    fields: dict[str, Any]


class Telegram(Platform):
    """Speaks /bot<token>/<method> for any account; its channel is named like the account, whatever chat_id says."""

    name: ClassVar = "telegram"
    public: ClassVar = "/{username}/{number}"

    def routes(self) -> list[Route]:
        return [Route("/bot{token}/{method}", self.speak, methods=["GET", "POST"])]

    def trouble(self, status: int) -> Response:
        if status == 429:
            return _error(429, "Too Many Requests: retry after 1", parameters={"retry_after": 1}).answer
        return _error(status, "Internal Server Error").answer

    async def speak(self, request: Request) -> Response:
        """One call of any method."""
        token = request.path_params["token"]
        if token.startswith("expired"):
            raise _error(401, "Unauthorized")
        methods = {
            "getme": self._me,
            "getchat": self._chat,
            "sendmessage": self._send,
            "sendphoto": self._photo,
            "editmessagetext": self._edit_text,
            "editmessagecaption": self._edit_caption,
            "editmessagemedia": self._edit_media,
            "deletemessage": self._delete,
        }
        method = request.path_params["method"].lower()
        if method not in methods:
            raise _error(404, "Not Found")

        async def take() -> Response:
            fields = await body_of(request) if request.method == "POST" else dict(request.query_params)
            if method != "getme" and not str(fields.get("chat_id", "")).strip():
                raise _bad("chat_id is empty")
            return methods[method](Call(request, self.account(request), fields))

        return await (take() if method in {"getme", "getchat"} else self.commit(take))

    def _me(self, call: Call) -> Response:
        bot = {
            "id": call.account.number,
            "is_bot": True,
            "first_name": call.account.name,
            "username": f"{call.account.name}_bot",
        }
        return _ok(bot)

    def _chat(self, call: Call) -> Response:
        return _ok(_channel(call.account))

    def _send(self, call: Call) -> Response:
        text = str(call.fields.get("text", ""))
        if not text.strip():
            raise _bad("message text is empty")
        if _utf16(text) > 4096:
            raise _bad("message is too long")
        preview = _structured(call.fields, "link_preview_options", {})
        return self._publish(call, text, "entities", preview=preview)

    def _photo(self, call: Call) -> Response:
        text = str(call.fields.get("caption", ""))
        if _utf16(text) > 1024:
            raise _bad("message caption is too long")
        picture = _kept(call, call.fields.get("photo"))
        return self._publish(call, text, "caption_entities", photo=picture.id)

    def _publish(
        self, call: Call, text: str, entities: str, *, preview: dict[str, Any] | None = None, photo: str = ""
    ) -> Response:
        answered = _structured(call.fields, "reply_parameters", {}).get("message_id")
        if answered is not None and call.account.alive(str(answered)) is None:
            raise _bad("message to be replied not found")
        facets = _facets(text, _structured(call.fields, entities, []))
        if facets is None:
            raise _bad("can't parse entities: entity beyond the end of the text")
        number, now = call.account.counted(), self.world.now()
        post = Received(
            platform=self.name,
            account=call.account.name,
            id=number,
            at=now.isoformat(),
            text=text,
            permalink=self.permalink(call.request, number),
            facets=facets,
            card=None if photo else _card(facets, preview or {}),
            pictures=[call.account.pictures[photo]] if photo else [],
            reply_to=str(answered) if answered is not None else None,
        )
        return _ok(_message(call.account, call.account.keep(post)))

    def _edit_text(self, call: Call) -> Response:
        return self._edit(call, str(call.fields.get("text", "")), "entities", photo=False)

    def _edit_caption(self, call: Call) -> Response:
        return self._edit(call, str(call.fields.get("caption", "")), "caption_entities", photo=True)

    def _edit_media(self, call: Call) -> Response:
        told = _structured(call.fields, "media", {})
        place = str(told.get("media", ""))
        post = call.account.alive(str(call.fields.get("message_id")))
        if post is None:
            raise _bad("message to edit not found")
        if told.get("type") != "photo" or not place.startswith("attach://"):
            raise _bad("this stand-in takes a photo that comes with the request")
        picture = _kept(call, call.fields.get(place.removeprefix("attach://")))
        text, facets = (
            str(told.get("caption", "")),
            _facets(str(told.get("caption", "")), told.get("caption_entities", [])),
        )
        if _utf16(text) > 1024:
            raise _bad("MESSAGE_TOO_LONG")
        if facets is None:
            raise _bad("can't parse entities: entity beyond the end of the text")
        better = dataclasses.replace(post, text=text, facets=facets, card=None, pictures=[picture])
        return _ok(_message(call.account, call.account.keep(better)))

    def _edit(self, call: Call, text: str, entities: str, *, photo: bool) -> Response:
        post = call.account.alive(str(call.fields.get("message_id")))
        if post is None:
            raise _bad("message to edit not found")
        if bool(post.pictures) is not photo:
            raise _bad(
                "there is no caption in the message to edit" if photo else "there is no text in the message to edit"
            )
        if _utf16(text) > (1024 if photo else 4096):
            raise _bad("MESSAGE_TOO_LONG")
        facets = _facets(text, _structured(call.fields, entities, []))
        if facets is None:
            raise _bad("can't parse entities: entity beyond the end of the text")
        if (text, facets) == (post.text, list(post.facets)):
            raise _bad("message is not modified: specified new message content is the same as the current one")
        return _ok(_message(call.account, call.account.keep(dataclasses.replace(post, text=text, facets=facets))))

    def _delete(self, call: Call) -> Response:
        post = call.account.alive(str(call.fields.get("message_id")))
        if post is None:
            raise _bad("message to delete not found")
        call.account.remove(post)
        return JSONResponse({"ok": True, "result": True})


def _structured(fields: dict[str, Any], name: str, empty: Any) -> Any:
    """A field that is JSON: itself in a JSON body, a text in a form."""
    value = fields.get(name, empty)
    return json.loads(value) if isinstance(value, str) else value


def _kept(call: Call, photo: Any) -> Picture:
    if not isinstance(photo, bytes):
        raise _bad("there is no photo in the request")
    if len(photo) > 10_000_000:
        raise _error(413, "Request Entity Too Large")
    picture = call.account.keep_picture(f"photo{len(call.account.pictures) + 1}", photo)
    if picture is None:
        raise _bad("IMAGE_PROCESS_FAILED")
    longer, shorter = max(picture.width, picture.height), min(picture.width, picture.height)
    if longer + shorter > 10_000 or longer > 20 * shorter:
        raise _bad("PHOTO_INVALID_DIMENSIONS")
    return picture


def _facets(text: str, entities: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """What is live: what the server finds by itself and what was said in entities; None if one lies outside."""
    places: list[int] = []
    for index, char in enumerate(text):
        places += [index] * _utf16(char)
    places.append(len(text))
    told = []
    for entity in entities:
        start, end = int(entity["offset"]), int(entity["offset"]) + int(entity["length"])
        if not 0 <= start < end < len(places):
            return None
        s, e = places[start], places[end]
        kind = OWN.get(entity["type"])
        if kind:
            value = entity.get("url") or text[s:e].lstrip("#@\uff03")
            told.append(reading.facet(kind, s, e, value))
    taken = [range(f["start"], f["end"]) for f in told]
    found = [f for f in reading.facets(text) if not any(f["start"] in r or f["end"] - 1 in r for r in taken)]
    return sorted([*told, *found], key=lambda f: int(f["start"]))


def _card(facets: list[dict[str, Any]], preview: dict[str, Any]) -> dict[str, str] | None:
    if preview.get("is_disabled"):
        return None
    if preview.get("url"):
        return {"url": str(preview["url"]), "title": "", "description": ""}
    return reading.card(facets)


def _channel(account: Account) -> dict[str, Any]:
    number = -1_000_000_000_000 - account.number
    return {"id": number, "type": "channel", "title": account.name, "username": account.name}


def _message(account: Account, post: Received) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "message_id": int(post.id),
        "chat": _channel(account),
        "date": int(datetime.fromisoformat(post.at).timestamp()),
    }
    if post.pictures:
        picture = post.pictures[0]
        size = {"file_id": picture.id, "width": picture.width, "height": picture.height, "file_size": picture.size}
        return {**answer, "photo": [size], "caption": post.text}
    return {**answer, "text": post.text}


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _ok(result: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"ok": True, "result": result})


def _bad(words: str) -> Refused:
    return _error(400, f"Bad Request: {words}")


def _error(status: int, words: str, **more: Any) -> Refused:
    return Refused(JSONResponse({"ok": False, "error_code": status, "description": words, **more}, status))
