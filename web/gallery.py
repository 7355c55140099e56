"""The gallery: articles with every post made of them, on a live page or as one file that a browser opens by itself."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from publishers.core.post import Media
from web import render
from web.listing import Cursor
from web.views import Shown, host_of, label_of, shown
from worker.errors import HandbillError, NotFound
from worker.lifecycle import GONE
from worker.model import Account, Delivery, Status
from worker.runtime import Runtime, open_runtime
from worker.settings import settings
from worker.up import redis_for

ARTICLES = 8
"""Articles on one page."""

CHUNK = 64
"""Deliveries read at once: enough for a page of articles with a usual number of posts each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """An article and its posts, in the order of their platforms' names; ``url`` is empty if nobody can open it."""

    id: str
    title: str
    url: str
    byline: tuple[str, ...]
    posts: tuple[Shown, ...]


def accounts_of(parts: Runtime, deliveries: Iterable[Delivery]) -> dict[str, Account]:
    """The accounts of the workspaces that the deliveries are in, by id."""
    return {a.id: a for w in {d.workspace for d in deliveries} for a in parts.records.accounts(w)}


def groups(
    parts: Runtime,
    *,
    after: Cursor | None,
    src: Callable[[Media], str],
    zone: ZoneInfo | None = None,
    workspace: str = "",
    files: bool = False,
    most: int = ARTICLES,
) -> tuple[list[Group], Cursor | None]:
    """Articles, the one whose posts moved last first, and where the next page begins (None = there is none).

    Those of ``workspace``, or of all of them if it is empty; times are in ``zone``, or in each account's.
    """
    statuses = set(Status) - GONE
    start, found = after, list[Group]()
    seen: set[str] = set()
    while rows := parts.deliveries.latest(statuses, most=CHUNK, before=after, workspace=workspace):
        articles = {d.id: d.article for d in parts.deliveries.several(i for _, i in rows)}
        for place in rows:
            article = articles.get(place[1], "")
            if not article or article in seen:
                continue
            if len(found) == most:
                return found, after
            seen.add(article)
            posts = _posts(parts, article)
            # An article stands where its latest post does, so what is on an earlier page is not shown again.
            if start is None or not any(_before(d, start) for d in posts):
                found.append(_group(parts, article, posts, src=src, zone=zone, files=files))
            after = place
        after = rows[-1]
    return found, None


def group(parts: Runtime, article: str, *, src: Callable[[Media], str], zone: ZoneInfo | None = None) -> Group:
    """One article with its posts; raises NotFound."""
    posts = _posts(parts, article)
    if not posts:
        raise NotFound(f"There are no posts of an article {article}")
    return _group(parts, article, posts, src=src, zone=zone, files=False)


def _posts(parts: Runtime, article: str) -> list[Delivery]:
    return [d for d in parts.deliveries.several(parts.records.deliveries_of(article)) if d.status not in GONE]


def _before(delivery: Delivery, place: Cursor) -> bool:
    """Whether a delivery comes at ``place`` or before it when the latest move comes first."""
    assert delivery.updated_at is not None
    return (delivery.updated_at, delivery.id) >= place


def _group(
    parts: Runtime,
    article: str,
    posts: Sequence[Delivery],
    *,
    src: Callable[[Media], str],
    zone: ZoneInfo | None,
    files: bool,
) -> Group:
    accounts = accounts_of(parts, posts)
    by_label = sorted(posts, key=lambda d: (label_of(d.platform).lower(), d.account, d.share))
    views = tuple(shown(d, accounts.get(d.account), src=src, zone=zone, files=files) for d in by_label)
    try:
        found, _ = parts.records.article(article)
    except NotFound:
        return Group(id=article, title=views[0].title, url="", byline=(), posts=views)
    at = found.published_at
    when = f"{at.day} {at:%B %Y}" if at else ""
    return Group(
        id=article,
        title=found.title,
        url=found.url if host_of(found.url) else "",
        byline=tuple(x for x in (found.site, found.author, when) if x),
        posts=views,
    )


def write(parts: Runtime, page: Path) -> None:
    """Write the gallery as one file with its pictures beside it, for a browser to open without any server."""
    page.parent.mkdir(parents=True, exist_ok=True)

    def beside(media: Media) -> str:
        source = Path(media.path)
        target = page.parent / f"{media.sha256}{source.suffix}"
        if source.is_file() and not target.exists():
            shutil.copyfile(source, target)
        return target.name

    found, _ = groups(parts, after=None, src=beside, files=True)
    html = render.environment().get_template("gallery.html")
    text = html.render(layout="still.html", groups=found, one=False, cursor="", following="", path="")
    part = page.with_name(f".{page.name}.part")
    part.write_text(text)
    part.replace(page)


def main(page: str) -> int:
    """Write the gallery of this data folder to ``page``."""
    try:
        with redis_for(settings()) as url:
            parts = open_runtime(settings(), url)
            try:
                write(parts, Path(page))
            finally:
                parts.close()
    except HandbillError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
