"""Which hashtags an article gets, in which order, and what none of them may be."""

import json
from pathlib import Path

import pytest
import regex

from worker.content import hashtags, keyphrases, words
from worker.model import Article

ARTICLES = Path(__file__).parent / "fixtures" / "articles"

TEXT = (
    "Night trams are quiet. Night trams in Velden run on rubber, and the city of Velden measured the noise. "
    "NASA engineers advised the city. The noise of night trams fell by nine decibels after NASA had helped. "
    "Mental health improves with sleep, say doctors, and mental health is what the city of Velden wants."
)


def tags(text=TEXT, title="Night trams make Velden quiet", language="en", **fields):
    return hashtags.choose(
        Article(id="a", url="https://a.example", title=title, text=text, language=language, **fields)
    )


def test_the_authors_tags_come_first_in_their_order():
    assert tags(tags=("MentalHealth", "Velden", "night trams"))[:3] == ["MentalHealth", "Velden", "NightTrams"]


def test_an_authors_tag_that_a_longer_one_of_theirs_says_as_well_gives_it_its_place_unless_it_is_a_name():
    text = TEXT + " Velden City planted trees, and urban trees are quiet."
    assert tags(text, tags=("trees", "NASA", "urban trees"))[:3] == ["UrbanTrees", "NASA", "NightTrams"]
    assert tags(text, tags=("Velden", "Velden City"))[:2] == ["Velden", "VeldenCity"]


def test_the_authors_tags_that_the_text_never_says_come_after_what_it_does():
    found = tags(tags=("Urban Planning", "Velden"))
    assert found[0] == "Velden"
    assert 0 < found.index("UrbanPlanning") <= 5


def test_without_tags_the_title_and_what_is_said_often_decide():
    found = tags()
    assert found[0] == "NightTrams"
    assert {"Velden", "MentalHealth"} <= set(found[:4])


def test_a_tag_is_written_as_the_text_writes_it():
    assert tags(tags=("nasa",))[0] == "NASA"
    assert tags(tags=("new york",), text=TEXT + " New York wants them too.")[0] == "NewYork"


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("COVID-19", "COVID19"),
        ("AT&T", "ATT"),
        ("U.S. Navy", "USNavy"),
        ("machine-learning", "MachineLearning"),
        ("treatment_resistant", "TreatmentResistant"),
        ("iPhone", "iPhone"),
        ("crème brûlée", "CrèmeBrûlée"),
        ("künstliche Intelligenz", "KünstlicheIntelligenz"),
        ("3D printing", "3DPrinting"),
        ("DepressionTreatment", "DepressionTreatment"),
        ("science &amp; fiction", "ScienceFiction"),
    ],
)
def test_words_become_one_word_with_capitals(written, tag):
    assert tags(tags=(written,), text=f"{TEXT} {written.replace('&amp;', '&')}".replace("#", ""))[0] == tag


def test_other_scripts_keep_their_letters_and_the_turkish_i_its_dot():
    assert (
        tags("الذكاء الاصطناعي مفيد. الذكاء الاصطناعي جديد.", "", "ar", tags=("الذكاء الاصطناعي",))[0]
        == "الذكاء_الاصطناعي"
    )
    assert tags("人工知能の研究。人工知能の未来。", "人工知能", "ja")[0] == "人工知能"
    assert tags("人工智能改变世界。人工智能很快。", "人工智能", "zh")[0] == "人工智能"
    assert (
        tags("istanbul vapuru güzel. istanbul vapuru büyük.", "istanbul", "tr", tags=("istanbul vapuru",))[0]
        == "İstanbulVapuru"
    )
    assert tags("인공지능은 빠르다. 인공지능의 미래.", "인공지능", "ko")[0] == "인공지능"
    assert tags("प्रदूषण बढ़ रहा है। वायु प्रदूषण और वायु प्रदूषण।", "वायु प्रदूषण", "hi")[0] == "वायु_प्रदूषण"


def test_no_two_tags_say_the_same():
    found = tags(tags=("night trams", "Night Tram", "NightTrams", "night-tram", "trams", "Velden", "velden"))
    assert found[:2] == ["NightTrams", "Velden"]
    assert not {"NightTram", "Trams", "Tram", "velden"} & set(found)


@pytest.mark.parametrize(
    "junk",
    [
        "2024",
        "2018 State Results",
        "60fps video",
        "The",
        "#",
        "!!!",
        "News",
        "Uncategorized",
        "post-id:1913",
        "/article",
        "&quot",
        "a",
        "x" * 40,
    ],
)
def test_what_is_no_hashtag_is_left_out(junk):
    found = tags(tags=(junk,), text=f"{TEXT} {junk} 2024 The News")
    assert junk.strip("#").replace(" ", "") not in found
    assert not any(t[0].isdigit() for t in found)


