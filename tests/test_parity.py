"""Everything the pages do, programs can do: each form's address with its counterpart in the API, or why there is none."""

from __future__ import annotations

import re

import pytest

from tests.test_matrix import ADDRESSES, ADMIN, EXPECT, LINK, OPEN, READ, SELF, WRITE
from tests.test_web import Desk
from web import render
from worker.embedded import Embedded

API = "/api/v1"
WHO = "it proves who somebody is; a program proves that with its token"
OWN = "it is somebody's own, and a token is of a workspace and of nobody"
HERE = "a token opens one workspace: it looks at no other, makes none and does not end its own"

COUNTERPARTS = {
    # signing in and out
    "POST /sign-in": WHO,
    "POST /sign-in/code": WHO,
    "POST /sign-out": WHO,
    "POST /welcome": WHO,
    "POST /enter": WHO,
    "POST /reset": WHO,
    "POST /join": WHO,
    "POST /workspace": HERE,
    "POST /zone": "the API says and takes instants with their offset",
    "POST /settings/profile": OWN,
    "POST /settings/password": OWN,
    "POST /settings/sessions/{session}/end": OWN,
    "POST /settings/second/begin": OWN,
    "POST /settings/second/confirm": OWN,
    "POST /settings/second/off": OWN,
    "POST /settings/workspaces": HERE,
    "POST /settings/workspace/remove": HERE,
    # articles and posts
    "POST /inbox": (
        "POST /articles/{article}/accept",
        "POST /articles/{article}/skip",
        "POST /articles/{article}/bring-back",
    ),
    "POST /compose/{article}/targets": ("POST /articles/{article}/accept", "DELETE /deliveries/{delivery}"),
    "POST /compose/{article}/{delivery}/check": ("POST /deliveries/{delivery}/check",),
    "POST /compose/{article}/{delivery}": (
        "PATCH /deliveries/{delivery}",
        "POST /deliveries/{delivery}/finish",
        "POST /deliveries/{delivery}/move",
    ),
    "POST /calendar/post/{delivery}/move": ("POST /deliveries/{delivery}/move",),
    "POST /queue/{delivery}/{decision}": (
        "POST /deliveries/{delivery}/retry",
        "POST /deliveries/{delivery}/cancel",
        "POST /deliveries/{delivery}/approve",
        "POST /deliveries/{delivery}/resolve",
        "POST /deliveries/{delivery}/done",
        "POST /deliveries/{delivery}/send-back",
    ),
    "POST /by-hand/{token}": ("POST /deliveries/{delivery}/done",),
    "POST /stop": ("POST /stop",),
    "POST /resume": ("POST /resume",),
    # what comes in
    "POST /hooks/{token}": "other systems call it, and no page does",
    "POST /sources/find": ("POST /sources/find",),
    "POST /sources": ("POST /sources",),
    "POST /sources/{name}/rules": ("PATCH /sources/{source}",),
    "POST /sources/{name}/{decision}": (
        "POST /sources/{source}/poll",
        "POST /sources/{source}/hook",
        "PATCH /sources/{source}",
        "DELETE /sources/{source}",
    ),
    "POST /items/{item}/{decision}": ("POST /items/{item}/{decision}",),
    # accounts and how they speak and look
    "POST /accounts/{account}/check": ("POST /accounts/{account}/check",),
    "POST /accounts/{account}/pause": ("POST /stop",),
    "POST /accounts/{account}/resume": ("POST /resume",),
    "POST /accounts/{account}/times": ("PATCH /accounts/{account}",),
    "POST /accounts/{account}/remove": ("DELETE /accounts/{account}",),
    "POST /accounts/add/{platform}": ("POST /accounts",),
    "POST /accounts/add/{platform}/consent": ("POST /consents", "POST /consents/{consent}/finish"),
    "POST /accounts/choose/{pick}": ("POST /consents/{pick}/choose",),
    "POST /accounts/apps/{platform}": ("PUT /apps/{platform}", "DELETE /apps/{app:path}"),
    "POST /templates/{account}": ("PUT /accounts/{account}/voice",),
    "POST /brands": ("PUT /brands/{brand}", "PATCH /accounts/{account}"),
    "POST /brands/remove": ("DELETE /brands/{brand}",),
    # after the post
    "POST /evergreen": ("PUT /evergreen/{rule}",),
    "POST /evergreen/plan": ("POST /evergreen/plan",),
    "POST /evergreen/remove": ("DELETE /evergreen/{rule}",),
    "POST /evergreen/stop": ("PUT /evergreen/stopped/{article}", "DELETE /evergreen/stopped/{article}"),
    "POST /digests": ("PUT /digests/{account}",),
    "POST /digests/end": ("DELETE /digests/{account}",),
    "POST /digests/send": ("POST /digests/{account}/send",),
    "POST /numbers/report": ("PUT /numbers/report",),
    "POST /numbers/services": ("PUT /analytics/{name}",),
    "POST /numbers/services/{name}/{decision}": (
        "POST /analytics/{name}/check",
        "POST /analytics/{name}/mark",
        "DELETE /analytics/{name}",
    ),
    "POST /changes/look": ("POST /articles/{article}/look-again",),
    "POST /changes/{change}/approve": ("POST /changes/{change}/approve",),
    "POST /changes/{change}/dismiss": ("POST /changes/{change}/dismiss",),
    "POST /changes/{change}/leave": ("POST /changes/{change}/leave",),
    "POST /receipts/{delivery}/read": ("POST /receipts/{delivery}/read",),
    "POST /receipts/{delivery}/noted": ("POST /receipts/{delivery}/noted",),
    # the house
    "POST /team/invitations": ("POST /invitations",),
    "POST /team/invitations/{invitation}/withdraw": ("DELETE /invitations/{invitation}",),
    "POST /team/{user}/role": ("PUT /members/{member}",),
    "POST /team/{user}/remove": ("DELETE /members/{member}",),
    "POST /settings/workspace/name": ("PATCH /workspace",),
    "POST /settings/workspace/approval": ("PATCH /workspace", "PATCH /accounts/{account}"),
    "POST /settings/tokens": ("POST /tokens",),
    "POST /settings/tokens/{token}/revoke": ("DELETE /tokens/{token}",),
}

