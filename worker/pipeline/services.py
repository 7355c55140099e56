"""The services beyond the platforms that an installation may use; none is asked unless a setting names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from publishers.core.errors import PublishError
from publishers.core.http import Http
from worker.content import writer
from worker.errors import HandbillError
from worker.kept import ANSWERS, Kept
from worker.model import Article, Content
from worker.settings import Settings
from worker.shortener import SHORTENERS, shorten

SHORTENER_SECONDS = 5.0  # a post does not wait long for a shorter link


class Services:
    """Asks a language model and a shortener of links; ``http`` makes the client and is replaced in tests."""

    def __init__(self, settings: Settings, *, http: Callable[..., Http] = Http) -> None:
        self._settings = settings
        self._http = http

    def written(self, article: Article, content: Content) -> Content:
        """``content`` in the model's words where there is a model and its words can be taken.

        An article that has not changed is asked about once, so what was previewed is what is sent.
        """
        config = self._settings
        if not config.model_url:
            return content
        if not config.model_name:
            raise HandbillError("HANDBILL_MODEL_URL is set alone", do="Set HANDBILL_MODEL_NAME too")
        body = writer.question(article, config.model_name)
        question = ("model", config.model_url, json.dumps(body, sort_keys=True))
        answers = self._answers(article.workspace)
        if (kept := answers.get(*question)) is not None:
            return writer.rewrite(article, content, lambda: kept)
        key = config.model_key.get_secret_value()

        def ask() -> str:
            with self._client(config.model_url, key, seconds=config.model_seconds) as http:
                answer = writer.ask(http, config.model_url, key, body)
            return answers.put(answer, *question)

        return writer.rewrite(article, content, ask)

    def short(self, link: str, account: str) -> tuple[str, str]:
        """The short link for ``link`` on ``account``, the same for ever, and ""; without one ``link``, and why."""
        config = self._settings
        if not config.shortener:
            return link, ""
        server = config.shortener_url or SHORTENERS[config.shortener].home
        if not server:
            raise HandbillError("HANDBILL_SHORTENER is set alone", do="Set HANDBILL_SHORTENER_URL too")
        question = ("short", config.shortener, server, config.shortener_domain, account, link)
        answers = self._answers(account.partition(".")[0])
        if (kept := answers.get(*question)) is not None:
            return kept, ""
        key = config.shortener_key.get_secret_value()
        try:
            with self._client(server, key, seconds=SHORTENER_SECONDS) as http:
                found = shorten(
                    http, config.shortener, server=server, key=key, domain=config.shortener_domain, link=link
                )
        except PublishError as error:
            return link, f"The link was not shortened: {str(error).rstrip('.')}."
        return answers.put(found, *question), ""

    def _answers(self, workspace: str) -> Kept:
        """What was answered once for a workspace, with which it goes."""
        return Kept(self._settings.data_dir / ANSWERS / workspace)

    def _client(self, url: str, key: str, *, seconds: float) -> Http:
        """A client for the service at ``url``, which whoever set it may have put on this machine."""
        return self._http(seconds=seconds, allow={*self._settings.allowed, _host(url)}, secrets=[key])


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
