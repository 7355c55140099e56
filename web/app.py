"""The web application, wired from its parts: who answers which address."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from web import (
    accounts,
    api,
    audit,
    brands,
    by_hand,
    calendar,
    changes,
    composer,
    consent,
    digests,
    entry,
    evergreen,
    exports,
    forecast,
    hooks,
    house,
    inbox,
    links,
    listeners,
    numbers,
    pages,
    problems,
    pull,
    receipts,
    settings,
    signs,
    sources,
    stops,
    team,
    voices,
    workspace,
    writing,
)
from web.access import SignIn
from web.description import describe
from web.guard import Guard
from web.live import Live
from web.status import fingerprint
from worker.errors import HandbillError
from worker.runtime import Runtime

EVERY = 1.0
"""Seconds between two looks at Redis while somebody watches a page."""


def create_app(parts: Runtime, *, every: float = EVERY) -> FastAPI:
    """The application on ``parts``.

    ``app.state.live.end()`` ends the streams that pages hold open; call it when the server is told to stop.
    """
    live = Live(lambda: fingerprint(parts), every=every)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        live.end()

    app = FastAPI(
        title="Handbill",
        version=importlib.metadata.version("handbill"),
        description="A published article in, right posts out on every account, each exactly once.",
        docs_url=None,  # both viewers of FastAPI load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.openapi = functools.partial(describe, app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    app.state.parts = parts
    app.state.live = live
    app.include_router(signs.router)
    app.include_router(exports.router)
    app.include_router(api.router)
    app.include_router(writing.router)
    app.include_router(house.router)
    app.include_router(workspace.router)
    app.include_router(consent.router)
    app.include_router(digests.api)
    app.include_router(listeners.router)
    app.include_router(evergreen.api)
    app.include_router(numbers.api)
    app.include_router(forecast.api)
    app.include_router(changes.api)
    app.include_router(receipts.api)
    app.include_router(entry.router)
    app.include_router(pages.router)
    app.include_router(accounts.router)
    app.include_router(team.router)
    app.include_router(settings.router)
    app.include_router(audit.router)
    app.include_router(calendar.router)
    app.include_router(composer.router)
    app.include_router(inbox.router)
    app.include_router(voices.router)
    app.include_router(brands.router)
    app.include_router(sources.router)
    app.include_router(evergreen.router)
    app.include_router(digests.router)
    app.include_router(numbers.router)
    app.include_router(forecast.router)
    app.include_router(changes.router)
    app.include_router(receipts.router)
    app.include_router(stops.router)
    app.include_router(pull.router)
    app.include_router(links.router)
    app.include_router(by_hand.router)
    app.include_router(hooks.router)
    app.add_exception_handler(HandbillError, problems.of_ours)
    app.add_exception_handler(SignIn, problems.of_nobody)
    app.add_exception_handler(HTTPException, problems.of_http)
    app.add_exception_handler(RequestValidationError, problems.of_input)
    app.add_middleware(Guard)
    return app
