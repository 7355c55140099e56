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

ASKED_OF_UNSEEN = 7  # of 16: "Kater", "Klavier", "Reh" stand in no list


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


def test_in_scripts_without_capitals_a_sentence_that_reads_otherwise_is_asked_about_as_a_whole():
    assert judged(corrections.CASELESS) == []


def test_of_german_words_that_nobody_had_in_mind_no_name_is_missed_and_most_synonyms_are_known():
    wrong = judged(corrections.UNSEEN)
    assert [one for one in wrong if not one[0]] == []
    assert len(wrong) <= ASKED_OF_UNSEEN


def test_a_post_is_wrong_only_about_what_it_says_itself():
    for tag, before, after, post, named in corrections.POSTS:
        old, new = article(before, tag), article(after, tag)
        found = facts.told(facts.slips(old, new), post, now=new)
        said = ", ".join(s.what.partition("”: ")[2].partition(" is ")[0] for s in found)
        assert said == named, (post, [s.what for s in found])
        assert facts.told(facts.slips(old, new, [post]), post, now=new) == found, "what is compared is what was posted"


def test_a_hashtag_that_names_somebody_else_by_now_is_not_left_behind():
    old, new = (article(f"The bridge was opened by Ada {name}.") for name in ("Byron", "Lovelace"))
    for tag, text in (("#AdaByron", ""), ("#Bridge", "The bridge was opened by Ada Lovelace. #Bridge")):
        post = f"The bridge was opened by Ada Byron. {tag}"
        assert facts.amended(post, facts.told(facts.slips(old, new), post, now=new)) == text


def test_a_short_title_is_posted_where_it_stands_alone():
    old, new = (article("It rained.", title=title) for title in ("Fire", "Blaze"))
    slips = facts.slips(old, new)
    assert not facts.told(slips, "There was a fire in Graz.", now=new)
    assert facts.told(slips, "Fire\n\nhttps://example.org/a", now=new)


def test_of_an_article_that_was_rewritten_whole_each_sentence_is_read_once_and_compared_with_few(monkeypatch):
    texts = [" ".join(f"The river took {n} of {k} houses near {k + n} Street." for k in range(200)) for n in (3, 4, 5)]
    compared = []
    monkeypatch.setattr(facts, "_ratio", lambda one, other, real=facts._ratio: compared.append(1) or real(one, other))
    facts._said.cache_clear()
    for text in texts[:2]:
        assert len(facts.slips(article(text), article(texts[2]))) == 200
    assert len(compared) <= 2 * 200 * facts.CANDIDATES
    assert facts._said.cache_info().misses <= 3 * 200 + 1, "and once the title"
    compared.clear()
    assert len(facts.slips(article(texts[0]), article(texts[2]), ["The river took 3 of 7 houses near 10 Street."])) >= 1