def test_a_title_in_capitals_does_not_shout_in_its_tags():
    text = (
        "A power cut hit homes in the northern districts of Calder on Friday. The power cut began in Mill Road. "
        "Power was back by nine, and the northern districts had light again."
    )
    assert tags(text=text, title="BREAKING: POWER CUT HITS NORTHERN DISTRICTS!")[:2] == [
        "PowerCut",
        "NorthernDistricts",
    ]


def test_what_a_title_says_will_happen_to_a_thing_makes_its_name_no_verb():
    text = "The harbour ferry will run all night from May. The night boat of the port serves nurses and bakers."
    assert tags(text=text, title="Harbour ferry to run all night")[0] == "HarbourFerry"


def test_units_and_what_things_cost_are_no_hashtags():
    text = "Le tramway de Nantes coûte cher. La ligne coûte des millions, et le tramway attend à Nantes."
    assert "Coûte" not in tags(text=text, title="À Nantes, le tramway coûte cher", language="fr")
    text = "The bridge costs six million francs. Shops get francs, and figures of the bridge say how many francs."
    assert not {"Francs", "Figures"} & set(tags(text=text, title="The figures of the bridge"))
    text = "道路の幅は4メートルで、図書館は480平方メートルある。図書館は四月に開く。"
    assert "メートル" not in tags(text=text, title="図書館が四月に開館", language="ja")


@pytest.mark.parametrize(
    ("language", "title", "text", "struck"),
    [
        (
            "de",
            "Freibad Lindenau öffnet nach drei Jahren Umbau wieder",
            "Nach drei Jahren Umbau öffnet es.",
            "JahrenUmbau",
        ),
        ("de", "Nach 3 Jahren Umbau öffnet das Freibad", "Es waren 3 Jahren Umbau.", "JahrenUmbau"),
        (
            "en",
            "Town ends two years work on its pool",
            "It took two years work, and two years work cost much.",
            "YearsWork",
        ),
    ],
)
def test_how_long_something_took_is_no_part_of_its_name(language, title, text, struck):
    assert struck.casefold() not in {t.casefold() for t in tags(text=text, title=title, language=language)}


def test_addresses_and_their_parts_are_no_hashtags():
    found = tags(text=TEXT + " http://amzn.example/x http://amzn.example/y http://amzn.example/z")
    assert not {"Http", "Amzn", "AmznExample"} & set(found)


@pytest.mark.parametrize("path", sorted(ARTICLES.glob("*/article.json")), ids=lambda p: p.parent.name)
def test_every_tag_of_every_article_is_valid(path):
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields |= {"tags": tuple(fields["tags"]), "headings": tuple(fields["headings"]), "published_at": None}
    found = hashtags.choose(Article(id="a", **fields))
    lang = words.language(fields["language"])
    assert 2 <= len(found) <= 15
    for tag in found:
        assert regex.fullmatch(r"[\p{L}\p{M}\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*", tag), tag
        assert len(tag) <= 30
        assert words.plain(tag) not in lang.stop | lang.weak


def test_key_phrases_of_a_short_text_are_longer_than_those_of_a_long_one():
    lang = words.language("en")
    short = "Adaptive noise control for night trams uses damped steel rails."
    assert keyphrases.keyphrases(short, lang)[0].text.count(" ") >= 1
    assert keyphrases.keyphrases(TEXT * 4, lang)[0].text in {"Night trams", "night trams", "Velden", "noise", "city"}


PERSON = (
    "The mayor of Velden, Senator Ada M. Okafor Jr., opened the tram depot on Monday. Okafor praised the depot. "
    "Okafor said that the depot had cost less than feared. Mayor Okafor will stand again, said Okafor's office."
)


def test_somebody_is_called_by_the_whole_name_that_the_article_gives_and_by_no_title():
    found = tags(text=PERSON, title="Okafor opens the tram depot")
    assert "AdaOkafor" in found
    assert not {"Okafor", "SenatorAda", "MayorOkafor", "OkaforJr", "Mayor", "OkaforOffice"} & set(found)


def test_a_piece_of_a_longer_name_is_no_hashtag():
    text = (
        "Anna Brandt got a star on the Velden Walk of Fame. The Velden Walk of Fame has ninety stars. Anna Brandt "
        "wept. The Tide Line Museum paid for it, and the Tide Line Museum keeps a copy."
    )
    found = tags(text=text, title="Anna Brandt gets her star")
    assert found[0] == "AnnaBrandt"
    assert not {"VeldenWalk", "LineMuseum", "TideLine", "Fame"} & set(found)


def test_the_capitals_of_a_title_that_has_them_everywhere_make_no_names():
    text = "The council picked a builder. The builder blocks the road, and the road stays blocked. " * 2
    found = tags(text=text, title="Council Picks Builder And Skewed Plan Blocks Road Again")
    assert not {"Picks", "Skewed", "Blocks", "CouncilPicks", "SkewedPlan"} & set(found)


