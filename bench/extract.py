"""How well and how fast an article's text is found on a page, beside other extractors.

``python -m bench.extract [--data DIR] [--json]``; DIR holds ``truth.json`` (id -> articleBody, url) and
``html/<id>.html.gz``, as https://github.com/scrapinghub/article-extraction-benchmark does, whose measure this is:
shared runs of four words. Peers come with the extra ``bench``; one that is not installed is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import regex

from worker.content import article, words
from worker.content.readers import READERS
from worker.errors import BadSource
from worker.model import Page

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "text" / "extraction"

Extract = Callable[[str, str], str]
"""A method: HTML and address in, the article's text out ("" if it finds none)."""


def main() -> None:
    """Measure every extractor on the pages under DIR and print a table, or JSON alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = options.data if (options.data / "truth.json").is_file() else options.data / "extraction"
    if not (folder / "truth.json").is_file():
        raise SystemExit(f"bench.extract: no truth.json under {options.data}. Give --data DIR.")
    found = measure(folder)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for name, figures in found.items():
        print(f"{name:24}" + "".join(f"{key:>6} {value:7.3f}" for key, value in figures.items()))


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """F1, precision and recall of shared four-word runs over all pages, and the median of milliseconds per page."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    pages = [
        (gzip.decompress((folder / "html" / f"{key}.html.gz").read_bytes()).decode("utf-8", "replace"), value)
        for key, value in sorted(truth.items())
    ]
    figures: dict[str, dict[str, float]] = {}
    for name, extract in extractors().items():
        counts, spent = [], []
        for content, value in pages:
            begin = time.perf_counter()
            text = extract(content, value.get("url", "https://example.org/article"))
            spent.append((time.perf_counter() - begin) * 1000)
            counts.append(_shared(value["articleBody"], text))
        precision, recall = (
            statistics.mean(_share(hit, of) for hit, *sizes in counts for of in [sizes[i]]) for i in (0, 1)
        )
        figures[name] = {
            "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
            "precision": precision,
            "recall": recall,
            "ms": statistics.median(spent),
        }
    return figures


def _shared(truth: str, text: str) -> tuple[int, int, int]:
    """Four-word runs in both, in the text and in the truth."""
    ours, theirs = _runs(text), _runs(truth)
    return (ours & theirs).total(), ours.total(), theirs.total()


def _share(hit: int, of: int) -> float:
    return hit / of if of else float(hit == of)


def _runs(text: str) -> Counter[tuple[str, ...]]:
    found = regex.findall(r"\w+", text, flags=regex.UNICODE)
    return Counter(tuple(found[i : i + 4]) for i in range(max(1, len(found) - 3)) if found)


def extractors() -> dict[str, Extract]:
    """Every extractor that is installed, ours first."""
    found: dict[str, Extract] = {"handbill": _handbill}
    for optional in (_trafilatura, _readability, _newspaper, _resiliparse):
        with suppress(ImportError):
            found |= optional()
    return found


def _handbill(content: str, url: str) -> str:
    """The body with its headings in place, as the other extractors give it; the product keeps headings apart."""
    try:
        draft = READERS["html"](Page(url=url, kind="html", content=content, base=url))
    except BadSource:
        return ""
    _, body, _ = article.clean(draft, words.language(article.language_of(draft)))
    return "\n".join(b.text for b in body)


def _trafilatura() -> dict[str, Extract]:
    import trafilatura  # noqa: PLC0415 - beside the peers, to be measured like them

    def plain(content: str, _url: str) -> str:
        return trafilatura.extract(content, include_comments=False) or ""

    def precise(content: str, _url: str) -> str:
        return trafilatura.extract(content, include_comments=False, favor_precision=True) or ""

    return {"trafilatura": plain, "trafilatura precision": precise}


def _readability() -> dict[str, Extract]:
    from lxml import html  # noqa: PLC0415 - optional peer
    from readability import Document  # noqa: PLC0415 - optional peer

    return {"readability-lxml": lambda content, _: str(html.fromstring(Document(content).summary()).text_content())}


def _newspaper() -> dict[str, Extract]:
    from newspaper import Article, ArticleException  # noqa: PLC0415 - optional peer

    def read(content: str, url: str) -> str:
        page = Article(url)
        try:
            page.download(input_html=content)
            page.parse()
        except (ArticleException, LookupError, ImportError):  # the latter for languages whose extras are missing
            return ""
        return str(page.text)

    return {"newspaper4k": read}


def _resiliparse() -> dict[str, Extract]:
    from resiliparse.extract.html2text import extract_plain_text  # noqa: PLC0415 - optional peer

    return {"resiliparse": lambda content, _: str(extract_plain_text(content, main_content=True))}


if __name__ == "__main__":
    main()
