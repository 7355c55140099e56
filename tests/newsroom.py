"""A newsroom to look at: two articles, six accounts, and posts of them in every state a page must show."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

from publishers.core.post import Receipt
from web import cookies
from web.place import Place
from worker.model import Account, Status, delivery_id
from worker.people import Role, User
from worker.runtime import Runtime
from worker.schedule import When
from worker.settings import TEMPLATES, Settings
from worker.store import open_store
from worker.store.deliveries import End
from worker.store.people import new_user_id
from worker.store.secrets import Vault

KEY = "7Hn2y1Zq3mZ3p6Yp0bq2kqXx0W1m8dKQ3o0v8m0m0mE="

SECOND = """# Die Stadtbücherei öffnet jetzt auch sonntags 📚

Ab dem ersten Advent hat die Stadtbücherei Larkhaven sonntags von 11 bis 17 Uhr geöffnet. Der Gemeinderat hat die
Mittel dafür am Montag mit 21 zu 4 Stimmen freigegeben.

Im Probejahr kamen an Sonntagen im Schnitt 412 Menschen, mehr als an jedem anderen Tag der Woche. Besonders voll war die
Kinderabteilung: Jede dritte Ausleihe war ein Bilderbuch.

Die zusätzlichen Stunden kosten 86.000 Euro im Jahr. Vier Stellen werden dafür neu besetzt, die Ausschreibung läuft bis
Mitte Januar.
"""

ACCOUNTS = (
    ("mastodon", "@lantern@larkhaven.social", "https://larkhaven.social/@lantern", True),
    ("bluesky", "@lantern.larkhaven.example", "https://bsky.app/profile/lantern.larkhaven.example", True),
    ("x", "@LarkhavenNews", "https://x.com/LarkhavenNews", True),
    ("linkedin", "The Larkhaven Lantern", "https://www.linkedin.com/company/larkhaven-lantern", False),
    ("telegram", "Larkhaven Lantern", "https://t.me/larkhaven", True),
    ("outbox", "outbox", "", False),
)


def runtime(server, folder: Path, **settings) -> Runtime:
    """The parts on a Redis of a test's own; ``folder`` is the data folder."""
    config = Settings(data_dir=folder, redis_url=server.url, zone="Europe/Vienna", **settings)
    return Runtime(config, open_store(server.url), Vault(KEY))


class Visit:
    """A browser that is signed in: ``headers`` and ``form_token`` for a client, ``cookie`` for playwright."""

    def __init__(self, parts: Runtime, role: str, workspace: str, base: str, zone: str) -> None:
        place = Place(base, secure=base.startswith("https:"), address="127.0.0.1")
        email = f"{role}@{workspace}.example"
        self.user = parts.people.by_email(email)
        if self.user is None:
            self.user = User(id=new_user_id(), email=email, name=f"{role.title()} of {workspace}", zone=zone)
            parts.people.add(self.user)
        parts.people.set_role(self.user.id, workspace, Role(role))
        self.secret = parts.people.open_session(self.user.id, workspace, agent="a test", address="127.0.0.1")
        self.form_token = cookies.form_token(self.secret, workspace)
        name = cookies.name_of("session", place)
        self.headers = {"Cookie": f"{name}={self.secret}"}
        self.cookie = {"name": name, "value": self.secret, "url": base}


def sign_in(
    parts: Runtime,
    role: str = "owner",
    workspace: str = "main",
    *,
    base: str = "http://127.0.0.1:8484",
    zone: str = "Europe/Vienna",
) -> Visit:
    """Somebody of that role, in a session of their own; made where there is nobody yet.

    ``client.get("/queue", headers=sign_in(parts).headers)``; a form also sends ``form_token`` and, as browsers do,
    ``Origin: base``. In a browser: ``context.add_cookies([sign_in(parts, base=url).cookie])``.
    """
    return Visit(parts, role, workspace, base, zone)


