"""Whatever an article says, what is written about it is the article's own sentences, where it says they stand."""

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.content import words, write
from worker.content.compose import clean, plain
from worker.model import Article

PIECES = [
    "The port of Velden opened its first electric crane on Monday.",
    "However, it failed.",
    "“Nobody asked us,” said Mira Solberg, who drives it.",
    "“An end that never",
    "Dr. A. Byron met U.S. Rep. J. Smith at 5 p.m. Monday.",
    "Is it over?",
    "丘が蜜蜂に帰り道を教える。研究者は追跡した！",
    "这一决定让居民分成两派。“好。”他说。",
    "افتتح الميناء أول رافعة. وقال: «نعم».",
    "Le coût est de 1 140,5 € « par an ».",
    "Sie kostet z. B. 1.200,50 Euro.",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f 👨‍👩‍👧‍👦 𝒜 wing.",
    "a@b.example #tag @everyone <b>x</b> https://evil.example/x",
    "ALL CAPS AND NOTHING ELSE HERE.",
    "e\u0301\u0302 \u202e\u200b soft\u00adhyphen",
    "\n\n",
    "\n",
    " ",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=20), min_size=1, max_size=25).map(" ".join)


@given(
    text=TEXTS,
    title=TEXTS | st.just(""),
    language=st.sampled_from(["en", "de", "fr", "ja", "zh", "ar", "he", "", "xx"]),
)
@settings(max_examples=150, deadline=None)
def test_every_summary_of_any_text_is_made_of_its_sentences(text, title, language):
    if not any(words.sentences(text, language)):
        return
    content = write(Article(id="main.1", url="https://a.example/x", title=title, text=text, language=language))
    for sentence in content.sentences:
        assert text[sentence.source_offset :][: len(sentence.text)] == sentence.text
    assert len({s.text for s in content.sentences}) == len(content.sentences)
    own = [text[a:b] for a, b in words.sentences(text, language)]
    for summary in (content.short, content.medium, content.long):
        assert made_of(summary, own), summary
    for tag in content.hashtags:
        assert plain(clean(f"#{tag}")) != f"#{tag}"  # it is one


def made_of(summary: str, sentences: list[str]) -> bool:
    """Whether a text is some of the sentences, one after another in their order."""
    ends = {0}
    for sentence in sentences:
        for end in tuple(ends):
            start = end + (end > 0 and summary[end : end + 1] == " " and not sentence.startswith(" "))
            if sentence and summary.startswith(sentence, start):
                ends.add(start + len(sentence))
    return len(summary) in ends
