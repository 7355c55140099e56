"""A stand-in for Mailchimp's API: campaigns that are made, filled and sent once, a file manager. Not Mailchimp."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.letters import Letters, basic
from rehearsal.world import Refused, body_of


class Mailchimp(Letters):
    """Speaks for any audience but ``missing``; a key that begins with ``expired`` is not known."""

    name: ClassVar = "mailchimp"
    public: ClassVar = "/archive/{number}"

    def routes(self) -> list[Route]:
        return [
            Route("/lists/{audience}", self.audience),
            Route("/file-manager/files", self.upload, methods=["POST"]),
            Route("/campaigns", self.create, methods=["POST"]),
            Route("/campaigns/{number}", self.read),
            Route("/campaigns/{number}/content", self.fill, methods=["PUT"]),
            Route("/campaigns/{number}/actions/send", self.send, methods=["POST"]),
            Route("/reports/{number}", self.report),
        ]

    def trouble(self, status: int) -> Response:
        headers = {"Retry-After": "1"} if status == 429 else {}
        return JSONResponse({"status": status, "title": "Trouble", "detail": "An unexpected error"}, status, headers)

    async def audience(self, request: Request) -> Response:
        _authorize(request)
        if request.path_params["audience"] == "missing":
            raise _no(404, "The requested resource could not be found.")
        return JSONResponse({"id": request.path_params["audience"], "name": self.account(request).name})

    async def upload(self, request: Request) -> Response:
        _authorize(request)
        url = self.picture(request, base64.b64decode(str((await body_of(request)).get("file_data", ""))))
        if not url:
            raise _no(400, "The file is no picture.")
        return JSONResponse({"id": 9, "full_size_url": url})

    async def create(self, request: Request) -> Response:
        _authorize(request)
        told = await body_of(request)
        said = told.get("settings") or {}
        if not (told.get("recipients") or {}).get("list_id") or not said.get("subject_line"):
            raise _no(400, "The resource submitted could not be validated.")
        number = self.draft(self.account(request), subject=said["subject_line"], html="")
        return JSONResponse({"id": number, "status": "save"})

    async def fill(self, request: Request) -> Response:
        _authorize(request)
        self._told(request)
        html = str((await body_of(request)).get("html", ""))
        self.change(self.account(request), request.path_params["number"], html=html)
        return JSONResponse({"html": html})

    async def read(self, request: Request) -> Response:
        _authorize(request)
        return JSONResponse(self._told(request))

    async def send(self, request: Request) -> Response:
        async def take() -> Response:
            _authorize(request)
            if self._told(request)["status"] != "save":
                raise _no(400, "The campaign cannot be sent: it was sent already.")
            self.sent(request, request.path_params["number"])
            return Response(status_code=204)

        return await self.commit(take)

    async def report(self, request: Request) -> Response:
        _authorize(request)
        self._told(request)
        return JSONResponse({"opens": {"opens_total": 0}, "clicks": {"clicks_total": 0}})

    def _told(self, request: Request) -> dict[str, Any]:
        number = request.path_params["number"]
        draft = self.drafts(self.account(request)).get(number)
        if draft is None:
            raise _no(404, "The requested resource could not be found.")
        status = "sent" if draft["sent"] else "save"
        return {"id": number, "status": status, "long_archive_url": self.permalink(request, number)}


def _authorize(request: Request) -> None:
    _, key = basic(request)
    if not key or key.startswith("expired"):
        raise _no(401, "Your API key may be invalid.")


def _no(status: int, words: str) -> Refused:
    return Refused(JSONResponse({"status": status, "title": "No", "detail": words}, status))
