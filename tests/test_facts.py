"""What counts as another fact: corrections are noticed, small edits are not, and a post is wrong only about what it says."""

from __future__ import annotations

from tests import corrections
from worker.content import facts
from worker.model import Article

ASKED = {  # small edits that ask all the same, and why
    "The ferry leaves at half past eight.": "hours in words",
    "Henry VIII built it.": "Roman figures are names",
    "Il date du XIXe siècle.": "Roman figures are names",
    "Sie öffnet am 3. Mai.": "3.5 is a number as well",
    "Il coûte 2 M€.": "a letter that is a million only before money",
}


def article(text, tag="en", title="The bridge opens again"):
    return Article(id="main.a", url="https://example.org/a", title=title, text=text, language=tag)


def judged(tables):
    """Every pair that is judged otherwise than by whoever wrote it down: (it was found, language, before, after)."""
    return [
        (found, tag, before, after)
        for tag, changed, before, after in corrections.pairs(tables)
        if (found := bool(facts.slips(article(before, tag), article(after, tag)))) != changed
    ]


def test_no_name_that_changed_is_missed_and_no_synonym_asked_about_in_eleven_languages():
    assert judged(corrections.NAMES) == []


def test_no_number_that_changed_is_missed_however_it_is_written():
    wrong = judged(corrections.NUMBERS)
    assert [one for one in wrong if not one[0]] == []
    assert {before for _, _, before, _ in wrong} == set(ASKED)