@pytest.mark.parametrize(
    ("title", "text", "struck"),
    [
        ("The person who feeds the owls", "The person feeds owls. A person said owls sleep. Owls know the person.", "Person"),
        ("Winning with owls", "Winning is hard. We keep winning. Owls help with winning. Owls sleep.", "Winning"),
        ("Political owls", "Political parties like owls. A political row began. The political editor has owls.", "Political"),
        ("Owls of Syria", "Syria has owls. Syria counts owls. A Syrian owl is Syrian. Syrian law protects it.", "Syrian"),
        ("An owl and its keeper", "The owl's keeper sleeps. The owl's keeper wakes. The owl's keeper eats.", "OwlKeeper"),
        ("The owls' week", "Nobody feeds the owls on Mon. The owls hunt on Sat and Mon. We saw the owls, on Mon.", "Mon"),
    ],
)  # fmt: skip
def test_what_an_editor_would_strike_is_no_hashtag(title, text, struck):
    found = tags(text=text, title=title)
    assert struck not in found
    assert any("wl" in t for t in found)


def test_what_is_neither_in_the_title_nor_in_the_lead_needs_more_than_two_mentions():
    text = TEXT.replace("NASA engineers", "Rail unions").replace("NASA", "they") + (
        "\n\nQuarry Lane is loud. The people of Quarry Lane sleep badly, says a tailor. The tailor moved away."
    )
    assert not {"Tailor", "RailUnions"} & set(tags(text=text))


def test_a_short_text_without_a_title_still_gets_a_tag():
    assert tags(text="Owls were seen again. The owls sleep.", title="") == ["Owls"]


@pytest.mark.parametrize(
    ("language", "title", "text", "known", "struck"),
    [
        (
            "he",
            "עיריית חוף־דן תפתח שביל אופניים של 12 ק״מ לאורך הנחל",
            'עיריית חוף־דן הודיעה כי תפתח שביל אופניים באורך 12 ק״מ לאורך הנחל. ד"ר ברק מעיריית חוף־דן בירכה.',
            "עיריית_חוף_דן",
            {"מ_לאורך_הנחל", "קמ", "לאורך_הנחל", "תפתח", "דן"},
        ),
        (
            "hi",
            "महिलाओं ने सरिया नदी को फिर से बहाया",
            "महिलाओं ने सरिया नदी को फिर से बहाया है। सरिया नदी को फिर से बहाया जाना आसान न था।",
            "सरिया_नदी",
            {"फिर", "बहाया"},
        ),
        (
            "ar",
            "افتتاح مكتبة حي السلام بعد عشرين عامًا",
            "افتتحت البلدية مكتبة حي السلام بعد عشرين عامًا من الانتظار. انتظر حي السلام عشرين عامًا.",
            "",
            {"عشرين_عامًا"},
        ),
        (
            "en",
            "Rents in Kesterport rise fastest since 2009",
            "Rents in Kesterport rose by 11.8 per cent in a year, the fastest rise since 2009. Rents rose in every street.",
            "Kesterport",
            {"Fastest", "Rose"},
        ),
        (
            "id",
            "Sejarah Syi’ah",
            "Syi’ah lahir di Kufah. Banyak ulama Syi’ah menulis sejarah Syi’ah di sana.",
            "Syiah",
            {"Syi"},
        ),
    ],
)
def test_words_are_not_torn_and_what_says_nothing_is_no_hashtag(language, title, text, known, struck):
    found = tags(text, title, language)
    assert not struck & set(found)
    assert not known or known in found


def test_an_authors_tag_does_not_shout():
    assert tags(tags=("VELDEN",))[0] == "Velden"


@pytest.mark.parametrize("known", [(), ("Photographer Ruta Palmgren",), ("PhotographerRutaPalmgren", "Harbour prize")])
@pytest.mark.parametrize("written", ["Photographer Ruta Palmgren", "photographer Ruta Palmgren"])
def test_what_somebody_does_is_not_glued_before_their_name(known, written):
    text = (
        f"Photographer Ruta Palmgren has won the harbour prize for her pictures of the ferry.\n\nIn May {written} took"
        " them. Palmgren will show them. The harbour prize is worth 4,000 euros, and the harbour prize jury met."
    )
    found = tags(text, "Photographer Ruta Palmgren wins the harbour prize", tags=known)
    assert found == ["RutaPalmgren", "HarbourPrize"]


def test_the_author_of_a_name_of_three_words_keeps_all_of_it():
    text = "The Chief Technology Officer of the port left. A Chief Technology Officer is wanted.\n\nTeacher Park opens."
    assert "ChiefTechnologyOfficer" in tags(text, "Port seeks a chief", tags=("Chief Technology Officer",))


def test_markup_and_calls_that_stand_in_a_text_are_no_hashtags():
    plain = (
        "Harbour ferry runs. The harbour ferry is late.\n\nThe harbour ferry is new. The new harbour ferry is white."
    )
    text = plain.replace("ferry", "ferry <script>alert(1)</script>").replace("late.", "late. alert(1); script(2);")
    assert tags(text, "Harbour ferry <script>alert(1)</script>") == tags(plain, "Harbour ferry") == ["HarbourFerry"]
