"""What is written about an article: summaries, sentences, hashtags and a description, all from its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from worker.model import Article, Content

ALT_LENGTH = 400
PICTURE_OF = regex.compile(
    r"(?:an? |the |eine? |une? |un[ao]? )?"
    r"(?:image|picture|photo(?:graph|grafía|graphie)?|screenshot|bild|foto|imagen|immagine|imagem)"
    r" (?:of|showing|von|de|di|d'|van)\s+|(?:image|picture|photo|bild|foto)\s*[:：]\s*",
    regex.I,
)


def write(article: Article) -> Content:
    """The content of an article: pure, offline, the same for the same article."""
    # Imported when first used: who only draws cards holds neither word lists nor stemmers.
    from worker.content import hashtags, summary  # noqa: PLC0415
    from worker.model import Content  # noqa: PLC0415

    candidates = summary.scored(article)
    return Content(
        short=summary.short(candidates),
        medium=summary.fill(candidates, summary.MEDIUM, article.language) or summary.short(candidates),
        long=summary.fill(candidates, summary.LONG, article.language) or summary.short(candidates),
        sentences=summary.sentences(candidates),
        hashtags=tuple(hashtags.choose(article)),
        alt=describe(article),
    )


def describe(article: Article) -> str:
    """What the share picture says and shows: the title, then the photo where its description is known."""
    shown = PICTURE_OF.sub("", article.image_alt, count=1).strip() if article.image_alt else ""
    title = article.title.strip()
    if not shown:
        return _cut(title, ALT_LENGTH)
    shown = shown[0].upper() + shown[1:]
    stop = "" if regex.search(r"[.!?…。！？؟۔।:]$", title) else "."
    return _cut(f"{title}{stop} {shown}", ALT_LENGTH)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
