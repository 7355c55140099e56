"""The brand kits page: colours, logo, fonts and design of the cards of a site or an account, shown as cards."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from web import render, sample, views
from web.access import Editor, Form, Parts, Person, Sent, Viewer, flash
from worker.content import cards
from worker.errors import HandbillError, NotFound, Refused
from worker.model import Account, Brand
from worker.pipeline.pictures import brand_folder, make_brand

FILES = ("logo", "font", "text_font")
FILE_MOST = 5_000_000
SIZE = (600, 315)
NAME_MOST = 40

router = APIRouter(prefix="/brands", include_in_schema=False)


@router.get("")
def show(request: Request, parts: Parts, person: Viewer, name: str = "") -> Response:
    """Every brand, and the form of the one that is open, or of a new one."""
    return _page(request, parts, person, name)


@router.get("/card")
def card(
    parts: Parts, person: Viewer, *, name: str = "", design: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """A card in a brand's look, of the workspace's latest article."""
    found, content = sample.article(parts, person.workspace)
    wanted = cards.check_design(design) if design else ""
    made = parts.planner.studio.card(found, content, design=wanted, size=SIZE, mime="image/webp", brand=name)
    return Response(made.content, media_type=made.mime, headers={"Cache-Control": "private, no-cache"})


@router.post("")
def save(request: Request, parts: Parts, person: Editor, sent: Form) -> Response:
    """Keep a brand, after everything in it was checked; files that are not given stay."""
    name = " ".join(sent.get("name", "").split())
    try:
        made = _made(parts, person, sent, name)
    except HandbillError as error:
        return _page(request, parts, person, sent.get("was", ""), typed=sent, refused=str(error))
    finally:
        for file in sent.files.values():
            file.file.close()
    parts.records.save_brand(made)
    if sent.get("accounts_asked"):
        _give(parts, person, name, set(sent.every("accounts")))
    parts.audit.record(person.actor, "brand kept", name, workspace=person.workspace)
    flash(parts, person, f"{name} is kept. Cards that are drawn from now on look like that.")
    return RedirectResponse(f"/brands?name={quote(name, safe='')}", 303)


save.body_most = 4 * FILE_MOST  # type: ignore[attr-defined]  # read by web.guard


@router.post("/remove")
def remove(parts: Parts, person: Editor, sent: Form) -> Response:
    """Forget a brand; refused while an account uses it."""
    name = sent.get("name", "")
    users = [a.name for a in parts.records.accounts(person.workspace) if a.brand == name]
    if users:
        raise Refused(f"{', '.join(users)} uses the brand {name}", do="Give it another one first")
    parts.records.remove_brand(person.workspace, name)
    parts.audit.record(person.actor, "brand removed", name, workspace=person.workspace)
    flash(parts, person, f"{name} is removed.")
    return RedirectResponse("/brands", 303)


def _give(parts: Parts, person: Person, name: str, wanted: set[str]) -> None:
    """Let these accounts, and no others, have the look of a brand."""
    for account in parts.records.accounts(person.workspace):
        if (account.id in wanted) != (account.brand == name):
            brand = name if account.id in wanted else ""
            parts.records.change_account(account.id, functools.partial(_looking, brand))


def _looking(brand: str, account: Account, _: dict[str, str]) -> tuple[Account, None]:
    return dataclasses.replace(account, brand=brand), None


def _made(parts: Parts, person: Person, sent: Sent, name: str) -> Brand:
    """The brand that the form describes; raises HandbillError."""
    if not name or len(name) > NAME_MOST:
        raise HandbillError("A brand needs a name", do=f"Give one of at most {NAME_MOST} characters")
    old = next((b for b in parts.records.brands(person.workspace) if b.name == name), None)
    coloured = sent.get("coloured") == "yes"
    with tempfile.TemporaryDirectory() as folder:
        given: dict[str, Path] = {}
        for kind in FILES:
            if kind in sent.files:
                data = sent.files[kind].file.read(FILE_MOST + 1)
                if len(data) > FILE_MOST:
                    raise HandbillError(
                        f"The {kind} has more than {FILE_MOST // 1_000_000} MB", do="Give a smaller one"
                    )
                given[kind] = Path(folder) / kind
                given[kind].write_bytes(data)
        made = make_brand(
            name,
            folder=brand_folder(parts.settings),
            workspace=person.workspace,
            colour=sent.get("colour", "") if coloured else "",
            accent=sent.get("accent", "") if coloured else "",
            corner=sent.get("corner", ""),
            design=sent.get("design", ""),
            sources=[s for s in sent.get("sources", "").replace(",", " ").split() if s],
            **given,
        )
    kept = {k: getattr(old, k) for k in FILES if old and k not in given and sent.get(f"drop_{k}") != "yes"}
    return dataclasses.replace(made, **kept)


def _page(
    request: Request,
    parts: Parts,
    person: Person,
    name: str,
    *,
    typed: Sent | None = None,
    refused: str = "",
) -> Response:
    known = parts.records.brands(person.workspace)
    chosen = next((b for b in known if b.name == name), None)
    if name and chosen is None and not refused:
        raise NotFound(f"There is no brand {name}")
    shown = chosen or Brand(name="", workspace=person.workspace)
    if typed is not None:
        said = {k: typed.get(k, "") for k in ("name", "colour", "accent", "corner", "design")}
        shown = dataclasses.replace(shown, **said, sources=tuple(typed.get("sources", "").split()))
    accounts = parts.records.accounts(person.workspace)
    users = {b.name: [f"{views.label_of(a.platform)} {a.name}" for a in accounts if a.brand == b.name] for b in known}
    ticked = {a.id for a in accounts if chosen and a.brand == chosen.name}
    if typed is not None and typed.get("accounts_asked"):
        ticked = set(typed.every("accounts"))
    return render.page(
        request,
        "brands.html",
        status=422 if refused else 200,
        brands=known,
        users=users,
        accounts=accounts,
        ticked=ticked,
        chosen=chosen,
        shown=shown,
        refused=refused,
        designs=cards.DESIGNS,
        corners=cards.CORNERS,
        title=sample.article(parts, person.workspace)[0].title,
    )
