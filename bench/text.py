"""How good and how fast summaries and key phrases are, beside other libraries that choose from the text itself.

``python -m bench.text [--data DIR] [--json]``; DIR holds ``summary/*.jsonl`` (id, text, refs) and ``keyphrase/*.jsonl``
(id, text, keys). Peers come with the extra ``bench``; one that is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import regex
import snowballstemmer

from worker.content import keyphrases, summary, words
from worker.model import Article

Choose = Callable[[str, str, int], Sequence[str]]
"""A method: text, language and number in; that many sentences or phrases out, best first or in order."""

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "text"
SENTENCES = {"cnndm": 3, "xsum": 1, "bbc": 6}  # as many as the references have
NAMES = {
    "en": "english", "fr": "french", "pt": "portuguese", "de": "german", "es": "spanish", "it": "italian",
    "nl": "dutch", "sv": "swedish",
}  # fmt: skip


def main() -> None:
    """Measure every set under DIR and print a table, or JSON alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {
        "summary": {p.stem: measure_summaries(p) for p in sorted((options.data / "summary").glob("*.jsonl"))},
        "keyphrase": {p.stem: measure_keyphrases(p) for p in sorted((options.data / "keyphrase").glob("*.jsonl"))},
    }
    if not any(found.values()):
        raise SystemExit(f"bench.text: no summary/*.jsonl or keyphrase/*.jsonl under {options.data}. Give --data DIR.")
    print(json.dumps(found, indent=1) if options.json else table(found))


def table(found: dict[str, dict[str, dict[str, dict[str, float]]]]) -> str:
    """The figures as aligned lines, one method each."""
    lines = []
    for sets in found.values():
        for name, methods in sets.items():
            lines.append(name)
            lines += [
                f"  {method:18}" + "".join(f"{key:>8} {value:6.2f}" for key, value in figures.items())
                for method, figures in methods.items()
            ]
    return "\n".join(lines)


# Summaries: ROUGE F1 with stemming, times 100 (package rouge-score), the best reference counts.


def measure_summaries(path: Path) -> dict[str, dict[str, float]]:
    """ROUGE and milliseconds per text of every summariser on one set."""
    from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415 - only benches need it

    kinds = ("rouge1", "rouge2", "rougeL")
    scorer = RougeScorer(list(kinds), use_stemmer=True)
    rows = _rows(path)
    size = next((n for start, n in SENTENCES.items() if path.stem.startswith(start)), 3)
    figures: dict[str, dict[str, float]] = {}
    for name, choose in summarisers().items():
        got: dict[str, list[float]] = {k: [] for k in kinds}
        spent = []
        for row in rows:
            chosen, ms = _timed(choose, row["text"], "en", size)
            spent.append(ms)
            best = [scorer.score(ref, "\n".join(chosen)) for ref in row["refs"]]
            for kind in kinds:
                got[kind].append(max(b[kind].fmeasure for b in best) * 100)
        figures[name] = {k: statistics.mean(v) for k, v in got.items()} | {"ms": statistics.mean(spent)}
    return figures


def summarisers() -> dict[str, Choose]:
    """Every summariser that is installed, ours first."""
    found: dict[str, Choose] = {"handbill": _handbill_summary, "lead": _lead}
    for optional in (_sumy, _summa):
        with suppress(ImportError):
            found |= optional()
    return found


def _summa() -> dict[str, Choose]:
    from summa.summarizer import summarize  # noqa: PLC0415 - optional peer

    def textrank(text: str, language: str, size: int) -> Sequence[str]:
        lines = "\n".join(_sentences(text, language))
        scored = summarize(lines, ratio=1.0, language=NAMES[language], scores=True)
        best = sorted(scored, key=lambda s: -s[1])[:size]
        return [s for s, _ in scored if s in {b for b, _ in best}]

    return {"summa-textrank": textrank}


def _handbill_summary(text: str, language: str, size: int) -> Sequence[str]:
    article = Article(id="", url="", title="", text=text, language=language)
    chosen = summary.pick(summary.scored(article), lambda taken: len(taken) <= size)
    return [c.text for c in sorted(chosen, key=lambda c: c.offset)]


def _lead(text: str, language: str, size: int) -> Sequence[str]:
    return _sentences(text, language)[:size]


def _sumy() -> dict[str, Choose]:
    """The methods of sumy with our sentences in place of its tokenizer, whose data would have to be downloaded."""
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence  # noqa: PLC0415 - optional peer
    from sumy.nlp.stemmers import Stemmer  # noqa: PLC0415 - optional peer
    from sumy.summarizers import kl, lex_rank, lsa, luhn, reduction, sum_basic, text_rank  # noqa: PLC0415
    from sumy.utils import get_stop_words  # noqa: PLC0415 - optional peer

    class Tokens:
        def to_words(self, text: str) -> tuple[str, ...]:
            return tuple(regex.findall(r"\p{L}[\p{L}\p{M}'’-]*", text))

    kinds = {
        "lexrank": lex_rank.LexRankSummarizer,
        "textrank": text_rank.TextRankSummarizer,
        "lsa": lsa.LsaSummarizer,
        "luhn": luhn.LuhnSummarizer,
        "kl": kl.KLSummarizer,
        "sumbasic": sum_basic.SumBasicSummarizer,
        "reduction": reduction.ReductionSummarizer,
    }

    def method(kind: Any) -> Choose:
        summarizer = kind(Stemmer("english"))
        summarizer.stop_words = get_stop_words("english")

        def choose(text: str, language: str, size: int) -> Sequence[str]:
            parsed = ObjectDocumentModel([Paragraph([Sentence(s, Tokens()) for s in _sentences(text, language)])])
            return [str(s) for s in summarizer(parsed, size)]

        return choose

    return {f"sumy-{name}": method(kind) for name, kind in kinds.items()}


