"""A store with one of everything that Handbill keeps, secrets among them, for tests of what is done with all of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from publishers.core.post import Media, Post, Receipt
from publishers.core.publisher import Budget
from worker.changes import Action, Change, Proposal
from worker.changes import Kind as What
from worker.evergreen import Rule
from worker.intake.model import Candidate, Fate, Item, Kind, Source, item_id
from worker.intake.webhooks import Event
from worker.intake.webhooks import Kind as Heard
from worker.model import (
    Account,
    Article,
    Brand,
    Content,
    Delivery,
    Status,
    Step,
    StepKind,
    article_id,
    delivery_id,
    step_key,
)
from worker.numbers import Sample
from worker.people import Actor, Role, User
from worker.receipts import Readback, Sight
from worker.store.ageing import Ageing
from worker.store.alerts import Channels
from worker.store.connections import Renewal
from worker.store.counters import Counter
from worker.store.deliveries import End
from worker.store.hooks import Hook, Subscription
from worker.store.links import Link
from worker.store.listeners import Listener, Notice
from worker.store.replies import Reply

CANARY = "canary-7f3a"
SECRETS = 10
"""Encrypted values that ``fill`` leaves behind."""


def fill(parts, *, posts=6, workspace="main"):
    """One of everything in a workspace; returns the ids of the deliveries."""
    now = datetime.now(UTC).replace(microsecond=0)
    picture = b"\x89PNG not really " + workspace.encode()
    digest = hashlib.sha256(picture).hexdigest()
    path = parts.settings.data_dir.resolve() / "media" / digest[:2] / f"{digest}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
    media = Media(path=str(path), sha256=digest, mime="image/png", width=1, height=1, size=len(picture), alt="A dot")

    account = Account(id=f"{workspace}.mastodon-ada", platform="mastodon", name="Ada ✓", workspace=workspace)
    parts.records.save_account(account, {"access_token": f"{CANARY}-account"})
    parts.records.save_brand(Brand(name="lantern", workspace=workspace, colour="#10304f", accent="#ffc15e"))
    address = f"https://example.org/feed?token={CANARY}-address"
    source = Source(id=f"{workspace}.example", kind=Kind("feed"), address=address, workspace=workspace, private=True)
    parts.sources.save(source, {"token": f"{CANARY}-source"})
    parts.hooks.save(Hook(source=source.id, token=f"{CANARY}-hook", scheme="", secrets=(f"{CANARY}-signing",)))
    parts.hooks.subscribe(
        Subscription(source=source.id, token="t", secret=f"{CANARY}-hub", topic="https://example.org/feed", hub="https://hub.example")
    )  # fmt: skip
    listener = Listener(
        id=f"{workspace}-ear",
        workspace=workspace,
        url=f"https://ear.example/?key={CANARY}-ear",
        created_at=now,
        private=True,
    )
    parts.listeners.save(listener, f"whsec_{CANARY}")
    parts.records.connections.save_app(workspace, "x", {"client_secret": f"{CANARY}-app"})
    parts.records.connections.hold(f"{workspace}-under-way", {"verifier": f"{CANARY}-held"}, seconds=3600)
    parts.replies.begin(workspace, "caller", "key", "asked")
    parts.replies.keep(workspace, "caller", "key", Reply(201, {}, f"{CANARY}-reply"))
    parts.records.create_token(scope="read", workspace=workspace)
    user = User(id=f"u-{workspace}", email=f"{workspace}@example.org", name="Ada", created_at=now)
    parts.people.add(user)
    parts.people.set_role(user.id, workspace, Role.OWNER)
    parts.people.set_password(user.id, f"$argon2id${CANARY}")
    parts.people.set_factor(user.id, {"secret": f"{CANARY}-factor"})
    parts.people.open_session(user.id, workspace, agent="Test", address="127.0.0.1")
    parts.audit.record(
        Actor(kind="command", id="ada", name="Ada", where="here"), "made", "all of it", workspace=workspace
    )
    parts.audit.record(
        Actor(kind="command", id="ada", name="Ada", where="here"), "source added", workspace=workspace, detail=address
    )
    parts.audit.mask(workspace)

    made = []
    for number in range(posts):
        url = f"https://example.org/{workspace}/{number}"
        article = Article(
            id=article_id(workspace, url),
            url=url,
            title=f"Nachricht {number} ☂",
            text="Es regnet.",
            workspace=workspace,
        )
        content = Content(
            short="Es regnet.", medium="Es regnet.", long="Es regnet.", sentences=(), hashtags=("Regen",), alt="Regen"
        )
        parts.records.save_article(article, content)
        name = delivery_id(article.id, account.id, 0)
        step = Step(
            kind=StepKind.POST,
            ordinal=0,
            key=step_key(name, StepKind.POST, 0, 1),
            post=Post(text=f"Es regnet {number}. ☂", media=(media,)),
        )
        due = now + timedelta(hours=number - 1)
        parts.records.link_delivery(article.id, name)
        parts.deliveries.create(
            Delivery(
                id=name, article=article.id, account=account.id, platform="mastodon", status=Status.SCHEDULED, due=due,
                steps=(step,), workspace=workspace,
            ),
            note="planned",
        )  # fmt: skip
        parts.records.reserve(account, name, due, gap=0)
        made.append(name)
        item = Item(
            id=item_id(workspace, source.id, url), workspace=workspace, candidate=Candidate(address=url),
            fate=Fate.PLANNED, source=source.id, article=article.id, deliveries=(name,),
        )  # fmt: skip
        parts.sources.add_item(item, [f"u:{url}"], look=None)
    publish(parts, made[0])
    return made


def publish(parts, name):
    """Let a delivery be published by hand of the store alone."""
    turn = parts.deliveries.begin(name, lease=60, stale=1e6)
    step = turn.delivery.steps[0]
    assert parts.deliveries.intend(turn, turn.delivery.steps, seconds=1) == "ok"
    done = (replace(step, receipt=Receipt(id="1", url="https://social.example/1")),)
    assert parts.deliveries.finish(turn, End(to=Status.PUBLISHED, note="published", steps=done))


def fill_to_the_brim(parts, *, workspace="main"):  # noqa: PLR0915 - one of each kind of key, one after the other
    """As ``fill``, and what is kept of posts after publication and what stands in Redis while work is going on."""
    made = fill(parts, posts=9, workspace=workspace)
    now = parts.now()
    care, sources, hooks, people = parts.aftercare, parts.sources, parts.hooks, parts.people
    account = parts.records.account(f"{workspace}.mastodon-ada")
    source = sources.get(f"{workspace}.example")
    [listener] = parts.listeners.listed(workspace)
    article = parts.deliveries.get(made[0]).article

    parts.receipts.notice(workspace)
    care.save_rule(Rule(name="classics", workspace=workspace))
    care.stop(article, "said by hand", gone=True)
    care.mark_swept(workspace, now)
    care.keep_readback(made[0], Readback(sight=Sight.GONE, at=now), again=None)
    care.read_at(made[0], now + timedelta(hours=1))
    care.missing_since(article, "404", now)
    care.keep_version(replace(parts.records.article(article)[0], text="as it was corrected"))
    change = Change(
        id=f"{workspace}.change", article=article, kind=What.GONE, found_at=now, what=("it is gone",), workspace=workspace,
        proposals=(Proposal(delivery=made[0], action=Action.DELETE, options=(Action.DELETE,)),),
    )  # fmt: skip
    care.add_change(change)
    care.mark_applied(change, made[0])
    care.leave(change, made[0])
    care.mark_events(workspace, now)
    care.keep_samples(made[0], [Sample(60, likes=3)])
    care.report_to(workspace, account.id, 0)
    counter = Counter(name="plausible", workspace=workspace, kind="plausible", settings={"site": "example.org"})
    parts.counters.save(counter, {"key": "a key of the service"})
    parts.counters.mark_asked(counter, now)
    care.keep_visits(workspace, {made[0]: 3}, now)
    parts.links.keep(Link(f"{workspace.replace('-', '')}0", "https://example.org/0", f"{workspace}.gone"))
    parts.links.unneeded(0, most=100)
    link = Link(workspace.replace("-", ""), "https://example.org/1", made[0])
    parts.links.keep(link)
    parts.links.follow(link)

    channels = Channels(parts.store)
    channels.save(account.id, [])
    channels.tell([f"parked:{made[0]}:1", f"late:{workspace}"], now)
    channels.mark(gone=[f"late:{workspace}"], back=[], moment=now)
    parts.records.seen_alive("publish@here", seconds=900)
    parts.records.require_approval(workspace, wanted=True)
    parts.records.spend(
        account, f"app-of-{account.platform}", [Budget(posts=9, seconds=900, app=True), Budget(posts=9, seconds=900)]
    )
    parts.records.mark_renewed(account, seconds=900)
    parts.records.connections.note(account.id, Renewal(at=now))
    parts.records.due_again("tidied", seconds=900)

    user = f"u-{workspace}"
    people.remember_device(user)
    people.name_workspace(workspace, "The Lantern")
    people.make_link(
        "invitation", life=timedelta(days=1), workspace=workspace, email="b@example.org", role="viewer", by="Ada"
    )
    people.bind_subject(f"https://id.example {user}", user)
    people.try_in("ada", most=3, every=900)
    people.once("a code", seconds=900)

    parts.deliveries.mark_double(made[1])
    parts.deliveries.change(made[2], Status.CANCELLED, origins=[Status.SCHEDULED], note="no")
    parts.deliveries.pause(f"account:{account.id}", until=None, why="stopped by hand")
    parts.deliveries.claim(most=64, settle=1, wake=900, attempts=3)
    parts.deliveries.resume(f"account:{account.id}")
    parts.deliveries.change(
        made[3], Status.SCHEDULED, origins=[Status.SCHEDULED], note="now", due=now - timedelta(seconds=1)
    )
    assert parts.deliveries.begin(made[3], lease=1.5, stale=1e6).delivery.id == made[3]
    parts.deliveries.change(
        made[4], Status.SCHEDULED, origins=[Status.SCHEDULED], note="now", due=now - timedelta(seconds=1)
    )
    parts.deliveries.claim(most=64, settle=1, wake=900, attempts=3)
    parts.deliveries.pause(f"account:{account.id}", until=None, why="stopped by hand")

    hooks.ask_at(source.id, now)
    hooks.record(source.id, Event(Heard.DELETED, "k", url="https://example.org/1"), now)
    hooks.settle(source.id, "an event")
    hooks.pace(source.id)
    Ageing(parts.store).items(workspace, timedelta(0), most=1)
    for name in ("due", "taken"):
        url = f"https://example.org/{workspace}/{name}"
        item = Item(
            id=item_id(workspace, source.id, url), workspace=workspace, candidate=Candidate(address=url), fate=Fate.NEW,
            source=source.id,
        )  # fmt: skip
        sources.add_item(item, [f"u:{url}"], look=0 if name == "taken" else 900)
        sources.take_items(wake=900)
        sources.remember_text(item.id, ["t:1"], "2026-11")
    sources.watch(source, "example.org")
    sources.take_polls(most=1, lease=900, gap=900)
    sources.note(source.id, hint="news")

    parts.listeners.mark_heard(listener, now)
    notice = Notice(id=f"{workspace}-notice", listener=listener.id, kind="published", body="{}")
    parts.listeners.queue(listener, notice, now)
    return made
