"""Every page with a newsroom in it: nothing keeps anybody out, nothing is wider than the screen, nothing on the console."""

from __future__ import annotations

import itertools
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import test_pages
from tests.test_matrix import ADDRESSES as ROUTES
from tests.tour import ADDRESSES, SIZES, Visitor, newsroom

pytestmark, browser = test_pages.pytestmark, test_pages.browser
SERIOUS = {"serious", "critical"}
COMBINATIONS = list(itertools.product(SIZES, ("light", "dark")))

ELSEWHERE = {
    "/": "it leads on to another page",
    "/welcome": "tests/test_first_run.py and tests/test_pages.py open it",
    "/enter": "as /welcome: templates/pages/entry.html",
    "/reset": "as /welcome: templates/pages/entry.html",
    "/join": "as /welcome: templates/pages/entry.html",
    "/sign-in/code": "as /welcome: templates/pages/entry.html",
    "/by-hand/{token}": "tests/test_by_hand_page.py",
    "/accounts/choose/{pick}": "tests/test_accounts_page.py",
    "/connect/{platform}": "tests/test_accounts_page.py",
    "/connect/{platform}/{server}": "tests/test_accounts_page.py",
}
NO_PAGE = re.compile(
    r"/(api/|l/|static|media|pull|hooks|live|openapi|healthz|readyz|metrics|oidc)|\.(csv|jsonl|ics)$|/(card|photo|write|events|picture/{number}|forecast)$|/calendar/post/"
)
"""Addresses whose answer is a picture, a file, a part of a page or something for machines."""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    with newsroom(tmp_path_factory.mktemp("tour")) as built:
        yield built


def looked_at(room, browser, wanted):
    """What is wrong with pages; ``wanted`` are (name, size, scheme)."""
    found = []
    for (size, scheme), rows in itertools.groupby(sorted(wanted, key=lambda w: w[1:]), key=lambda w: w[1:]):
        visitor = Visitor(room, browser, size, scheme)
        for name, *_ in rows:
            page = visitor.go(name)
            wide, seen = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
            if wide > seen:
                found.append(f"{size} {name} is {wide} px wide on {seen}")
            for rule in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]:
                if rule["impact"] in SERIOUS:
                    nodes = [" ".join(n["target"]) + ": " + n["failureSummary"][-160:] for n in rule["nodes"][:3]]
                    found.append(f"{size} {scheme} {name}: {rule['id']} {nodes}")
            found += [f"{size} {scheme} {name} says {line}" for line in visitor.said]
            visitor.said.clear()
        visitor.context.close()
    return found


def test_every_page_there_is_is_looked_at():
    """A new page is in the tour, and so in the two tests below, or says where else it is looked at."""
    there = {
        a.removeprefix("GET ") for a in ROUTES if a.startswith("GET ") and not NO_PAGE.search(a.removeprefix("GET "))
    }
    toured = {re.sub(r"{\w+}", "{}", p.partition("?")[0]) for _, p in ADDRESSES.values()}
    literal = {"/sources/lantern": "/sources/{name}", "/accounts/add/linkedin": "/accounts/add/{platform}"}
    toured = {re.sub(r"{\w+}", "{}", literal.get(p, p)) for p in toured}
    assert {p for p in there if re.sub(r"{\w+}", "{}", p) not in toured} == set(ELSEWHERE)


def test_nothing_on_any_page_keeps_anybody_out_or_is_wider_than_the_screen(room, browser):
    """Each page once, on a desk or a phone, by day or by night; all of the others in the nightly run, which takes minutes."""
    wanted = [(name, *COMBINATIONS[n % len(COMBINATIONS)]) for n, name in enumerate(ADDRESSES)]
    found = looked_at(room, browser, wanted)
    assert not found, "\n".join(found)


@pytest.mark.nightly
@pytest.mark.parametrize("shift", [1, 2, 3])
def test_nothing_keeps_anybody_out_on_another_screen_at_another_time_of_day(room, browser, shift):
    wanted = [(name, *COMBINATIONS[(n + shift) % len(COMBINATIONS)]) for n, name in enumerate(ADDRESSES)]
    found = looked_at(room, browser, wanted)
    assert not found, "\n".join(found)
