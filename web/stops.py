"""The emergency stop: nothing of an account, a workspace or everything begins to be sent, until somebody resumes it."""

from __future__ import annotations

import time

from fastapi import APIRouter, HTTPException
from starlette.responses import RedirectResponse, Response

from web.access import Form, Operator, Parts, Person, flash
from worker import decisions
from worker.errors import NotFound
from worker.runtime import Runtime

PATIENCE = 10.0
"""Seconds that a page waits for what had begun; the stop itself holds from the first moment."""

router = APIRouter(include_in_schema=False)


class _StillSending(Exception):
    """What had begun before the stop has not ended yet."""


def scope_of(parts: Runtime, person: Person, what: str) -> str:
    """The scope that ``what`` names: an account's id, ``workspace`` or ``all``; raises what a person may not stop."""
    if what == "all":
        if not stops_all(parts, person):
            raise HTTPException(403, "Everything belongs to others, too: only who is in every workspace may stop it.")
        return "all"
    if what == "workspace":
        return f"workspace:{person.workspace}"
    if what.partition(".")[0] != person.workspace:
        raise NotFound(f"There is no account {what}")
    return f"account:{parts.records.account(what).id}"


def stops_all(parts: Runtime, person: Person) -> bool:
    """Whether a person may stop everything: nobody stops what is another team's."""
    return set(parts.records.workspaces()) <= set(person.workspaces)


@router.post("/stop")
def stop(parts: Parts, person: Operator, sent: Form) -> Response:
    """Stop at once; says so when nothing that had begun is being sent any more, or that something still is."""
    scope = scope_of(parts, person, sent.get("scope", ""))
    until = time.monotonic() + PATIENCE

    def sleep(seconds: float) -> None:
        if time.monotonic() > until:
            raise _StillSending
        time.sleep(seconds)

    parts.audit.record(person.actor, "stopped", scope, workspace=person.workspace)
    try:
        begun = decisions.stop(parts.deliveries, scope, by=person.user.name, sleep=sleep)
    except _StillSending:
        flash(parts, person, "Stopped: nothing new begins. What had begun before is still on its way.", "warn")
    else:
        waited = f" {begun} that had begun {'has' if begun == 1 else 'have'} ended." if begun else ""
        flash(parts, person, f"Stopped: nothing begins to be sent.{waited}", "warn")
    return RedirectResponse("/queue", 303)


@router.post("/resume")
def resume(parts: Parts, person: Operator, sent: Form) -> Response:
    """Let it send again; what became late meanwhile is held, so that somebody looks at it first."""
    scope = scope_of(parts, person, sent.get("scope", ""))
    held = decisions.go_on(parts.deliveries, scope)
    parts.audit.record(person.actor, "resumed", scope, workspace=person.workspace)
    late = (
        f" {held} that became late {'is' if held == 1 else 'are'} held: look at them under To decide." if held else ""
    )
    flash(parts, person, f"Posts are sent again.{late}")
    return RedirectResponse("/queue", 303)
