"""A stand-in for a workflow of Microsoft Teams: it answers that it has begun, and shows the card. Not Teams."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Platform, Received, Refused, body_of

SIZE = 28_000
CARD = "application/vnd.microsoft.card.adaptive"


class Teams(Platform):
    """One workflow for any account, under any address that does not begin with ``gone``."""

    name: ClassVar = "teams"
    public: ClassVar = "/message/{number}"

    def routes(self) -> list[Route]:
        return [Route("/{hook}", self.post, methods=["POST"])]

    def trouble(self, status: int) -> Response:
        code = "TooManyRequests" if status == 429 else "InternalServerError"
        headers = {"Retry-After": "1"} if status == 429 else {}
        return JSONResponse({"error": {"code": code, "message": "Something broke"}}, status, headers)

    async def post(self, request: Request) -> Response:
        async def take() -> Response:
            if request.path_params["hook"].startswith("gone"):
                raise _no(404, "WorkflowNotFound", "The workflow could not be found.")
            if len(await request.body()) > SIZE:
                raise _no(413, "RequestEntityTooLarge", "The message is too large.")
            attachment = (await body_of(request)).get("attachments", [{}])[0]
            if attachment.get("contentType") != CARD or attachment["content"].get("type") != "AdaptiveCard":
                raise _no(400, "BadRequest", "The body is no adaptive card.")
            text, facets = _shown(attachment["content"])
            account, now = self.account(request), self.world.now()
            number = account.counted()
            post = Received(
                platform=self.name,
                account=account.name,
                id=number,
                at=now.isoformat(),
                text=text,
                permalink=self.permalink(request, number),
                facets=facets,
                pictures=[],
                own={"card": json.dumps(attachment["content"])},
            )
            account.keep(post)
            return Response(status_code=202)

        return await self.commit(take)


def _shown(card: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """What a reader sees: a line for each block, a blank one before a wider space."""
    said, facets = "", []
    for block in card["body"]:
        if block.get("type") != "RichTextBlock":
            raise _no(400, "BadRequest", "A block that may be Markdown")
        said += {"None": "", "Small": "\n", "Medium": "\n\n"}[block["spacing"]]
        for run in block["inlines"]:
            if address := (run.get("selectAction") or {}).get("url"):
                facets.append(reading.facet("link", len(said), len(said) + len(run["text"]), address))
            said += run["text"]
    return said, facets


def _no(status: int, code: str, words: str) -> Refused:
    return Refused(JSONResponse({"error": {"code": code, "message": words}}, status))
