"""A stand-in for Buttondown's API: one newsletter, emails that are drafts until they are told to go. Not Buttondown."""

from __future__ import annotations

from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.letters import Letters
from rehearsal.world import Refused, body_of

LIVE = "x-buttondown-live-dangerously"


class Buttondown(Letters):
    """Speaks /v1 for any newsletter; a key that begins with ``expired`` is not known."""

    name: ClassVar = "buttondown"
    public: ClassVar = "/archive/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/v1/newsletters", self.newsletters),
            Route("/v1/images", self.upload, methods=["POST"]),
            Route("/v1/emails", self.create, methods=["POST"]),
            Route("/v1/emails/{number}", self.read),
            Route("/v1/emails/{number}", self.update, methods=["PATCH"]),
        ]

    def trouble(self, status: int) -> Response:
        return JSONResponse({"detail": "Something went wrong"}, status, {"Retry-After": "1"} if status == 429 else {})

    async def newsletters(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse({"results": [{"id": "nl_1", "name": self.account(request).name}], "count": 1})

    async def upload(self, request: Request) -> Response:
        _authorize(request)
        url = self.picture(request, (await body_of(request))["image"])
        if not url:
            raise _no(400, "image_invalid", "This is no picture.")
        return JSONResponse({"id": "img_1", "image": url}, 201)

    async def create(self, request: Request) -> Response:
        _authorize(request)
        told = await body_of(request)
        if not told.get("subject"):
            raise _no(400, "subject_invalid", "An email needs a subject.")
        if told.get("status") != "draft":
            raise _no(400, "sending_requires_confirmation", "This stand-in makes drafts only.")
        number = self.draft(self.account(request), subject=told["subject"], html=str(told.get("body", "")))
        return JSONResponse({"id": number, "status": "draft"}, 201)

    async def read(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse(self._told(request))

    async def update(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            self._told(request)
            if (await body_of(request)).get("status") != "about_to_send" or request.headers.get(LIVE) != "true":
                raise _no(400, "sending_requires_confirmation", "Say that it shall be sent.")
            self.sent(request, request.path_params["number"])
            return JSONResponse({**self._told(request), "status": "about_to_send"})

        return await self.commit(take)

    def _told(self, request: Request) -> dict[str, Any]:
        number = request.path_params["number"]
        draft = self.drafts(self.account(request)).get(number)
        if draft is None:
            raise _no(404, "not_found", "No such email.")
        status = "sent" if draft["sent"] else "draft"
        return {"id": number, "status": status, "absolute_url": self.permalink(request, number)}


def _authorize(request: Request) -> None:
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    if kind != "Token" or not key or key.startswith("expired"):
        raise _no(401, "unauthenticated", "Invalid token.")


def _no(status: int, code: str, words: str) -> Refused:
    return Refused(JSONResponse({"code": code, "detail": words}, status))
