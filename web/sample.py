"""The article that templates and brands are shown with: the workspace's latest, or else the one that is shipped."""

from __future__ import annotations

import functools

from worker.content import write
from worker.content.article import extract
from worker.intake.fetch import read_source
from worker.model import Article, Content
from worker.runtime import Runtime
from worker.settings import TEMPLATES


def article(parts: Runtime, workspace: str) -> tuple[Article, Content]:
    """An article of the workspace, with what was written about it."""
    for _, name in parts.records.arrived(workspace, "all", most=1):
        if found := parts.records.articles([name]):
            return found[name]
    return _shipped(workspace)


@functools.lru_cache(maxsize=8)
def _shipped(workspace: str) -> tuple[Article, Content]:
    found = extract(read_source(str(TEMPLATES / "sample" / "index.html")), workspace=workspace)
    return found, write(found)
