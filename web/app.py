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
    analytics,
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

ROUTERS = (
    signs.router,
    exports.router,
    api.router,
    writing.router,
    house.router,
    workspace.router,
    consent.router,
    digests.api,
    listeners.router,
    evergreen.api,
    numbers.api,
    analytics.api,
    forecast.api,
    changes.api,
    receipts.api,
    entry.router,
    pages.router,
    accounts.router,
    team.router,
    settings.router,
    audit.router,
    calendar.router,
    composer.router,
    inbox.router,
    voices.router,
    brands.router,
    sources.router,
    evergreen.router,
    digests.router,
    numbers.router,
    analytics.router,
    forecast.router,
    changes.router,
    receipts.router,
    stops.router,
    pull.router,
    links.router,
    by_hand.router,
    hooks.router,
)
"""Who answers which address, the first that knows it."""

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
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(HandbillError, problems.of_ours)
    app.add_exception_handler(SignIn, problems.of_nobody)
    app.add_exception_handler(HTTPException, problems.of_http)
    app.add_exception_handler(RequestValidationError, problems.of_input)
    app.add_middleware(Guard)
    return app
