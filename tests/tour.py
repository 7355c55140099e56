"""A tour of every page with a newsroom in it, as pictures: ``python -m tests.tour FOLDER [PAGE…]``, to be looked at."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import sys
import tempfile
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, sync_playwright

from tests import test_pages
from tests.newsroom import SECOND, Newsroom, sign_in
from tests.paper import Entry, Paper, rss
from tests.test_pages import CHROMIUM, FLAGS
from worker import schedule, team
from worker.changes import Action, Change, Kind, Proposal
from worker.evergreen import Rule
from worker.intake import model as intake
from worker.model import Account, Brand, Delivery, Digest, Status, Step, StepKind, article_id, delivery_id, step_key
from worker.numbers import Sample
from worker.people import Actor, Role
from worker.receipts import Readback, Sight
from worker.schedule import When
from worker.settings import TEMPLATES

CALENDAR = "mon-fri 08:30 12:30 17:00; sat 10:00; gap 45; quiet 22:00-07:00"
PAST = 12
"""Posts of the last weeks: each is drawn."""

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
ARTICLES = (
    ("Harbour ferry to run through the night from May", "Council", """The ferry between Larkhaven and the Senn bank will run through the night from 1 May, every 40 minutes. The council voted 19 to 6 for it on Tuesday.

Night trips will cost 2.80 euros, as in the day. The line carried 1.9 million people last year, 12 percent more than the year before."""),
    ("Swimming pool closes for seven months while its roof is rebuilt", "Council", """The indoor pool on Mill Lane closes on 11 January for seven months. Engineers found cracks in 14 of the 22 beams that carry its roof.

The repair costs 6.4 million euros, of which the state pays half. Schools will swim in Brenn meanwhile, and two buses a day are paid for."""),
    ("Donaudampfschifffahrtsgesellschaftskapitänsmützenmuseum erweitert seine Öffnungszeiten bis in die späten Abendstunden", "Kultur", """Das Museum am Hafen öffnet ab März donnerstags bis 22 Uhr. Im Vorjahr kamen 48.200 Menschen, so viele wie nie zuvor.

Die Stadt zahlt dafür 31.000 Euro im Jahr. Eine Abendkarte kostet vier Euro."""),
    ("Ferries", "Harbour", """The harbour office counted 412 ferries in October, 31 more than in the October before. The new pier opened on the third."""),
    ("Bakery on Mill Lane bakes its last loaf after 91 years", "Town", """Crumb and Tide on Mill Lane closes on 19 December, after 91 years and three generations. Marta Ellingham, who is 67, found nobody to take it over.

Six people work there. Four of them have found another oven."""),
    ("Night market returns to the harbour square with 40 stalls", "Town", """The night market is back on the harbour square on 4 December, with 40 stalls and a choir of 60. It opens at five and closes at eleven.

Last winter 11,300 people came in three evenings."""),
    ("Larkhaven counts its trees: 8,214, and one is older than the town", "Nature", """The town has counted its trees for the first time since 1988. There are 8,214 of them, 640 more than then.

The oldest is a lime behind St. Anne's, which is thought to be 740 years old."""),
)  # fmt: skip


