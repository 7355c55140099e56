"""The templates page: how each account speaks, for every article or those of one site, shown with a real article."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from web import calendar, pictures, render, sample, views
from web.access import Editor, Form, Parts, Person, Viewer, flash
from worker.content.template import DIRECTIVES, EXAMPLES, SLOTS, load_template
from worker.errors import HandbillError, NotFound
from worker.model import Account, Delivery, Status, Step, StepKind, Voice
from worker.pipeline.accounts import limits_of
from worker.pipeline.plan import speaking
from worker.runtime import Runtime
from worker.settings import TEMPLATES

LISTS = ("always", "never", "sensitive")
TEXTS = ("template", "utm", "disclaimer", "warning", "link")

SLOT_MEANINGS: Mapping[str, str] = {
    "title": "the article's title",
    "summary": "its best sentences, as many as fit",
    "link": "its address, where the platform has links in texts",
    "hashtags": "the best hashtags",
    "author": "who wrote it",
    "site": "the site's name",
    "tags": "the author's own tags",
}
DIRECTIVE_MEANINGS: Mapping[str, str] = {
    "sentences": "sentences in the summary at most",
    "summary": "length of the summary at most, as the platform counts",
    "hashtags": "hashtags: those beyond the first number give way to one more sentence",
    "paragraphs": "a paragraph for each sentence",
}

router = APIRouter(prefix="/templates", include_in_schema=False)


@router.get("")
def show(request: Request, parts: Parts, person: Viewer, account: str = "", host: str = "") -> Response:
    """Every account, and the voice of the one that is open."""
    return _page(request, parts, person, account, host.lower().removeprefix("www."))


@router.post("/{account}")
def save(request: Request, parts: Parts, person: Editor, sent: Form, account: str) -> Response:
    """Keep a voice, after it has been tried on an article; with ``do=try`` it is only shown."""
    found = _account(parts, person, account)
    host = sent.get("host", "").strip().lower().removeprefix("www.")
    try:
        made = speaking(found, host, _said(sent))
        _tried(parts, person, made)
    except HandbillError as error:
        return _page(request, parts, person, found.id, host, typed=sent, refused=str(error))
    if sent.get("do") == "try":
        return _page(request, parts, person, found.id, host, typed=sent, trial=made)
    parts.records.change_account(made.id, lambda a, _: (dataclasses.replace(a, voices=made.voices), None))
    where = f" for {host}" if host else ""
    parts.audit.record(person.actor, "voice changed", found.id, workspace=person.workspace, detail=host)
    flash(parts, person, f"{views.label_of(found.platform)} {found.name} speaks like that{where} from now on.")
    return RedirectResponse(f"/templates?{urlencode({'account': found.id, 'host': host})}", 303)


def _page(
    request: Request,
    parts: Runtime,
    person: Person,
    account: str,
    host: str,
    *,
    typed: Mapping[str, str] | None = None,
    refused: str = "",
    trial: Account | None = None,
) -> Response:
    accounts = parts.records.accounts(person.workspace)
    chosen = next((a for a in accounts if a.id == account), accounts[0] if accounts else None)
    return render.page(
        request,
        "templates.html",
        status=422 if refused else 200,
        accounts=[(a, views.label_of(a.platform), calendar.hue(accounts, a.id)) for a in accounts],
        chosen=chosen,
        host=host,
        editor=_editor(parts, person, chosen, host, typed=typed, trial=trial) if chosen else None,
        refused=refused,
        slots={s: SLOT_MEANINGS[s] for s in SLOTS},
        directives={d: (EXAMPLES[d], DIRECTIVE_MEANINGS[d]) for d in DIRECTIVES},
    )


def _editor(
    parts: Runtime,
    person: Person,
    account: Account,
    host: str,
    *,
    typed: Mapping[str, str] | None,
    trial: Account | None,
) -> dict[str, Any]:
    voice = account.voices.get(host, Voice())
    fields = {n: getattr(voice, n) for n in TEXTS} | {n: " ".join(getattr(voice, n)) for n in LISTS[:2]}
    fields |= {"sensitive": ", ".join(voice.sensitive), "hashtags": "" if voice.hashtags is None else voice.hashtags}
    if typed is not None:
        fields |= {n: typed.get(n, "") for n in fields}
    preview, why = None, ""
    try:
        preview = _tried(parts, person, trial or account)
    except HandbillError as error:
        why = str(error)
    return {
        "label": views.label_of(account.platform),
        "limits": limits_of(account),
        "fields": fields,
        "own": load_template(account.platform, TEMPLATES / "posts"),
        "hosts": sorted(h for h in account.voices if h),
        "preview": preview,
        "why": why,
        "trial": trial is not None,
        "title": sample.article(parts, person.workspace)[0].title,
    }


def _tried(parts: Runtime, person: Person, account: Account) -> views.Shown:
    """What the account would say of an article; raises HandbillError if its voice cannot be used."""
    found, content = sample.article(parts, person.workspace)
    made = parts.planner.studio.post_for(found, content, account)
    step = Step(kind=StepKind.POST, ordinal=0, key="", post=made.post)
    shown = Delivery(
        id=f"{person.workspace}.0",
        article=found.id,
        account=account.id,
        platform=account.platform,
        workspace=person.workspace,
        status=Status.DRAFT,
        due=parts.now(),
        zone=account.zone,
        steps=(step,),
    )
    return views.shown(shown, account, src=pictures.src(parts.vault, person.workspace))


def _said(sent: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a voice as ``speaking`` takes them."""
    count = sent.get("hashtags", "").strip()
    if count and not (count.isascii() and count.isdigit() and len(count) < 4):
        raise HandbillError(f"{count!r} is no number of hashtags", do="Write a number, or nothing")
    return {
        **{n: sent.get(n, "").replace("\r\n", "\n").strip("\n") for n in TEXTS},
        "always": sent.get("always", "").replace(",", " ").split(),
        "never": sent.get("never", "").replace(",", " ").split(),
        "sensitive": sent.get("sensitive", "").split(","),
        "hashtags": int(count) if count else -1,
    }


def _account(parts: Runtime, person: Person, account: str) -> Account:
    if account.partition(".")[0] != person.workspace:
        raise NotFound(f"There is no account {account}")
    return parts.records.account(account)
