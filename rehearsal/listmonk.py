"""A stand-in for Listmonk's API: lists, pictures, campaigns that are drafted and set running once. Not Listmonk."""

from __future__ import annotations

from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.letters import Letters, basic
from rehearsal.world import Refused, body_of

FAR = 9000  # a list whose number is larger does not exist


class Listmonk(Letters):
    """Speaks /api for any user; a token that begins with ``expired`` is not known."""

    name: ClassVar = "listmonk"
    public: ClassVar = "/archive/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/api/lists/{number:int}", self.list),
            Route("/api/media", self.upload, methods=["POST"]),
            Route("/api/campaigns", self.create, methods=["POST"]),
            Route("/api/campaigns/{number}", self.read),
            Route("/api/campaigns/{number}/status", self.start, methods=["PUT"]),
        ]

    def trouble(self, status: int) -> Response:
        return JSONResponse({"message": "Internal Server Error"}, status, {"Retry-After": "1"} if status == 429 else {})

    async def list(self, request: Request) -> Response:
        _authorize(request)
        number = request.path_params["number"]
        if number > FAR:
            raise _no(400, "Subscriber list not found")
        return JSONResponse({"data": {"id": number, "name": f"List {number} of {self.account(request).name}"}})

    async def upload(self, request: Request) -> Response:
        _authorize(request)
        url = self.picture(request, (await body_of(request))["file"])
        if not url:
            raise _no(400, "Unsupported file type")
        return JSONResponse({"data": {"id": 1, "url": url}})

    async def create(self, request: Request) -> Response:
        _authorize(request)
        told = await body_of(request)
        if not told.get("subject") or not told.get("lists") or told.get("content_type") != "html":
            raise _no(400, "Invalid fields: subject, lists")
        number = self.draft(self.account(request), subject=told["subject"], html=str(told.get("body", "")))
        return JSONResponse({"data": {"id": int(number), "status": "draft"}})

    async def read(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse({"data": self._told(request)})

    async def start(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            if (await body_of(request)).get("status") != "running":
                raise _no(400, "Unknown status")
            if self._told(request)["status"] != "draft":
                raise _no(400, "Only draft campaigns can be started")
            self.sent(request, request.path_params["number"])
            return JSONResponse({"data": self._told(request)})

        return await self.commit(take)

    def _told(self, request: Request) -> dict[str, Any]:
        number = request.path_params["number"]
        draft = self.drafts(self.account(request)).get(number)
        if draft is None:
            raise _no(404, "Campaign not found")
        return {"id": int(number), "status": "running" if draft["sent"] else "draft", "views": 0, "clicks": 0}


def _authorize(request: Request) -> None:
    user, token = basic(request)
    if not user or not token or token.startswith("expired"):
        raise _no(403, "Invalid API credentials")


def _no(status: int, words: str) -> Refused:
    return Refused(JSONResponse({"message": words}, status))