class Tour(Newsroom):
    """The newsroom of the tests with a past, a future, older articles, people and everything else that a page shows."""

    second = SECOND.replace(" 📚", "")  # not every machine that takes the pictures has the font

    def __init__(self, house, folder, paper):
        super().__init__(house.parts, folder)
        self.house, self.site = house, paper.base
        for account in self.parts.records.accounts("main"):
            kept = dataclasses.replace(account, calendar=schedule.read_calendar(CALENDAR))
            self.parts.records.save_account(kept)
        entries = [Entry(f"/{n}", title, tags=(tag,), published=self.now) for n, (title, tag, _) in enumerate(ARTICLES)]
        paper.pages["/feed"] = rss(paper.base, entries)
        self.busy()
        self.folder = folder
        self._more_articles()
        self._sources()
        self._past()
        self._after()
        self._house()

    def _article(self, number):
        title, tag, text = ARTICLES[number]
        file = self.folder / f"article-{number}.md"
        file.write_text(f"# {title}\n\n{text}\n")
        article = self.parts.planner.ingest(str(file), workspace="main")
        _, content = self.parts.records.article(article.id)
        shown = dataclasses.replace(
            article, url=f"https://lantern.example/{tag.lower()}/{number}", site="The Larkhaven Lantern",
            author="Ida Marsh", tags=(tag,), published_at=self.now - timedelta(days=40 * number + 1),
        )  # fmt: skip
        self.parts.records.save_article(shown, content)
        return shown

    def _more_articles(self):
        self.older = [self._article(n) for n in range(4)]
        self.new = [self._article(len(ARTICLES) - n) for n in (1, 2, 3)]
        for days, article in ((2, self.older[1]), (3, self.older[2])):
            at = (self.now + timedelta(days=days)).replace(hour=8, minute=30, second=0, microsecond=0)
            accounts = self.parts.records.accounts("main")[:4]
            self.parts.planner.plan(
                article.id, accounts, due=lambda a, _, at=at: When(at + timedelta(minutes=15 * len(a.id)), "", a.zone)
            )

    def _sources(self):
        sources = self.parts.sources
        for name, title, address, active in (
            ("lantern", "The Larkhaven Lantern", "https://lantern.example/feed.xml", True),
            ("council", "Larkhaven council, notices", "https://council.example/notices/atom/all-departments.xml", True),
            ("archive", "Archive", "https://archive.example/feed", False),
        ):
            source = intake.Source(
                id=f"main.{name}", kind=intake.Kind.FEED, dialect="rss 2.0", address=address, name=title, active=active,
                reason="" if active else "stopped by hand", since=self.now, rules=intake.Rules(at="inbox"),
            )  # fmt: skip
            sources.add(source)
            sources.note(
                source.id,
                polled=self.now - timedelta(minutes=7),
                read=self.now,
                next_poll=self.now + timedelta(minutes=8),
            )
        sources.note("main.council", error="council.example answered 503", failures=4)
        fates = (
            intake.Fate.PLANNED,
            intake.Fate.INBOX,
            intake.Fate.HELD,
            intake.Fate.SKIPPED,
            intake.Fate.DUPLICATE,
            intake.Fate.FAILED,
        )
        whys = (
            "",
            "",
            "its picture cannot be fetched: 404",
            "the rule exclude: tag Sport",
            "of what Lantern brought on 24 Nov",
            "https://lantern.example/6 answered 410",
        )
        for number, (fate, why) in enumerate(zip(fates, whys, strict=True)):
            url = f"https://lantern.example/{number}"
            title = ARTICLES[number % len(ARTICLES)][0]
            item = intake.Item(
                id=intake.item_id("main", "main.lantern", url), workspace="main", source="main.lantern", fate=fate, reason=why,
                candidate=intake.Candidate(address=url, title=title), article=self.older[0].id if fate is intake.Fate.PLANNED else "",
            )  # fmt: skip
            sources.add_item(item, [f"u:{url}"], look=None)

    def _past(self):
        """Posts of the last weeks with what readers did with them."""
        accounts = [a for a in self.parts.records.accounts("main") if a.platform in {"mastodon", "bluesky", "x"}]
        for number in range(PAST):
            article, account = self.older[number % 4], accounts[number % 3]
            due = (self.now - timedelta(days=3 + number)).replace(hour=(9, 12, 18)[number % 3], minute=5)
            _, content = self.parts.records.article(article.id)
            made = self.parts.planner.studio.post_for(article, content, account)
            name = delivery_id(article.id, account.id, 10 + number)
            step = Step(kind=StepKind.POST, ordinal=0, key=step_key(name, StepKind.POST, 0, 1), post=made.post)
            self.parts.deliveries.create(
                dataclasses.replace(self._blank(name, article, account), due=due, steps=(step,)), note="planned"
            )
            self.parts.records.link_delivery(article.id, name)
            self.ids[f"past-{number}"] = name
            self.publish(f"past-{number}", f"https://social.example/@lantern/{1000 + number}", at=due)
            liked = 6 + number * 7 % 31
            sample = Sample(
                4400,
                likes=liked,
                shares=liked // 3,
                replies=number % 4,
                views=None if number % 3 else liked * 41,
                clicks=liked // 2,
            )
            self.parts.aftercare.keep_samples(name, [sample])
        self.parts.receipts.notice("main")

    def _blank(self, name, article, account):
        return Delivery(
            id=name, article=article.id, account=account.id, platform=account.platform, status=Status.SCHEDULED,
            due=self.now, zone=account.zone, steps=(),
        )  # fmt: skip

    def _after(self):
        care = self.parts.aftercare
        seen = (Sight.DIFFERS, Sight.GONE, Sight.LIVE, Sight.UNREADABLE)
        notes = (
            ("the text ends earlier: “… every 40 minutes” is missing",),
            ("it answers 404",),
            (),
            ("read-back is not offered",),
        )
        for number, (sight, why) in enumerate(zip(seen, notes, strict=True)):
            care.keep_readback(self.ids[f"past-{number}"], Readback(sight=sight, at=self.now, notes=why), again=None)
        for number, kind in enumerate(Kind):
            name = self.ids[f"past-{number + 4}"]
            first = self.parts.deliveries.get(name).steps[0].post.text
            proposals = (
                Proposal(delivery=name, action=Action.EDIT, options=(Action.EDIT, Action.REPLY, Action.LEAVE),
                         text=first.replace("40", "30"), reply="Correction: every 30 minutes.", why=("it says 40 minutes, the article 30",)),
                Proposal(delivery=self.ids["x-1"], action=Action.REPLY, options=(Action.REPLY, Action.LEAVE),
                         reply="Correction: every 30 minutes.", why=("X takes no edits here",)),
            )  # fmt: skip
            care.add_change(
                Change(
                    id=f"main.{article_id('main', kind).partition('.')[2]}", article=self.older[number % 4].id, kind=kind,
                    found_at=self.now - timedelta(hours=number), what=("“every 40 minutes” is “every 30 minutes” now",),
                    proposals=proposals if number < 2 else proposals[:1],
                    address="https://lantern.example/council/night-ferry-2" if kind is Kind.MOVED else "",
                )
            )  # fmt: skip
        care.save_rule(
            Rule(name="classics", source="lantern.example", after=3, every=7, times=30, weekly=3, oldest=0, window=1)
        )
        care.save_rule(Rule(name="advent", account="main.mastodon", season=("11-15/01-06",), active=False))
        self.parts.evergreens.sweep("main", force=True)
        care.stop(self.older[3].id, "stopped by Ida Marsh")

    def _house(self):
        parts, actor = self.parts, Actor(kind="person", id="u-1", name="Ida Marsh", where="10.20.30.40")
        for role in (Role.EDITOR, Role.APPROVER, Role.VIEWER):
            sign_in(parts, role)
        team.invite(
            parts,
            actor,
            email="a.very.long.name.of.somebody@department.larkhaven.example",
            workspace="main",
            role=Role.EDITOR,
        )
        parts.people.name_workspace("main", "The Larkhaven Lantern")
        for scope, name in (("read", "Wall display"), ("write", "CMS"), ("calendar", "Newsroom calendar")):
            parts.records.create_token(scope=scope, workspace="main", name=name)
        parts.records.save_brand(
            Brand(name="Lantern", workspace="main", colour="#10304f", accent="#ffc15e", sources=("lantern.example",))
        )
        letter = Account(
            id="main.smtp-readers",
            platform="smtp",
            name="Readers of the morning letter",
            zone="Europe/Vienna",
            digest=Digest(every="weekly", on=4, at=time(7, 30), source="lantern.example"),
        )
        parts.records.save_account(letter, {"password": "x"})
        parts.deliveries.pause("connect:main.linkedin", until=None, why="LinkedIn does not accept the token any more")


