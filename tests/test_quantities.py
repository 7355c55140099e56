"""Numbers in figures and words: what each is worth, and that only another worth makes a posted sentence wrong."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker import changes
from worker.content.quantities import quantities
from worker.model import Article


def worths(text, tag):
    return [str(q.worth) for q in quantities(text, tag)]


@pytest.mark.parametrize(
    ("tag", "text", "said"),
    [
        ("en", "nine years and twenty-one days", ["9", "21"]),
        ("en", "a dozen eggs, two dozen, dozens", ["12", "24", "dozens"]),
        ("en", "two thirds, three quarters, 3/4, half, 2½", ["2/3", "3/4", "3/4", "1/2", "5/2"]),
        ("en", "a hundred men, 1,200 women", ["100", "1200"]),
        ("en", "3 million, three million, £3m, $2.5bn, £2.34 million", ["3000000"] * 3 + ["2500000000", "2340000"]),
        ("en", "half a million, two and a half million", ["500000", "2500000"]),
        ("en", "in nineteen eighty-four, in twenty twenty-six", ["1984", "2026"]),
        ("en", "the twenty-first, the 21st", ["21", "21"]),
        ("en", "at 10:30 on 12.11.2026, 3 m away", ["10:30", "12.11.2026", "3"]),
        ("de", "neun Jahre, einundzwanzig Tage, zwei Drittel, die Hälfte", ["9", "21", "2/3", "1/2"]),
        ("de", "ein Dutzend, 2.340.000, 3,5 Millionen, 3 Mio. Euro", ["12", "2340000", "3500000", "3000000"]),
        ("de", "anderthalb, zweieinhalb Millionen, eine halbe Million", ["3/2", "2500000", "500000"]),
        ("fr", "vingt et un jours, quatre-vingt-onze, deux tiers", ["21", "91", "2/3"]),
        ("fr", "une douzaine, la moitié, deux ans et demi, 1 200", ["12", "1/2", "5/2", "1200"]),
        ("es", "veintiún días, treinta y uno, dos tercios, la mitad", ["21", "31", "2/3", "1/2"]),
        ("es", "dos docenas, tres millones, 3 mil, medio millón", ["24", "3000000", "3000", "500000"]),
        ("it", "ventuno giorni, tre milioni", ["21", "3000000"]),
        ("nl", "eenentwintig dagen, 2 miljoen", ["21", "2000000"]),
        ("pt", "vinte e um dias, dois milhões", ["21", "2000000"]),
        ("sv", "nio år, 3,5 miljoner, 1.000", ["7/2", "1000"]),
        ("", "1,000 and 3.5", ["1000", "7/2"]),
    ],
)  # fmt: skip
def test_what_a_number_is_worth(tag, text, said):
    assert worths(text, tag) == said


def test_a_number_says_where_it_stands():
    text = "It took two and a half years."
    (one,) = quantities(text, "en")
    assert text[one.start : one.end] == "two and a half"
    assert (one.worth, one.doubtful) == (Fraction(5, 2), False)


def article(text, tag="en", title="The bridge opens again"):
    return Article(id="main.a", url="https://example.org/a", title=title, text=text, language=tag)


SMALL = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
    "siebzehn achtzehn neunzehn",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
    "dix-huit dix-neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis "
    "diecisiete dieciocho diecinueve",
}
TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "fr": "vingt trente quarante cinquante soixante",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
}
SENTENCES = {
    "en": "The council of Larkhaven needed {} years for the bridge.",
    "de": "Der Rat von Larkhaven brauchte {} Jahre für die Brücke.",
    "fr": "Le conseil de Larkhaven a pris {} ans pour le pont.",
    "es": "El concejo de Larkhaven necesitó {} años para el puente.",
}


def spelt(number, tag):
    """A number from 2 to 99 as it is written in words."""
    small, tens = SMALL[tag].split(), TENS[tag].split()
    ten, one = divmod(number, 10)
    if number < 20:
        return small[number]
    if tag == "fr" and number >= 70:
        head, over = ("soixante", number - 60) if number < 80 else ("quatre-vingt", number - 80)
        return f"{head}{' et ' if number == 71 else '-'}{small[over]}" if over else "quatre-vingts"
    if not one:
        return tens[ten - 2]
    if tag == "es" and ten == 2:
        return f"veinti{ {2: 'dós', 3: 'trés', 6: 'séis'}.get(one, small[one]) }"
    joined = {
        "en": f"{tens[ten - 2]}-{small[one]}",
        "de": f"{small[one].removesuffix('s') if one == 1 else small[one]}und{tens[ten - 2]}",
        "fr": f"{tens[ten - 2]}{' et ' if one == 1 else '-'}{small[one]}",
        "es": f"{tens[ten - 2]} y {small[one]}",
    }
    return joined[tag]


numbers = st.integers(2, 99)


@given(st.sampled_from(sorted(SENTENCES)), numbers, numbers, st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_another_word_for_the_same_number_proposes_nothing_and_for_another_one_proposes(tag, one, other, word, figure):
    before, after = (spelt(n, tag) if words else str(n) for n, words in ((one, word), (other, figure)))
    old, new = (article(f"It rained. {SENTENCES[tag].format(n)}", tag) for n in (before, after))
    found = changes.slips(old, new)
    assert bool(found) == (one != other), (before, after)
    if found:
        (slip,) = found
        assert before in slip.what
        assert slip.new == SENTENCES[tag].format(after)
    title = [article("It rained.", tag, SENTENCES[tag].format(n).removesuffix(".")) for n in (before, after)]
    assert bool(changes.slips(*title)) == (one != other)


@pytest.mark.parametrize(
    ("tag", "old", "new", "wrong"),
    [
        ("en", "Half of the money is there.", "A third of the money is there.", True),
        ("en", "A dozen bridges are shut.", "Twelve bridges are shut.", False),
        ("en", "Dozens of bridges are shut.", "Hundreds of bridges are shut.", True),
        ("en", "It cost three million pounds.", "It cost £3m.", False),
        ("en", "It cost three million pounds.", "It cost 3 billion pounds.", True),
        ("en", "It is the first bridge here.", "It is the second bridge here.", True),
        ("en", "One bridge is shut.", "Two bridges are shut.", True),
        ("en", "It is one of the best bridges.", "It is a good bridge.", False),
        ("en", "He waited a second, and left.", "He waited briefly, and left.", False),
        ("en", "Larkhaven won by 3 to 2 on Sunday.", "Larkhaven won by 2 to 3 on Sunday.", True),
        ("en", "All three of the bridges are shut.", "The three bridges are all shut.", False),
        ("en", "'The first cells,' said The Lantern's Ada Hwang.", "'The first celsl,' said The Lantern's Ada Hwang.", False),
        ("en", "'It is worth it,' he said: 'It is.'", "'It is woth it,' he said: 'It is.'", False),
        ("en", "Byron was glad, said Byron.", "Lovelace was glad, said Lovelace.", True),
        ("de", "Zwei Drittel des Geldes fehlen.", "2/3 des Geldes fehlen.", False),
        ("de", "Zwei Drittel des Geldes fehlen.", "Drei Viertel des Geldes fehlen.", True),
        ("de", "Das Ende des Rates ist nah.", "Das Ende des Rats ist nah.", False),
        ("de", "Es dauerte ein Jahr.", "Es dauerte zwei Jahre.", True),
        ("de", "Ein Mann kam nach Graz.", "Der Mann kam nach Graz.", False),
        ("fr", "Le pont est neuf à Lyon.", "Le pont est nouveau à Lyon.", False),
        ("fr", "Il a attendu neuf ans à Lyon.", "Il a attendu sept ans à Lyon.", True),
        ("fr", "Deux tiers du pont de Lyon.", "Trois quarts du pont de Lyon.", True),
        ("es", "Dos docenas de puentes en Cádiz.", "24 puentes en Cádiz.", False),
        ("es", "La mitad de los puentes de Cádiz.", "Un tercio de los puentes de Cádiz.", True),
    ],
)  # fmt: skip
def test_what_makes_a_sentence_wrong(tag, old, new, wrong):
    assert bool(changes.slips(article(old, tag), article(new, tag))) is wrong


def test_a_post_in_other_words_is_wrong_where_it_says_the_old_number_of_the_same_thing():
    old = article("The bridge took nine years to mend. It has three arches.")
    new = article("The bridge took seven years to mend. It has three arches.")
    slips = changes.slips(old, new)

    def wrong(text):
        return bool(changes.told(slips, text, now=new))

    assert wrong("Nine years of waiting for a bridge!")
    assert wrong("9 years to mend it")
    assert not wrong("Read it in nine minutes.")
    assert not wrong("Seven years of waiting for a bridge!")
    assert not wrong("It has three arches.")


def test_a_line_that_was_cut_short_is_known_by_its_beginning():
    old = article("It rained.", title="The bridge over the Senn opens again after nine years")
    new = article("It rained.", title="The bridge over the Senn stays shut for another year")
    slips = changes.slips(old, new)
    assert changes.told(slips, "The bridge over the Senn opens again…")
    assert not changes.told(slips, "The…")
