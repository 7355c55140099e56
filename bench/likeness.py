"""How well two posts that say the same are told from two that do not, and what that costs.

``python -m bench.likeness [--data DIR] [--json]``; DIR holds ``*.jsonl`` of news articles (id, text). Each article's
posts are composed for four platforms; then words of them change places, some are replaced by words of another article,
and they are held against other posts of the same article and of others.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

import publishers
from worker.content import likeness, words, write
from worker.content.compose import compose
from worker.content.template import load_template
from worker.model import Article
from worker.settings import TEMPLATES

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "text" / "summary"
PLATFORMS = ("bluesky", "linkedin", "mastodon", "telegram")
ARTICLES, VARIANTS, PAIRS = 120, 4, 3000


def main() -> None:
    """Measure and print a table, or JSON alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    texts = [json.loads(line)["text"] for path in sorted(options.data.glob("*.jsonl")) for line in path.open()]
    if not texts:
        raise SystemExit(f"bench.likeness: no *.jsonl under {options.data}. Give --data DIR.")
    found = measure(texts[:ARTICLES])
    print(json.dumps(found, indent=1) if options.json else "\n".join(f"{k:44}{v:10}" for k, v in found.items()))


def measure(texts: Sequence[str]) -> dict[str, float]:
    """Shares of pairs that are called near, in percent, and the milliseconds a pair takes."""
    chance = random.Random(26)
    families = [posts(number, text) for number, text in enumerate(texts)]
    alone = [family[0] for family in families]
    found: dict[str, float] = {"articles": len(families), "posts": sum(map(len, families))}
    every = sorted({w for text in texts for w in words.terms(text, words.language("en"), None)})
    changed: dict[str, list[tuple[str, str]]] = {
        "near, words in any order": [(t, shuffled(t, chance)) for t in alone],
        "near, 2 in 10 content words replaced": [(t, replaced(t, 0.2, every, chance)) for t in alone],
        "near, 3 in 10 content words replaced": [(t, replaced(t, 0.3, every, chance)) for t in alone],
        "near, other posts of one article": [p for f in families for p in itertools.combinations(f, 2)],
        "near, posts of two articles": [(one, other) for one, other in (chance.sample(alone, 2) for _ in range(PAIRS))],
    }
    for name, pairs in changed.items():
        found[name] = round(100 * sum(likeness.near(a, b, "en") for a, b in pairs) / len(pairs), 1)
        found[f"{name}: pairs"] = len(pairs)
    likeness.content.cache_clear()
    one, began = alone[0], time.perf_counter()
    for other in alone[1:]:
        likeness.near(one, other, "en")
    found["ms a pair, one text new"] = round(1000 * (time.perf_counter() - began) / (len(alone) - 1), 3)
    began = time.perf_counter()
    for other in alone[1:]:
        likeness.near(one, other, "en")
    found["ms a pair, both read before"] = round(1000 * (time.perf_counter() - began) / (len(alone) - 1), 4)
    return found


def posts(number: int, text: str) -> list[str]:
    """The different posts an article gives, as the evergreen rules get them, on one of the platforms by turns."""
    first = next(words.sentences(text, "en"))
    article = Article(
        id=f"main.{number}", url=f"https://example.org/{number}", title=text[: first[1]], text=text, language="en"
    )
    platform, content = PLATFORMS[number % len(PLATFORMS)], write(article)
    limits, template = publishers.load(platform).limits, load_template(platform, TEMPLATES / "posts")
    made = (
        compose(
            article, content, platform=platform, limits=limits, template=template, link=article.url, media=(), variant=v
        )
        for v in range(VARIANTS)
    )
    return list(dict.fromkeys(m.post.text for m in made))


def shuffled(text: str, chance: random.Random) -> str:
    """The words of a text in another order."""
    order = text.split()
    chance.shuffle(order)
    return " ".join(order)


def replaced(text: str, share: float, others: Sequence[str], chance: random.Random) -> str:
    """A text with a share of its content words replaced by words of any article."""
    order = text.split()
    places = [n for n, w in enumerate(order) if words.terms(w, words.language("en")) and "/" not in w and w[0] != "#"]
    for place in chance.sample(places, round(share * len(places))):
        order[place] = chance.choice(others)
    return " ".join(order)


if __name__ == "__main__":
    main()