MAIN, OTHER, NOBODY = "main", "brand-x", ""
ADDRESSES = {
    "sign-in": (NOBODY, "/sign-in"),
    "first-steps": (OTHER, "/inbox"),
    "inbox": (MAIN, "/inbox"),
    "inbox-planned": (MAIN, "/inbox?show=planned"),
    "composer": (MAIN, "/compose/{article}?open={post}"),
    "calendar": (MAIN, "/calendar"),
    "calendar-week": (MAIN, "/calendar?view=week"),
    "calendar-day": (MAIN, "/calendar?view=day"),
    "calendar-list": (MAIN, "/calendar?view=list"),
    "calendar-post": (MAIN, "/calendar?view=list&open={post}"),
    "queue": (MAIN, "/queue"),
    "queue-decide": (MAIN, "/queue?show=decide&open={parked}"),
    "gallery": (MAIN, "/gallery"),
    "forecast": (MAIN, "/forecast"),
    "numbers": (MAIN, "/numbers"),
    "evergreen": (MAIN, "/evergreen"),
    "digests": (MAIN, "/digests"),
    "changes": (MAIN, "/changes"),
    "receipts": (MAIN, "/receipts"),
    "receipt": (MAIN, "/receipts/{past}"),
    "sources": (MAIN, "/sources"),
    "source": (MAIN, "/sources/lantern"),
    "source-new": (MAIN, "/sources"),
    "items": (MAIN, "/items"),
    "templates": (MAIN, "/templates"),
    "brands": (MAIN, "/brands?name=Lantern"),
    "accounts": (MAIN, "/accounts"),
    "connect": (MAIN, "/accounts/add/linkedin"),
    "team": (MAIN, "/team"),
    "settings": (MAIN, "/settings"),
    "second": (MAIN, "/settings/second"),
    "workspace": (MAIN, "/settings/workspace"),
    "audit": (MAIN, "/audit"),
}
DRAWN = {"calendar", "calendar-week", "calendar-day"}


