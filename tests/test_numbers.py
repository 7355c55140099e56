"""What readers did: asked for ever less often, kept in few bytes, and never more certain than a few posts allow."""

from __future__ import annotations

import dataclasses
import io
import itertools
import random
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from PIL import Image
from scipy import stats

from publishers.core import letter
from publishers.core.publisher import Budget
from tests.street import NOW, Street, listening
from tests.test_mail import Box, Server
from tests.test_web import BASE, Desk
from web.app import create_app
from worker import numbers
from worker.content import cards
from worker.embedded import Embedded
from worker.model import Status, Step, StepKind, step_key
from worker.numbers import Sample, Told
from worker.pipeline.numbers import plotted, report, report_to, send_report

STUDENT = (
    (1, 12.706204736),
    (2, 4.302652730),
    (5, 2.570581836),
    (9, 2.262157163),
    (30, 2.042272456),
    (100, 1.983971519),
)
"""scipy 1.17.1, stats.t.ppf(0.975, n)."""

EXACT = (
    ([41, 19, 50], [83, 6, 9], 0.7),
    ([68, 12, 46, 74], [7, 64, 27, 4, 11], 0.1111111111),
    ([222, 214, 35, 123, 46, 282, 217, 30], [289, 63, 114, 298, 31, 295], 0.4135864136),
    ([37, 25], [3, 14, 2, 35, 8, 18, 26, 9, 34], 0.2181818182),
    ([0, 2, 1, 0], [1, 2, 0, 0], 1.0),
    ([4, 0, 4, 1, 3], [4, 3, 2, 3, 4, 3], 0.6536796537),
    ([2, 2, 1, 1, 5, 1, 0], [4, 2, 4], 0.1916666667),
    ([1, 1, 2, 1, 1, 2], [0, 0, 2, 1, 0, 1], 0.2380952381),
)
"""scipy 1.17.1, stats.permutation_test of every way to divide the ranks, by how far their sum is from its middle."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Embedded.start(tmp_path_factory.mktemp("numbers")) as running:
        yield running


@pytest.fixture(scope="module")
def here():
    with listening() as now:
        yield now


# Statistics


@pytest.mark.parametrize(("freedom", "point"), STUDENT)
def test_students_t_is_what_scipy_says(freedom, point):
    assert numbers.student(freedom) == pytest.approx(point, abs=1e-8)


@pytest.mark.parametrize(("one", "other", "p"), EXACT)
def test_the_rank_test_is_what_scipy_says_ties_and_all(one, other, p):
    assert numbers.rank_test(one, other) == pytest.approx(p, abs=1e-9)
    assert numbers.rank_test(other, one) == pytest.approx(p, abs=1e-9)


def test_scipy_agrees_on_numbers_drawn_by_chance():
    draw = random.Random(5)
    for _ in range(50):
        pool = draw.sample(range(5000), 14)
        exact = stats.mannwhitneyu(pool[:6], pool[6:], method="exact").pvalue
        assert numbers.rank_test(pool[:6], pool[6:]) == pytest.approx(exact)
        a, b = ([draw.randint(0, 12) for _ in range(30)] for _ in range(2))
        assert numbers.rank_test(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="asymptotic").pvalue)


def test_chance_alone_is_called_a_difference_no_more_often_than_it_says():
    draw, wrong, rounds = random.Random(11), 0, 400
    for _ in range(rounds):
        values = [round(draw.paretovariate(1.2)) for _ in range(16)]  # a few posts run wild, as posts do
        wrong += numbers.compare("a", values[:8], "b", values[8:]).sure
    assert wrong / rounds <= numbers.LIKELY + 0.02


@pytest.mark.parametrize("count", [1, 2, 3])
def test_three_posts_against_three_prove_nothing_whatever_their_numbers(count):
    verdict = numbers.compare("a", [1000] * count, "b", [0] * count)
    assert not verdict.sure
    assert "too few to tell" in verdict.words


def test_a_real_difference_is_found_and_one_lucky_post_is_none():
    assert numbers.compare("late", [30, 41, 28, 35, 50, 44], "early", [2, 5, 1, 4, 3, 6]).sure
    assert not numbers.compare("late", [2, 5, 1000, 4, 3, 6], "early", [2, 5, 1, 4, 3, 6]).sure
    many = numbers.compare("late", [30, 41, 28, 35], "early", [2, 5, 1, 4], tests=24)
    assert not many.sure, "of 24 hours one is best by chance"


def told(hour, engaged, number=0):
    return Told(
        delivery=f"main.{number}", article="main.a", account="main.m", platform="mastodon", sent=NOW, weekday=0, hour=hour,
        hashtags=("News",), design="photo", variant=0, evergreen=False, sample=Sample(5000, likes=engaged),
        ripe=True,
    )  # fmt: skip


def test_an_hour_with_one_lucky_post_is_no_best_time_and_says_how_unsure_it_is():
    posts = [told(9, 10 + n % 3) for n in range(12)] + [told(13, 3) for _ in range(12)] + [told(22, 14)]
    best = numbers.best_time(posts)
    assert best.hour == 9
    assert best.verdict.sure
    lucky = next(h for h in best.hours if h.hour == 22)
    assert lucky.high - lucky.low > next(h for h in best.hours if h.hour == 9).high - best.hours[0].low - 1
    few = numbers.best_time([told(9, 10), told(13, 3)])
    assert not few.verdict.sure
    assert numbers.best_time([]).hour is None


def test_samples_are_taken_ever_less_often_and_equal_ones_are_kept_once():
    age, ages = timedelta(), []
    while (step := numbers.following(age)) is not None:
        age = step
        ages.append(step)
    assert len(ages) == 9
    assert all(b - a >= a / 2 for a, b in itertools.pairwise(ages))
    kept = []
    for minutes in (60, 180, 480, 1440):
        kept = numbers.thinned(kept, Sample(minutes, likes=3))
    assert [s.minutes for s in kept] == [60, 1440]


# On stand-ins


def popular(street, platform, likes):
    """Readers like the newest post: the stand-ins count none by themselves."""
    adapter = type(street.parts.accounts.open(street.accounts[platform].id)[1])
    return adapter, lambda self, receipt: {"likes": likes(), "shares": 1, "replies": 0}


def test_numbers_are_asked_for_on_their_days_kept_and_shown(server, here, tmp_path, monkeypatch):
    street = Street(server, tmp_path, here, ["mastodon", "telegram", "x"])
    asked = []
    adapter, reading = popular(street, "mastodon", lambda: asked.append(street.at) or len(asked) * 2)
    monkeypatch.setattr(adapter, "metrics", reading)
    made = {d.platform: d for d in street.share()}
    for _ in range(24 * 8):
        street.parts.receipts.notice("main")
        street.parts.numbers.round("main")
        street.at += timedelta(hours=1)
    assert [round((at - NOW) / timedelta(hours=1)) for at in asked] == [1, 3, 8, 24, 72, 168]
    samples = street.parts.aftercare.samples("main")
    assert set(samples) == {made["mastodon"].id}, "Telegram tells none, and X wants money for them"
    assert [s.likes for s in samples[made["mastodon"].id]] == [2, 4, 6, 8, 10, 12]
    assert samples[made["mastodon"].id][0].views is None
    key = street.parts.store.client.hget("handbill:{main}:after:numbers", made["mastodon"].id)
    assert len(key) < 150, "few bytes"
    (one,) = street.parts.numbers.posts("main")
    assert (one.sample.likes, one.ripe, one.hour) == (10, True, 9), "compared at the age of three days, on its wall"

    desk = Desk.__new__(Desk)
    desk.parts, desk.app = street.parts, create_app(street.parts)
    page = desk.page("/numbers").text
    assert "<svg" in page
    assert "one post says nothing" in page
    assert "Too few posts to compare" in page
    assert one.design == made["mastodon"].steps[0].post.media[0].design != ""
    assert f"<title>{one.design}: " in page.partition("By card design")[2]
    answer = desk.get("/api/v1/numbers", token=desk.token()).json()
    assert answer["posts"][0]["likes"] == 10
    assert answer["best"][0]["sure"] is False


def test_an_account_is_asked_for_no_more_than_its_share_an_hour(server, here, tmp_path, monkeypatch):
    street = Street(server, tmp_path, here, ["mastodon"])
    asked = []
    adapter, reading = popular(street, "mastodon", lambda: asked.append(1) or 1)
    monkeypatch.setattr(adapter, "metrics", reading)
    monkeypatch.setattr("worker.pipeline.numbers.READS", (numbers_budget(2),))
    for _ in range(5):
        street.share(again=True)
        street.at += timedelta(minutes=1)
    street.parts.receipts.notice("main")
    street.at += timedelta(hours=2)
    street.parts.numbers.round("main")
    assert len(asked) == 2


def numbers_budget(posts):

    return Budget(posts=posts, seconds=3600, app=True)


def test_the_weekly_report_goes_out_once_a_week_through_an_account(server, here, tmp_path):
    street = Street(server, tmp_path, here, ["slack"])
    street.share()
    parts = street.parts
    assert send_report(parts, "main") is None, "nobody wants one"
    desk = Desk.__new__(Desk)
    desk.parts, desk.app = parts, create_app(parts)
    name = street.accounts["slack"].id
    data = {"form_token": desk.owner.form_token, "account": name, "weekday": "2"}
    assert desk.post("/numbers/report", data=data, headers={"Origin": BASE}, visit=desk.owner).status_code == 303
    sent = []
    for _ in range(24 * 15):
        made = send_report(parts, "main")
        if made:
            sent.append((street.at.weekday(), made.id))
            street.work()
            assert parts.deliveries.get(made.id).status is Status.PUBLISHED
        street.at += timedelta(hours=1)
    assert [day for day, _ in sent] == [2, 2]
    assert len({name for _, name in sent}) == 2
    texts = [p.text for p in street.got("slack")]
    assert sum(t.startswith("Handbill, ") for t in texts) == 2
    assert "posts went out" in report(parts, "main", days=30)
    assert datetime(2026, 11, 4, tzinfo=UTC).weekday() == 2


def test_the_report_counts_what_went_out_whatever_became_of_it_since(server, here, tmp_path):
    street = Street(server, tmp_path, here, ["outbox", "mastodon", "bluesky"])
    old = street.share(platforms=["mastodon"])
    street.at += timedelta(days=8)
    posts = street.share(again=True)
    told = lambda: report(street.parts, "main", days=7).splitlines()[2]  # noqa: E731 - asked for twice
    assert told() == "3 posts went out; 0 have numbers."
    for one in (posts[0], old[0]):  # this week's, and one of last week's, which went out before
        made = street.parts.deliveries.get(one.id)
        step = Step(
            kind=StepKind.DELETE, ordinal=1, key=step_key(one.id, StepKind.DELETE, 1, 1), post=made.steps[0].post
        )
        street.parts.deliveries.change(
            one.id,
            Status.SCHEDULED,
            origins=[Status.PUBLISHED],
            note="delete",
            due=street.at,
            steps=(*made.steps, step),
        )
    street.work()
    assert {street.parts.deliveries.get(d.id).status for d in (posts[0], old[0])} == {Status.DELETED}
    assert told() == "3 posts went out, 1 of them deleted since; 0 have numbers."


# The report as a mail

TITLE = "Larkhaven’s 1911 footbridge reopens four months early and £310,000 under budget"


def newsroom_with_numbers(street, monkeypatch, counts):
    """Posts of several days, each read with its likes."""
    left = list(counts)
    known = {}

    def read(self, receipt):
        if receipt.id not in known:
            known[receipt.id] = left.pop(0)
        return {"likes": known[receipt.id]}

    monkeypatch.setattr(popular(street, "mastodon", lambda: 0)[0], "metrics", read)
    for _ in counts:
        street.share(platforms=["mastodon"], again=True)
        street.parts.receipts.notice("main")
        for _ in range(8):
            street.at += timedelta(hours=1)
            street.parts.numbers.round("main")


def test_the_weekly_report_is_a_mail_with_its_plots_handed_to_a_real_server_byte_for_byte(
    server, here, tmp_path, monkeypatch
):
    box = Box()
    mails = Server(box)
    mails.start()
    try:
        street = Street(server, tmp_path, here, ["mastodon"], allow_hosts=mails.name)
        given = {"server": mails.name, "sender": "Handbill <desk@larkhaven.example>", "to": "ada@larkhaven.example", "security": "none"}  # fmt: skip
        account = street.parts.accounts.connect("smtp", given, workspace="main", name="desk")
        street.parts.records.save_account(dataclasses.replace(account, zone="UTC"))
        newsroom_with_numbers(street, monkeypatch, [3, 9, 4])
        report_to(street.parts, "main", account.id, 0)
        street.at = datetime(2026, 11, 9, 8, tzinfo=UTC)
        made = send_report(street.parts, "main")
        street.work()
        assert street.parts.deliveries.get(made.id).status is Status.PUBLISHED
        assert send_report(street.parts, "main") is None
        (handed,) = box.mails
    finally:
        mails.stop()

    assert (handed.mail_from, handed.rcpt_tos) == ("desk@larkhaven.example", ["ada@larkhaven.example"])
    post = made.steps[0].post
    (media,) = post.media
    key, name = made.steps[0].key, street.parts.records.account(street.accounts["mastodon"].id).name
    text = (
        "Handbill, 02 November to 09 November 2026\n\n3 posts went out; 3 have numbers.\n\n"
        "By account (likes, shares, replies and clicks a post; where the mean lies with 95 %):\n"
        f"- Mastodon {name}: 5.3 (0.0 to 13.3), 3 posts\n\nBest posts:\n"
        + "\n".join(f"- {n}: {TITLE} (Mastodon {name})" for n in (9, 4, 3))
    )
    assert post.text == text
    page = letter.write(post, picture=f"cid:{key}@larkhaven.example", leave=letter.ListTag("")).html
    wanted = EmailMessage()
    wanted["From"] = "Handbill <desk@larkhaven.example>"
    wanted["To"] = "ada@larkhaven.example"
    wanted["Subject"] = "Handbill, 02 November to 09 November 2026"
    wanted["Date"] = street.parts.deliveries.get(made.id).steps[0].at
    wanted["Message-ID"] = f"<{key}@larkhaven.example>"
    wanted.set_content(letter.write(post, picture="", leave=letter.ListTag("")).text, cte="quoted-printable")
    wanted.add_alternative(page, subtype="html", cte="quoted-printable")
    inner = wanted.get_payload(1)
    inner.add_related(
        Path(media.path).read_bytes(), maintype="image", subtype="png", cid=f"<{key}@larkhaven.example>",
        disposition="inline", filename="picture.png",
    )  # fmt: skip
    inner.set_boundary(f"=_related_{key}")
    wanted["Content-Language"] = "en"
    wanted.set_boundary(f"=_parts_{key}")
    assert handed.original_content == wanted.as_bytes(policy=SMTP)
    assert f'src="cid:{key}@larkhaven.example"' in page
    assert media.alt.startswith("Likes, shares, replies and clicks a post. By account: Mastodon ")
    with Image.open(media.path) as plot:
        assert (plot.width, plot.format) == (720, "PNG")
    assert media.size < 60_000


def test_the_same_numbers_make_the_same_picture_and_none_make_none(server, here, tmp_path, monkeypatch):
    street = Street(server, tmp_path, here, ["mastodon"])
    assert plotted(street.parts, "main", days=7) is None
    newsroom_with_numbers(street, monkeypatch, [0, 0])
    first = plotted(street.parts, "main", days=30)
    assert first is not None, "zeros are numbers, too"
    assert plotted(street.parts, "main", days=30) == first
    assert "By card design: " in first.alt


def test_names_in_any_script_and_of_any_length_stay_within_a_plot():
    names = ["A" * 300, "ショートニュース・アカウント公式", "خبرنامه روزانه شهر و روستا", "😀 News 😀", "", "x\ny"]
    bars = [cards.Bar(name=n, said="12.0 · 3 posts", length=0.5, low=None, high=0.5) for n in names]
    content, width, height = cards.plot([("By account", bars)])
    with Image.open(io.BytesIO(content)) as plot:
        assert plot.size == (width, height)
        edge = plot.convert("L").crop((width - 20, 0, width, height))
        assert edge.getextrema() == (255, 255), "nothing is cut off at the side"