class Newsroom:
    """Deliveries by ``<platform>-<1|2>``: their ids."""

    second = SECOND

    def __init__(self, parts: Runtime, folder: Path) -> None:
        self.parts = parts
        self.now = parts.now()
        for platform, name, url, rehearsal in ACCOUNTS:
            account = Account(
                id=f"main.{platform}", platform=platform, name=name, url=url, rehearsal=rehearsal, zone="Europe/Vienna"
            )
            parts.records.save_account(account, {"access_token": f"secret-of-{platform}"})
        second = folder / "buecherei.md"
        second.write_text(self.second)
        self.articles = [self._plan(str(TEMPLATES / "sample" / "index.html"), -3), self._plan(str(second), -1)]
        self.ids = {
            f"{p}-{n}": delivery_id(article, f"main.{p}", 0)
            for n, article in enumerate(self.articles, 1)
            for p, *_ in ACCOUNTS
        }

    def _plan(self, source: str, minutes: int) -> str:
        article = self.parts.planner.ingest(source, workspace="main")
        due = self.now + timedelta(minutes=minutes)
        self.parts.planner.plan(article.id, self.parts.records.accounts("main"), due=lambda a, _: When(due, "", a.zone))
        return article.id

    def publish(self, name: str, url: str, at: datetime | None = None) -> None:
        """It is public at ``url``."""
        turn, steps = self._commit(name, at)
        steps = (dataclasses.replace(steps[0], receipt=Receipt(id=url.rpartition("/")[2], url=url)),)
        note = f"published {url}"
        fields = {"reason": "", "step": 1}
        assert self.parts.deliveries.finish(turn, End(Status.PUBLISHED, note, steps=steps, fields=fields))

    def end(self, name: str, to: Status, reason: str, wait: float | None = None) -> None:
        """Its attempt ended in ``to``."""
        turn, steps = self._commit(name, None)
        fields = {"reason": reason, "uncertain": int(to in {Status.UNCONFIRMED, Status.PARKED})}
        if to is Status.PARKED:
            lost = "Unconfirmed: no answer in 30 s"
            self.parts.deliveries.finish(turn, End(Status.UNCONFIRMED, lost, steps=steps, wait=0, fields=fields))
            turn = self.parts.deliveries.begin(self.ids[name], lease=60, stale=1e9)
        assert self.parts.deliveries.finish(turn, End(to, reason, steps=steps, wait=wait, costs=True, fields=fields))

    def _commit(self, name: str, at: datetime | None):
        turn = self.parts.deliveries.begin(self.ids[name], lease=60, stale=1e9)
        assert not isinstance(turn, str), (name, turn)
        steps = (dataclasses.replace(turn.delivery.steps[0], at=at or self.now),)
        assert self.parts.deliveries.intend(turn, steps, seconds=1) == "ok"
        return turn, steps

    def busy(self) -> None:
        """Every state there is to see: one parked, one unconfirmed, one failed, some waiting, the rest public."""
        base = "http://127.0.0.1:8485"
        self.publish("mastodon-1", f"{base}/mastodon/mastodon/@lantern/115601127733411840")
        self.publish("bluesky-1", f"{base}/bluesky/bluesky/profile/lantern.larkhaven.example/post/3m6aq2x7k2c2n")
        self.publish("x-1", f"{base}/x/x/i/web/status/1993412345678901248")
        self.publish("telegram-1", f"{base}/telegram/telegram/larkhaven/128")
        self.publish("outbox-1", (self.parts.settings.data_dir / "outbox" / "index.html").as_uri())
        self.end(
            "linkedin-1",
            Status.PARKED,
            "sent at 2026-11-24 09:30:02 UTC, 512 bytes of text, no answer; nobody but a person can tell whether it is there",
        )
        self.end("bluesky-2", Status.UNCONFIRMED, "the connection was lost after the post was sent", wait=45)
        self.end(
            "x-2",
            Status.FAILED,
            'Rejected: X refuses the post (403: "You are not permitted to perform this action.")',
        )
        self.end(
            "mastodon-2", Status.SCHEDULED, "Unavailable: the server cannot be reached (connect: timed out)", wait=20
        )
        self.publish("outbox-2", (self.parts.settings.data_dir / "outbox" / "index.html").as_uri())
        later = self.now + timedelta(hours=20)
        self.parts.deliveries.change(
            self.ids["linkedin-2"], Status.SCHEDULED, origins=[Status.SCHEDULED], note="moved by hand", due=later
        )
        self.parts.deliveries.change(
            self.ids["telegram-2"],
            Status.AWAITING_APPROVAL,
            origins=[Status.SCHEDULED],
            note="the text was edited",
        )
        self.parts.records.seen_alive("publish@newsroom", seconds=3600)
        self.parts.records.seen_alive("content@newsroom", seconds=3600)
        self.parts.records.seen_alive("intake@newsroom", seconds=3600)