@contextlib.contextmanager
def newsroom(folder: Path) -> Iterator[Tour]:
    """The newsroom behind a real server, and a newspaper that it can follow."""
    paper = Paper()
    try:
        with test_pages.running(folder, busy=False, allow_hosts=paper.host, host_gap_seconds=0) as house:
            yield Tour(house, folder, paper)
    finally:
        paper.close()


class Visitor:
    """A browser window, and whoever looks out of it; ``said`` is what the console complained about."""

    def __init__(self, room: Tour, chromium: Browser, size: str, scheme: str) -> None:
        self.room, self.said, self.where = room, [], None
        self.context = chromium.new_context(viewport=SIZES[size], color_scheme=scheme, timezone_id="Europe/Vienna")
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda m: self.said.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda e: self.said.append(str(e)))

    def go(self, name: str) -> Page:
        """Open a page and wait until it is all there."""
        workspace, path = ADDRESSES[name]
        if workspace != self.where:  # a page that is open asks for news, and nobody is signed in for a moment
            self.page.goto("about:blank")
            self.context.clear_cookies()
            self.where = workspace
        if workspace:
            self.context.add_cookies([sign_in(self.room.parts, Role.OWNER, workspace, base=self.room.house.url).cookie])
        names = {
            "article": self.room.articles[1],
            "post": self.room.ids["linkedin-2"],
            "parked": self.room.ids["linkedin-1"],
        }
        self.page.goto(self.room.house.url + path.format(**names, past=self.room.ids["past-0"]))
        if name in DRAWN:
            self.page.wait_for_function("() => Number(document.getElementById('calendar')?.dataset.drawn) > 0")
        if name == "source-new":
            self.page.get_by_label("Follow a site").fill(f"{self.room.site}/feed")
            self.page.get_by_role("button", name="Find its feeds").click()
            self.page.wait_for_selector("text=Were these published now")
        return self.page


