"""How Microsoft Teams takes a post: an adaptive card, in which no text is markup, through a workflow's address."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar
from urllib.parse import urlsplit

from publishers.core.errors import PublishError, Unauthorized, Unsupported
from publishers.core.http import Answer, judge
from publishers.core.limits import Limits
from publishers.core.markup import headline
from publishers.core.post import Commit, Post, Prepared, Receipt
from publishers.core.publisher import Budget, Profile, Proof, ProofClass, Publisher, Setting

SIZE = 28_000  # of a whole message: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors
CARD = "application/vnd.microsoft.card.adaptive"
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
# Where workflows listen: https://learn.microsoft.com/power-automate/triggers-introduction
HOSTS = re.compile(
    r"(?:[\w.-]+\.)?(?:logic\.azure\.(?:com|us|cn)|api\.powerplatform\.(?:com|us|cn)|powerautomate\.com)"
)
CLOSED = {401, 403, 404, 410}
LINE = re.compile(r"[^\n]+")


class Teams(Publisher):
    """One channel or chat of Microsoft Teams, through a workflow that waits for a webhook request."""

    label: ClassVar = "Microsoft Teams"
    team = True
    limits: ClassVar = Limits(
        text=3000,
        hashtags=0,  # Teams knows none
        media=0,  # a card's picture is an address that must stay for good, and ours are good for a day
        link_card=False,
    )
    fields: ClassVar = (
        Setting(name="url", label="Address of the workflow, https://…", secret=True),
        Setting(name="channel", label="Channel's name, as you know it"),
    )
    pasted: ClassVar = "workflow's address"
    # A workflow answers that it was started, not what it did; nothing it did can be read or taken back.
    proof: ClassVar = Proof(kind=ProofClass.C)
    budgets: ClassVar = (Budget(posts=4, seconds=1),)  # of a connector, by the page named above
    unverified: ClassVar = (
        "never run against the real platform; the address can only be tried by posting; a workflow that starts and "
        "fails afterwards answers as one that posts; every host that its address may have"
    )

    def connect(self) -> Profile:
        """The address alone: a workflow can be asked nothing without posting."""
        self._path()
        name = self.settings.get("channel", "").strip()
        if not name:
            raise Unauthorized("give the channel a name, by which you will know this account")
        return Profile(name=name)

    def prepare(self, post: Post, key: str) -> Prepared:
        del post, key
        return {}

    def create(self, post: Post, commit: Commit) -> Receipt:
        if post.warning or post.visibility != "public":
            raise Unsupported("a card in Teams is for the whole channel and carries no warning")
        if commit.reply_to is not None:
            raise Unsupported("a workflow answers no message")
        attachment = {"contentType": CARD, "contentUrl": None, "content": card(post)}
        body = {"type": "message", "attachments": [attachment]}
        if len(json.dumps(body, ensure_ascii=False).encode()) > SIZE:
            raise Unsupported(f"the card is larger than the {SIZE} bytes that Teams takes")
        # A workflow answers 202 and nothing else, so the step's own key stands for the message.
        self.commit("POST", self._path(), json=body)
        return Receipt(id=commit.key)

    def classify(self, answer: Answer) -> PublishError | None:
        if answer.status in CLOSED:
            what = f"the workflow takes nothing at this address any more ({answer.status})"
            return Unauthorized(what, status=answer.status, words=answer.words())
        return judge(answer)

    def _path(self) -> str:
        url = self.settings.get("url", "").strip()
        if self.settings.get("server") and "://" not in url:
            return f"/{url}"
        parts = urlsplit(url)
        if parts.scheme != "https" or not HOSTS.fullmatch(parts.hostname or ""):
            raise Unauthorized(
                "this is no address of a workflow; copy it from the step “When a webhook request is received”"
            )
        return url


def card(post: Post) -> dict[str, Any]:
    """The post as a card of text runs, in which nothing is Markdown; a title that begins it is bold."""
    bold = headline(post)
    blocks = [_block(post, found.start(), found.end(), bold) for found in LINE.finditer(post.text)]
    return {"$schema": SCHEMA, "type": "AdaptiveCard", "version": "1.4", "msteams": {"width": "Full"}, "body": blocks}


def _block(post: Post, start: int, end: int, bold: int) -> dict[str, Any]:
    """One line: its links lead where they say, and a blank line before it is a wider space."""
    runs: list[dict[str, Any]] = []
    done = start
    for facet in sorted(post.facets, key=lambda f: f.start):
        if facet.type != "link" or not start <= facet.start < facet.end <= end or not facet.value.startswith("http"):
            continue
        if done < facet.start:
            runs.append(_run(post.text[done : facet.start]))
        opens = {"type": "Action.OpenUrl", "url": facet.value}
        runs.append({**_run(post.text[facet.start : facet.end]), "underline": True, "selectAction": opens})
        done = facet.end
    if done < end:
        runs.append(_run(post.text[done:end]))
    if start == 0 and end == bold:
        runs = [{**run, "weight": "Bolder", "size": "Medium"} for run in runs]
    spacing = "Medium" if post.text[:start].endswith("\n\n") else "None" if start == 0 else "Small"
    return {"type": "RichTextBlock", "spacing": spacing, "inlines": runs}


def _run(text: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text}
