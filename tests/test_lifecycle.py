"""The tables of the lifecycle, each row looked at."""

from __future__ import annotations

import random
import re

import pytest

from publishers.core.errors import RateLimited, Rejected, Unauthorized, Unavailable, Unconfirmed, Unsupported
from publishers.core.publisher import ProofClass
from worker.lifecycle import (
    BACKOFF_MOST,
    FINAL,
    LEASED,
    REPEATS_MORE,
    TRANSITIONS,
    WAITING,
    after,
    backoff,
    check,
    origins,
)
from worker.model import Status
from worker.pipeline.publish import COMMIT_MARGIN, LOOKS
from worker.reference import README
from worker.settings import Settings

S = Status


def outcome(error, *, attempts=0, uncertain=False):
    return after(error, attempts=attempts, most=8, uncertain=uncertain, settle=45, first=5, rng=random.Random(1))


def test_a_table_that_forgets_a_status_is_refused():
    with pytest.raises(ValueError, match="no row for"):
        check({s: t for s, t in TRANSITIONS.items() if s is not S.PARKED})


def test_a_table_with_a_status_nobody_reaches_is_refused():
    table = {s: t - {S.SKIPPED} for s, t in TRANSITIONS.items()}

    with pytest.raises(ValueError, match="no way leads to"):
        check(table)


def test_a_table_in_which_a_delivery_hangs_is_refused():
    with pytest.raises(ValueError, match="no way leads out of"):
        check({**TRANSITIONS, S.AWAITING_PERSON: frozenset()})


def test_only_a_commit_that_was_begun_can_become_public():
    stays = {S.PREPARING, S.SCHEDULED}  # what is public already, when a later step is given up; the scripts see to it
    assert origins(S.PUBLISHED) - stays == {S.PUBLISHING, S.UNCONFIRMED, S.PARKED, S.AWAITING_PERSON}
    assert stays < origins(S.PUBLISHED)


def test_what_was_perhaps_sent_is_never_cancelled_or_failed_by_itself():
    assert S.FAILED not in TRANSITIONS[S.UNCONFIRMED]
    assert S.CANCELLED not in TRANSITIONS[S.UNCONFIRMED]
    assert S.CANCELLED not in TRANSITIONS[S.PUBLISHING]


def test_statuses_are_waiting_leased_final_or_a_persons_to_decide():
    person = {S.DRAFT, S.AWAITING_APPROVAL, S.AWAITING_PERSON}
    assert set(Status) == WAITING | LEASED | FINAL | person


@pytest.mark.parametrize(
    ("error", "status", "costs"),
    [
        (Unavailable("x"), S.SCHEDULED, True),
        (RateLimited("x", retry_after=90), S.SCHEDULED, False),
        (Unconfirmed("x"), S.UNCONFIRMED, True),
        (Rejected("x"), S.FAILED, False),
        (Unauthorized("x"), S.SCHEDULED, False),
        (Unsupported("x"), S.FAILED, False),
    ],
)
def test_each_error_leads_where_the_table_in_the_readme_says(error, status, costs):
    found = outcome(error)

    assert (found.status, found.costs) == (status, costs)


def test_a_rate_limit_is_waited_out_exactly_and_pauses_the_account():
    found = outcome(RateLimited("x", retry_after=90))

    assert (found.wait, found.pause) == (90, 90)


@pytest.mark.parametrize(
    "error", [Unavailable("x"), RateLimited("x", retry_after=9), Rejected("x"), Unauthorized("x"), Unsupported("x")]
)
def test_after_a_lost_answer_no_error_settles_the_step(error):
    assert outcome(error, uncertain=True).status is S.UNCONFIRMED


def test_the_last_try_fails_but_what_was_perhaps_sent_waits_for_a_person():
    assert outcome(Unavailable("x"), attempts=7).status is S.FAILED
    assert outcome(Unavailable("x"), attempts=10, uncertain=True).status is S.PARKED


def test_a_token_that_was_refused_asks_for_a_new_one_whether_or_not_an_answer_was_lost():
    assert outcome(Unauthorized("x")).reconnect
    assert outcome(Unauthorized("x"), uncertain=True).reconnect


def test_backing_off_doubles_is_capped_and_never_early():
    rng = random.Random(1)
    waits = [backoff(n, 5, rng) for n in range(40)]

    assert all(w >= min(5 * 2**n, BACKOFF_MOST) for n, w in enumerate(waits))
    assert max(waits) <= BACKOFF_MOST * 1.25


@pytest.mark.parametrize("seconds", [1, 30, 120])
def test_a_lease_outlasts_any_request_and_the_margin_of_its_commit(seconds):
    shortest = Settings.model_fields["spare_seconds"].metadata[0].ge

    assert Settings(request_seconds=seconds, spare_seconds=shortest).lease_seconds > seconds + COMMIT_MARGIN


def test_the_readme_promises_what_the_tables_do():
    page = README.read_text().partition("### What Handbill promises")[2].partition("\n### ")[0]

    assert re.findall(r"^- \*\*(\w+)\*\*: ", page, re.MULTILINE) == [str(kind) for kind in ProofClass]
    assert "looks three times, ever later" in " ".join(page.split())
    assert len(LOOKS) == 3
    assert list(LOOKS) == sorted(set(LOOKS))
    assert "three tries beyond `HANDBILL_ATTEMPTS`" in page
    assert REPEATS_MORE == 3


def test_an_unknown_end_is_looked_into_again_soon_however_often_a_look_failed():
    found = [
        after(
            Unconfirmed("no answer"), attempts=n, most=40, uncertain=True, settle=45, first=5, rng=random.Random(1)
        ).wait
        for n in range(1, 40)
    ]

    assert found == sorted(found)
    assert max(found) == 450