def walk(folder: Path, wanted: list[str], schemes: tuple[str, ...], sizes: list[str]) -> Iterator[Path]:
    """Take every picture; yields where it is."""
    with tempfile.TemporaryDirectory() as data, newsroom(Path(data)) as room, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for size, scheme in itertools.product(sizes, schemes):
            visitor = Visitor(room, chromium, size, scheme)
            for name in wanted or ADDRESSES:
                page = visitor.go(name)
                test_pages.load_pictures(page)
                page.evaluate("() => [...document.querySelectorAll('.posts'), window].forEach(e => e.scrollTo(0, 0))")
                place = folder / f"{name}-{size}-{scheme}.png"
                page.screenshot(path=place, full_page=True)
                yield place
            visitor.context.close()
        chromium.close()


def hang(folder: Path, images: Path) -> None:
    """Make the pictures of the README of those in ``folder``: each page alone, and all of them on two sheets."""
    for name in ("inbox", "composer", "calendar", "queue"):
        _cut(folder / f"{name}-desk-light.png", (1280, 900)).save(images / f"{name}.webp", quality=82, method=6)
    pair = Image.new("RGB", (800, 844), "#8a8a84")
    for place, name in ((0, "queue-decide-phone-light"), (410, "calendar-list-phone-dark")):
        pair.paste(_cut(folder / f"{name}.png", (390, 844)), (place, 0))
    pair.save(images / "phone.webp", quality=82, method=6)
    for sheet, size, scheme, columns, scale in (
        ("desk", "desk", "light", 4, 0.5),
        ("phones", "phone", "dark", 8, 0.75),
    ):
        _sheet(folder, size, scheme, columns, scale).save(images / f"{sheet}.webp", quality=72, method=6)


def _sheet(folder: Path, size: str, scheme: str, columns: int, scale: float) -> Image.Image:
    wide, high = (round(SIZES[size][k] * scale) for k in ("width", "height"))
    rows = -(-len(ADDRESSES) // columns)
    sheet = Image.new("RGB", (24 + columns * (wide + 24), 24 + rows * (high + 60)), "#d8d3c8")
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(TEMPLATES / "fonts" / "Inter-Medium.ttf", 22)
    for number, name in enumerate(ADDRESSES):
        x, y = 24 + number % columns * (wide + 24), 24 + number // columns * (high + 60)
        pen.text((x, y), name.capitalize().replace("-", " "), "#1d1b18", font)
        picture = _cut(folder / f"{name}-{size}-{scheme}.png", tuple(SIZES[size].values()))
        sheet.paste(picture.resize((wide, high), Image.Resampling.LANCZOS), (x, y + 32))
    return sheet


def _cut(place: Path, size: tuple[int, int]) -> Image.Image:
    """The first screenful of a picture."""
    with Image.open(place) as picture:
        return picture.convert("RGB").crop((0, 0, *size))


def main() -> None:
    """Take the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--hang", type=Path, help="where the README's pictures are made of them")
    parser.add_argument("--size", choices=[*SIZES, "both"], default="both")
    parser.add_argument("--scheme", choices=["light", "dark", "both"], default="both")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    schemes = ("light", "dark") if asked.scheme == "both" else (asked.scheme,)
    sizes = list(SIZES) if asked.size == "both" else [asked.size]
    for place in walk(asked.folder, asked.pages, schemes, sizes):
        sys.stdout.write(f"{place}\n")
    if asked.hang:
        hang(asked.folder, asked.hang)


if __name__ == "__main__":
    main()
