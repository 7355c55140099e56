"""The pages and the API as somebody attacks them: words that want to be code, forms that want to break, borrowed sessions."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from publishers.core.post import Facet, Post, Receipt
from tests.newsroom import sign_in
from tests.test_matrix import ADDRESSES, EXPECT
from tests.test_web import BASE, Desk
from web.access import local
from worker.changes import Action, Change, Kind, Proposal
from worker.intake import model as intake
from worker.model import Account, Article, Brand, Content, Delivery, Sentence, Status, Step, StepKind, delivery_id
from worker.people import Actor
from worker.receipts import Readback, Sight

BAD = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
LINK = "javascript:alert(1)//" + "https://example.org"
PAGES = ["look", "rule"]


@pytest.fixture
def desk(server, tmp_path):
    return Desk(server, tmp_path)


class Reader(HTMLParser):
    """What a browser would run of a page: scripts without our nonce, handlers, and addresses that are code."""

    def __init__(self, html, nonce):
        super().__init__()
        self.found, self.nonce = [], nonce
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "script" and given.get("nonce") != self.nonce:
            self.found.append(self.get_starttag_text())
        for name, value in attrs:
            code = name in {"href", "src", "action", "formaction"} and re.match(
                r"\s*(javascript|data:text)", value or ""
            )
            if name.startswith("on") or code or name in {"srcdoc", "xlink:href"}:
                self.found.append(self.get_starttag_text())


def poisoned(desk):
    """Every name, text and address that comes from elsewhere, as an attacker would have it."""
    parts, now = desk.parts, desk.parts.now()
    account = Account(id="main.fake", platform="outbox", name=BAD, url=LINK, workspace="main")
    parts.records.save_account(account, {"access_token": "x"})
    article = Article(
        id="main.0123456789abcdef0123", url=LINK, title=BAD, text=BAD * 3, author=BAD, site=BAD, tags=(BAD,), language='en"><script>',
    )  # fmt: skip
    content = Content(
        short=BAD, medium=BAD, long=BAD, sentences=(Sentence(text=BAD, source_offset=0),), hashtags=(BAD,), alt=BAD, notes=(BAD,)
    )  # fmt: skip
    parts.records.save_article(article, content)
    post = Post(
        text=BAD,
        title=BAD,
        link=LINK,
        description=BAD,
        warning=BAD,
        language='en"><script>',
        facets=(Facet(type="link", start=0, end=8, value=LINK),),
    )
    ids = []
    for number, status in enumerate(Status):
        name = delivery_id(article.id, account.id, number)
        receipt = Receipt(id=BAD, url=LINK) if status in {Status.PUBLISHED, Status.EDITED} else None
        step = Step(
            kind=StepKind.POST, ordinal=0, key="a" * 40, post=post, receipt=receipt, at=now if receipt else None
        )
        parts.records.link_delivery(article.id, name)
        parts.deliveries.create(
            Delivery(
                id=name, article=article.id, account=account.id, platform="outbox", status=status, due=now + timedelta(hours=number - 8),
                steps=(step,), reason=BAD, approver=BAD, evergreen=BAD,
            ),
            note=BAD,
        )  # fmt: skip
        ids.append(name)
    parts.deliveries.pause(f"account:{account.id}", until=None, why=BAD)
    parts.records.save_brand(Brand(name="kit & <b>", workspace="main", sources=(BAD,)))
    source = intake.Source(
        id="main.feed", kind=intake.Kind.FEED, address=LINK, name=BAD, dialect=BAD, reason=BAD, since=now
    )
    parts.sources.add(source)
    parts.sources.note(source.id, error=BAD, failures=3)
    item = intake.Item(
        id=intake.item_id("main", source.id, LINK), workspace="main", source=source.id, fate=intake.Fate.FAILED, reason=BAD,
        candidate=intake.Candidate(address=LINK, title=BAD),
    )  # fmt: skip
    parts.sources.add_item(item, ["u:x"], look=None)
    proposal = Proposal(delivery=ids[0], action=Action.REPLY, options=tuple(Action), text=BAD, reply=BAD, why=(BAD,))
    change = Change(
        id="main.c", article=article.id, kind=Kind.MOVED, found_at=now, what=(BAD,), proposals=(proposal,), address=LINK
    )
    parts.aftercare.add_change(change)
    parts.aftercare.keep_readback(ids[0], Readback(sight=Sight.DIFFERS, at=now, notes=(BAD,)), again=None)
    parts.aftercare.stop(article.id, BAD)
    parts.receipts.notice("main")
    parts.audit.record(Actor(kind="token", id=BAD, name=BAD, where=BAD), BAD, BAD, workspace="main", detail=BAD)
    parts.people.name_workspace("main", BAD)
    parts.records.create_token(scope="read", workspace="main", name=BAD)
    return {
        "article": article.id, "delivery": ids[0], "name": "feed", "platform": "outbox", "account": account.id, "change": change.id,
        "workspace": "main", "item": item.id,
    }  # fmt: skip


def test_no_word_that_comes_from_elsewhere_is_code_on_any_page(desk):
    ids = poisoned(desk)
    seen = 0
    for address in ADDRESSES:
        method, path = address.split(" ")
        wanted = set(re.findall(r"{(\w+)}", path))
        if method != "GET" or EXPECT[address] not in PAGES or not wanted <= set(ids) or path == "/live":
            continue
        path = re.sub(r"{(\w+)}", lambda m: ids[m[1]], path)
        for query in (
            "",
            f"?open={ids['delivery']}&show=all&view=list",
            "?show=decide&view=day&days=30&account=main.fake&name=kit+%26+%3Cb%3E",
        ):
            answer = desk.page(path + query)
            assert answer.status_code < 500, (path, answer.text[-300:])
            kind = answer.headers.get("content-type", "")
            if not kind.startswith("text/html"):
                assert kind.partition(";")[0] not in {"text/xml", "image/svg+xml"}, path
                continue
            nonce = re.search(r"script-src 'nonce-([^']+)'", answer.headers["content-security-policy"])[1]
            assert Reader(answer.text, nonce).found == [], path
            assert "49" not in re.findall(r"\{?\{?7\*7\}?\}?|(?<=>)49(?=<)", answer.text), path
            seen += BAD[:8] in answer.text or "&lt;script&gt;" in answer.text
    assert seen > 30, "the words were not there to be seen"


HOSTILE = ("²", "٣", "9" * 5000, "-1", "1e9", "\x00", "\ud7ff", "'; DROP", "%s", "")


def test_no_form_breaks_us_whatever_its_fields_say(desk):
    ids = poisoned(desk)
    names = (
        "seen",
        "weekday",
        "choice",
        "hashtags",
        "most",
        "on",
        "at",
        "after",
        "every",
        "backfill",
        "delay",
        "wall",
        "zone",
        "cursor",
        "code",
    )
    for address in ADDRESSES:
        method, path = address.split(" ")
        if method != "POST" or EXPECT[address] not in {"look", "write", "approve", "operate", "rule"}:
            continue
        path = re.sub(r"{(\w+)}", lambda m: {**ids, "decision": "retry"}.get(m[1], "nothing"), path)
        if path in {"/sign-out", "/settings/workspace/remove", "/stop"}:
            continue
        for word in HOSTILE[:6]:
            fields = {
                **dict.fromkeys(names, word),
                "when": "at",
                "do": "plan",
                "account": ids["account"],
                "scheme": "ghost",
                "text": BAD,
            }
            data = {"form_token": desk.owner.form_token, **fields}
            answer = desk.post(path, data=data, headers={"Origin": BASE, "Accept": "text/html"}, visit=desk.owner)
            assert answer.status_code < 500, (path, word[:9], answer.text[-300:])


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
        "evil",
        "/a\nb",
    ],
)
def test_nobody_is_led_away(address):
    assert local(address) == "/"


def test_a_session_that_somebody_else_chose_is_not_taken_over(desk):
    desk.owner  # noqa: B018 - made when asked for
    name, chosen = next(iter(desk.owner.headers.values())).partition("=")[::2]
    planted = {"Cookie": f"{name}=planted-by-somebody; {name.replace('session', 'visit')}=v"}
    assert desk.get("/queue", headers=planted | {"Accept": "text/html"}).headers["location"].startswith("/sign-in")
    page = desk.get("/sign-in", headers=planted)
    assert chosen not in page.text
    assert "planted-by-somebody" not in page.text + str(page.headers)


def test_a_brand_of_any_name_is_found_again_after_it_was_kept(desk):
    data = {"form_token": desk.owner.form_token, "name": "A & B = 100 % #1", "corner": "", "design": ""}
    kept = desk.post("/brands", data=data, headers={"Origin": BASE}, visit=desk.owner)
    assert kept.status_code == 303, kept.text
    assert "A &amp; B = 100 % #1" in desk.page(kept.headers["location"]).text


def test_a_token_of_one_workspace_and_a_session_of_another_do_not_mix(desk):
    delivery = desk.plan("Ours")
    stranger = sign_in(desk.parts, "owner", "other")
    both = desk.ask(
        "POST", f"/api/v1/deliveries/{delivery}/cancel", token=desk.token("write", "other"), headers=stranger.headers
    )
    assert both.status_code == 404
    assert desk.get("/media/" + "a" * 64 + ".jpg", token=desk.token("read", "other")).status_code == 404
