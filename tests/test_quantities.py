"""Numbers in figures and words: what each is worth, and that only another worth makes a posted sentence wrong."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.content import facts
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
        ("en", "at 10:30 on 12.11.2026, 3 m away", ["10:30", "month 11", "month 11, 12", "month 12", "month 12, 11", "2026", "3"]),
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
        ("sv", "nio år, 3,5 miljoner, 1.000", ["9", "3500000", "1000"]),
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
@settings(max_examples=60, deadline=None)
def test_another_word_for_the_same_number_proposes_nothing_and_for_another_one_proposes(tag, one, other, word, figure):
    before, after = (spelt(n, tag) if words else str(n) for n, words in ((one, word), (other, figure)))
    old, new = (article(f"It rained. {SENTENCES[tag].format(n)}", tag) for n in (before, after))
    found = facts.slips(old, new)
    assert bool(found) == (one != other), (before, after)
    if found:
        (slip,) = found
        assert before in slip.what
        assert slip.new == SENTENCES[tag].format(after)
    title = [article("It rained.", tag, SENTENCES[tag].format(n).removesuffix(".")) for n in (before, after)]
    assert bool(facts.slips(*title)) == (one != other)


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
    assert bool(facts.slips(article(old, tag), article(new, tag))) is wrong


SAME = {
    "en": """
        It costs 12 per cent more. | It costs 12 % more.
        The ferry leaves at 3 pm. | The ferry leaves at 15:00.
        The ferry leaves at 3:30 p.m. on Sunday. | The ferry leaves at 15:30 on Sunday.
        The ferry leaves at 8 a.m. on Sunday. | The ferry leaves at eight on Sunday.
        It opened on 12/5/2026. | It opened on 12 May 2026.
        It opened on 12/5/2026. | It opened on 5 December 2026.
        It opened on 25/12/2026. | It opened on 25 December 2026.
        It opened on 12 May 2026. | It opened on May 12, 2026.
        It opened on 12/5/2026. | It opened on May 12, 2026.
        It opened on May 12, 2026. | It opened on 12/5/2026.
        It opens in May. | It opens on 12 May.
        It opened on the 1st of May. | It opened on 1 May.
        The gate No. 5 is shut. | The gate No. five is shut.
        It opened with a speech. | It opened with the speech of 2 ministers.
        It opened on 12 Nov 2026. | It opened on 12 November 2026.
        It drew 5m people. | It drew five million people.
        The wave was 5m high. | The wave was 5 m high.
        It took 2 1/2 years. | It took two and a half years.
        It took 2.5 years. | It took two-and-a-half years.
        Fifty-fifty is the split here. | 50-50 is the split here.
        It was minus five degrees. | It was -5 degrees.
        It was −5 degrees. | It was -5 degrees.
        It costs 5-10 pounds. | It costs 5 to 10 pounds.
        In the nineties it fell. | In the 1990s it fell.
        In the 90s it fell. | In the nineties it fell.
        No one came to the bridge. | Nobody came to the bridge.
        A man came to the bridge. | The man came to the bridge.
        A hundred men came to it. | 100 men came to it.
        A third bridge is planned. | Another bridge is planned.
        It is no longer shut. | It is open again.
        We saw it once more. | We saw it again.
        """,
    "de": """
        Es kostet 12 Prozent mehr. | Es kostet 12 % mehr.
        Noch einmal die Brücke. | Wieder die Brücke.
        Er hat einmal gesagt, die Brücke sei alt. | Er hat gesagt, die Brücke sei alt.
        Der 14-Jährige sprang. | Der Vierzehnjährige sprang.
        Er fuhr 2-mal über die Brücke. | Er fuhr zweimal über die Brücke.
        Sie beginnt um 15 Uhr. | Sie beginnt um 15:00 Uhr.
        Sie öffnet am 12.11.2026. | Sie öffnet am 12. November 2026.
        In den Neunzigern fiel der Preis. | In den 1990ern fiel der Preis.
        In den 90er Jahren fiel der Preis. | In den 1990er Jahren fiel der Preis.
        Es hat minus fünf Grad. | Es hat -5 Grad.
        Die Fähre fährt montags. | Die Fähre fährt am Montag.
        Es ist einfach, sie zu sehen. | Es ist leicht, sie zu sehen.
        """,
    "fr": """
        Dix pour cent du pont de Lyon est fini. | 10 % du pont de Lyon est fini.
        Le pont de Lyon a coûté 12 pour cent de plus. | Le pont de Lyon a coûté 12 % de plus.
        Le bac part à 15h30 de Lyon. | Le bac part à 15:30 de Lyon.
        Le bac part à 15 h de Lyon. | Le bac part à 15:00 de Lyon.
        Il ouvre le 12/5/2026 à Lyon. | Il ouvre le 12 mai 2026 à Lyon.
        Il fait moins cinq degrés à Lyon. | Il fait -5 degrés à Lyon.
        Au moins cinq ponts de Lyon sont fermés. | Cinq ponts de Lyon sont fermés.
        """,
    "es": """
        El puente costó un 12 por ciento más en Cádiz. | El puente costó un 12 % más en Cádiz.
        El primer ministro abrió el puente de Cádiz. | El presidente abrió el puente de Cádiz.
        Por primera vez abre el puente de Cádiz. | Abre por fin el puente de Cádiz.
        Abre el 12/5/2026 en Cádiz. | Abre el 12 de mayo de 2026 en Cádiz.
        Al menos cinco puentes de Cádiz. | Cinco puentes de Cádiz.
        """,
    "it": """
        Il ponte è costato il 12 per cento in più a Roma. | Il ponte è costato il 12% in più a Roma.
        Apre il 12/5/2026 a Roma. | Apre il 12 maggio 2026 a Roma.
        """,
    "pt": """
        A ponte custou 12 por cento a mais em Lisboa. | A ponte custou 12% a mais em Lisboa.
        A ponte abre na segunda-feira. | A ponte abre na segunda.
        A ponte abre às 15h30. | A ponte abre às 15:30.
        """,
    "nl": """
        Een man kwam naar de brug. | De man kwam naar de brug.
        Hij reed viermaal over de brug. | Hij reed 4 maal over de brug.
        Ze opent op 12-5-2026 weer. | Ze opent op 12 mei 2026 weer.
        """,
    "da": """
        En mand kom til broen. | Manden kom til broen.
        Det er en god bro i byen. | Det er den gode bro i byen.
        Et hus er her. | Huset er her.
        Det tog enogtyve dage. | Det tog 21 dage.
        Det kostede to millioner. | Det kostede 2 mio.
        Halvdelen af pengene mangler. | 1/2 af pengene mangler.
        Den åbner den 12.5.2026. | Den åbner den 12. maj 2026.
        """,
}
OTHER = {
    "en": """
        A man died on the bridge. | Two men died on the bridge.
        The bridge has an arch. | The bridge has three arches.
        Nobody died on the bridge. | Two people died on the bridge.
        Two people died on the bridge. | Nobody died on the bridge.
        One person died on the bridge. | Nobody died on the bridge.
        No one died on the bridge. | One person died on the bridge.
        No bridges are shut. | Two bridges are shut.
        It was minus five degrees. | It was five degrees.
        It was -5 degrees. | It was 5 degrees.
        In the nineties it fell. | In the eighties it fell.
        In the 90s it fell. | In the 80s it fell.
        The ferry leaves at 3 pm. | The ferry leaves at 3 am.
        The ferry leaves at noon. | The ferry leaves at 2 pm.
        It opened on 12/5/2026. | It opened on 13 May 2026.
        It opened on 12/5/2026. | It opened on 12 May 2027.
        It opened on 12/5/2026. | It opened on 12 June 2026.
        It opened on 12/5/2026. | It opened on 12/6/2026.
        It opened on May 12. | It opened on May 13.
        It opened on May 12. | It opened on June 12.
        It opens on Monday. | It opens on Tuesday.
        It opens in May. | It opens in June.
        It drew 5m people. | It drew six million people.
        """,
    "de": """
        Niemand starb an der Brücke. | Zwei Menschen starben an der Brücke.
        Ein Mann starb an der Brücke. | Zwei Männer starben an der Brücke.
        Keine Brücke ist zu. | Drei Brücken sind zu.
        Der zweijährige Bau ist fertig. | Der dreijährige Bau ist fertig.
        Er fuhr viermal über die Brücke. | Er fuhr fünfmal über die Brücke.
        Er fuhr einmal über die Brücke. | Er fuhr zweimal über die Brücke.
        Die Fähre fährt montags. | Die Fähre fährt dienstags.
        Es hat minus fünf Grad. | Es hat fünf Grad.
        In den Neunzigern fiel der Preis. | In den Achtzigern fiel der Preis.
        Sie öffnet am 12.11.2026. | Sie öffnet am 13. November 2026.
        Sie öffnet am 12.11.2026. | Sie öffnet am 12. Dezember 2026.
        """,
    "fr": """
        Le pont de Lyon ouvre lundi. | Le pont de Lyon ouvre mardi.
        Le pont de Lyon ouvre en mai. | Le pont de Lyon ouvre en juin.
        Personne n'est mort à Lyon. | Deux personnes sont mortes à Lyon.
        Aucun pont de Lyon est fermé. | Deux ponts de Lyon sont fermés.
        Une femme de Lyon est morte. | Deux femmes de Lyon sont mortes.
        Il fait moins cinq degrés à Lyon. | Il fait cinq degrés à Lyon.
        """,
    "es": """
        El puente de Cádiz abre el lunes. | El puente de Cádiz abre el martes.
        El puente de Cádiz abre en mayo. | El puente de Cádiz abre en junio.
        El primer puente de Cádiz abre. | El segundo puente de Cádiz abre.
        Nadie murió en Cádiz. | Dos personas murieron en Cádiz.
        """,
    "it": """
        Il ponte di Roma apre lunedì. | Il ponte di Roma apre martedì.
        Nessuno è morto a Roma. | Due persone sono morte a Roma.
        """,
    "pt": """
        A ponte abre na segunda-feira. | A ponte abre na terça-feira.
        A ponte abre na quinta-feira. | A ponte abre na terça-feira.
        A ponte abre no sábado. | A ponte abre na sexta-feira.
        Ninguém morreu na ponte. | Duas pessoas morreram na ponte.
        """,
    "nl": """
        De brug opent maandag. | De brug opent dinsdag.
        Hij reed viermaal over de brug. | Hij reed vijfmaal over de brug.
        Niemand stierf op de brug. | Twee mensen stierven op de brug.
        """,
    "da": """
        En mand døde på broen. | To mænd døde på broen.
        Broen åbner mandag. | Broen åbner tirsdag.
        Ingen døde på broen. | To mennesker døde på broen.
        Det tog enogtyve dage. | Det tog toogtyve dage.
        """,
}


def test_the_same_value_in_other_words_is_a_small_edit_and_another_value_is_not():
    rows = [
        (wrong, tag, *line.strip().split(" | "))
        for wrong, table in ((False, SAME), (True, OTHER))
        for tag, lines in table.items()
        for line in lines.strip().splitlines()
    ]
    found = [bool(facts.slips(article(old, tag), article(new, tag))) for _, tag, old, new in rows]
    assert [row for row, is_wrong in zip(rows, found, strict=True) if is_wrong is not row[0]] == []


def test_a_row_of_digits_without_end_is_read_as_it_is_written():
    digits = "3" * 5000
    assert worths(f"It costs {digits} pounds, {digits} million.", "en") == [digits, digits, "1000000"]
    assert facts.slips(article("It costs 3 pounds."), article(f"It costs {digits} pounds."))


def test_a_post_in_other_words_is_wrong_where_it_says_the_old_number_of_the_same_thing():
    old = article("The bridge took nine years to mend. It has three arches.")
    new = article("The bridge took seven years to mend. It has three arches.")
    slips = facts.slips(old, new)

    def wrong(text):
        return bool(facts.told(slips, text, now=new))

    assert wrong("Nine years of waiting for a bridge!")
    assert wrong("9 years to mend it")
    assert not wrong("Read it in nine minutes.")
    assert not wrong("Seven years of waiting for a bridge!")
    assert not wrong("It has three arches.")


def test_a_line_that_was_cut_short_is_known_by_its_beginning():
    old = article("It rained.", title="The bridge over the Senn opens again after nine years")
    new = article("It rained.", title="The bridge over the Senn stays shut for another year")
    slips = facts.slips(old, new)
    assert facts.told(slips, "The bridge over the Senn opens again…")
    assert not facts.told(slips, "The…")
