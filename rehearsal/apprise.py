"""A stand-in for what is behind one of Apprise's addresses: it takes its JSON. Not Apprise, nor what that speaks to."""

from __future__ import annotations

from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal import text as reading
from rehearsal.world import Platform, Received, body_of


class Apprise(Platform):
    """Takes what Apprise sends to a json:// address (https://github.com/caronc/apprise/wiki/Notify_Custom_JSON)."""

    name: ClassVar = "apprise"
    public: ClassVar = "/messages/{number}"

    def routes(self) -> list[Route]:
        return [Route("/notify", self.notify, methods=["POST"])]

    def trouble(self, status: int) -> Response:
        return JSONResponse({"error": "trouble"}, status)

    async def notify(self, request: Request) -> Response:
        async def take() -> Response:
            account, told = self.account(request), await body_of(request)
            title, message = str(told.get("title") or ""), str(told.get("message") or "")
            text = f"{title}\n\n{message}" if title else message
            number = account.counted()
            account.keep(
                Received(
                    platform=self.name,
                    account=account.name,
                    id=number,
                    at=self.world.now().isoformat(),
                    text=text,
                    permalink=self.permalink(request, number),
                    facets=reading.facets(text),
                )
            )
            return JSONResponse({"ok": True})

        return await self.commit(take)