LEAST = {
    "look": {READ, WRITE, ADMIN},
    "write": {WRITE, ADMIN},
    "operate": {WRITE, ADMIN},
    "approve": {ADMIN},
    "rule": {ADMIN},
}
"""What scope of a token does what a right of a role allows."""

FORMS = [a for a in ADDRESSES if not a.startswith("GET") and API not in a]


def test_every_form_says_what_its_counterpart_is_or_why_there_is_none():
    assert [a for a in FORMS if a not in COUNTERPARTS] == [], "say how a program does it, or why it cannot"
    assert [a for a in COUNTERPARTS if a not in FORMS] == []
    assert all(len(reason) > 20 for reason in COUNTERPARTS.values() if isinstance(reason, str))


@pytest.mark.parametrize(("form", "others"), [(f, o) for f, o in COUNTERPARTS.items() if not isinstance(o, str)])
def test_each_counterpart_is_there_and_asks_for_as_much(form, others):
    for other in others:
        method, path = other.split(" ")
        scope = EXPECT[f"{method} {API}{path}"]
        right = EXPECT[form]
        assert right in {OPEN, LINK, SELF} or scope in LEAST[right], (form, right, other, scope)


def test_every_form_of_a_template_leads_to_one_of_them():
    """What a template writes as the address of a form is an address there is, whatever stands for its names."""
    known = [re.sub(r"{\w+}", "*", a.removeprefix("POST ")).split("/") for a in FORMS]
    seen = 0
    for page in sorted(render.PAGES.rglob("*.html")):
        for form in re.findall(r"<form[^>]*>", page.read_text()):
            if 'method="post"' not in form:
                continue
            action = re.search(r'action="([^"]*)"', form)
            assert action, f"{page.name}: {form}"
            seen += 1
            address = re.sub(r"{{.*?}}", "*", action[1]).split("/")
            if address == ["*"]:
                continue  # a page that is told its form's address: entry.html and by_hand.html, all of them above
            fits = [
                k
                for k in known
                if len(k) == len(address) and all("*" in p or p[0] == p[1] for p in zip(k, address, strict=True))
            ]
            assert fits, f"{page.name}: {action[1]}"
    assert seen > 40


def described():
    """The operations of the API by method and path."""
    from tests.test_matrix import create_app_for_reading  # noqa: PLC0415 - the description is made once, when asked for

    for path, methods in create_app_for_reading().openapi()["paths"].items():
        if path.startswith(API):
            for method, operation in methods.items():
                yield method.upper(), path, operation


def names(operation):
    return {p["name"] for p in operation.get("parameters", [])}


def test_every_post_of_the_api_heeds_an_idempotency_key_and_says_so():
    asked = [f"{m} {p}" for m, p, o in described() if m == "POST" and "Idempotency-Key" not in names(o)]
    assert asked == []


ALWAYS = "it is set whole and alone: who sets it last is right"
UNMATCHED = {
    "PUT /apps/{platform}": "its secret is never shown, so nobody has seen a version of it",
    "PUT /evergreen/stopped/{article}": ALWAYS,
    "PUT /numbers/report": ALWAYS,
    "PUT /analytics/{name}": "its secrets are never shown, so nobody has seen a version of it",
}


def test_every_edit_of_the_api_can_name_the_version_it_saw():
    edits = {f"{m} {p.removeprefix(API)}": o for m, p, o in described() if m in {"PUT", "PATCH"}}
    assert {e for e, o in edits.items() if "If-Match" not in names(o)} == set(UNMATCHED)


def test_whatever_is_asked_wrongly_is_answered_with_problem_details(tmp_path):
    with Embedded.start(tmp_path / "redis") as server:
        desk = Desk(server, tmp_path)
        token = desk.token("admin")
        for status, method, path, given in (
            (404, "GET", "/nothing", {}),
            (405, "PUT", "/deliveries", {}),
            (401, "GET", "/deliveries", {"token": None}),
            (422, "POST", "/articles", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
            (422, "POST", "/tokens", {"json": {"scope": "owner", "name": "x"}}),
            (413, "POST", "/articles", {"content": b" " * 70_000}),
            (409, "PUT", "/members/nobody", {"json": {"role": "owner"}}),
            (404, "DELETE", "/brands/nothing", {}),
        ):
            answer = desk.ask(method, f"{API}{path}", **{"token": token, **given})
            wanted = {404, 409} if status == 409 else {status}
            assert answer.status_code in wanted, (method, path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json", path
            assert {"type", "title", "status", "detail", "instance"} <= set(answer.json()), path


def test_every_refusal_of_the_api_is_described_as_problem_details():
    wrong = [
        f"{m} {p} {code}"
        for m, p, o in described()
        for code, response in o["responses"].items()
        if code[0] in "45" and set(response.get("content", {})) != {"application/problem+json"}
    ]
    assert wrong == []