def _sentences(text: str, language: str) -> list[str]:
    return [text[a:b] for a, b in words.sentences(text, language)]


# Key phrases: F1 of the first 5 and 10 against the given ones, stemmed and equal, macro average, times 100.


def measure_keyphrases(path: Path) -> dict[str, dict[str, float]]:
    """F1 and milliseconds per text of every key phrase method on one set."""
    rows = _rows(path)
    languages = [words.detect(row["text"]) for row in rows]
    language = max(set(languages), key=languages.count)
    stemmer = snowballstemmer.stemmer("porter" if language == "en" else NAMES[language])
    figures: dict[str, dict[str, float]] = {}
    for name, choose in extractors().items():
        at: dict[int, list[float]] = {5: [], 10: []}
        spent = []
        for row in rows:
            phrases, ms = _timed(choose, row["text"], language, 20)
            spent.append(ms)
            gold = {_stemmed(k, stemmer) for k in row["keys"]} - {""}
            ours = list(dict.fromkeys(_stemmed(p, stemmer) for p in phrases))
            for k, values in at.items():
                hits = len(gold & set(ours[:k]))
                values.append(200 * hits / (len(ours[:k]) + len(gold)) if hits else 0.0)
        figures[name] = {f"f{k}": statistics.mean(v) for k, v in at.items()} | {"ms": statistics.mean(spent)}
    return figures


def extractors() -> dict[str, Choose]:
    """Every key phrase method that is installed, ours first."""
    found: dict[str, Choose] = {"handbill": _handbill_keyphrases, "first-ngrams": _first_ngrams}
    for optional in (_yake, _rake, _summa_keywords):
        with suppress(ImportError):
            found |= optional()
    return found


def _handbill_keyphrases(text: str, language: str, size: int) -> Sequence[str]:
    return [p.text for p in keyphrases.keyphrases(text, words.language(language), limit=size)]


def _first_ngrams(text: str, language: str, size: int) -> Sequence[str]:
    """The first runs of up to three words without a stop word: what any method must beat."""
    stop = words.language(language).stop
    runs = regex.split(r"[^\p{L}\p{N}' -]+", text)
    found: dict[str, None] = {}
    for run in runs:
        kept: list[str] = []
        for word in [*run.split(), ""]:
            if word and words.plain(word) not in stop and len(kept) < 3:
                kept.append(word)
            elif kept:
                found.setdefault(" ".join(kept))
                kept = []
    return list(found)[:size]


def _yake() -> dict[str, Choose]:
    import yake  # noqa: PLC0415 - optional peer

    def choose(text: str, language: str, size: int) -> Sequence[str]:
        return [k for k, _ in yake.KeywordExtractor(lan=language, n=3, top=size).extract_keywords(text)]

    return {"yake": choose}


def _rake() -> dict[str, Choose]:
    from rake_nltk import Rake  # noqa: PLC0415 - optional peer

    def choose(text: str, language: str, size: int) -> Sequence[str]:
        rake = Rake(
            stopwords=set(words.language(language).stop),
            sentence_tokenizer=lambda t: _sentences(t, language),
            word_tokenizer=lambda t: regex.findall(r"[\p{L}\p{M}\p{N}'’-]+|[^\p{L}\p{M}\p{N}\s]", t),
            include_repeated_phrases=False,
        )
        rake.extract_keywords_from_text(text)
        return list(rake.get_ranked_phrases()[:size])

    return {"rake-nltk": choose}


def _summa_keywords() -> dict[str, Choose]:
    from summa import keywords  # noqa: PLC0415 - optional peer

    def choose(text: str, language: str, size: int) -> Sequence[str]:
        try:
            return list(keywords.keywords(text, language=NAMES[language], split=True, ratio=1.0)[:size])
        except IndexError:  # it fails on texts with too few words for its window
            return []

    return {"summa-textrank": choose}


def _stemmed(phrase: str, stemmer: Any) -> str:
    return " ".join(stemmer.stemWords(regex.findall(r"[\p{L}\p{M}\p{N}]+", phrase.lower())))


def _timed(choose: Choose, text: str, language: str, size: int) -> tuple[Sequence[str], float]:
    begin = time.perf_counter()
    chosen = choose(text, language, size)
    return chosen, (time.perf_counter() - begin) * 1000


def _rows(path: Path) -> list[dict[str, Any]]:
    lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


if __name__ == "__main__":
    main()
