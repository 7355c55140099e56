"""``python -m web``: the web of one process, on the Redis that is given or the data folder's own."""

from __future__ import annotations

import argparse
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from web.app import create_app
from worker import log as logs
from worker import team
from worker.errors import HandbillError
from worker.runtime import Runtime, open_runtime
from worker.settings import Settings, settings
from worker.up import redis_for
from worker.watch.observe import observe

GRACE = 5
"""Seconds that requests under way get when the server is told to stop."""


class Server(uvicorn.Server):
    """Uvicorn waits for open connections when it stops, and pages hold one open for as long as they are shown; then it
    raises the signal once more, which would leave an embedded Redis behind.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the pages' streams and stop; asked again, stop at once."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True
        self._app.state.live.end()


def invite_owner(parts: Runtime, host: str) -> None:
    """Print the one-time link of the first run, on this machine alone; anywhere else, refuse to start without owner."""
    if parts.people.claimed():
        return
    team.refuse_open(parts, host)
    link = team.first_link(parts)
    line = f"First run: {parts.settings.origin}/welcome?link={link} makes the owner account (works once, for a day)"
    sys.stderr.write(f"{line}\n")


def serve(config: Settings, host: str) -> None:
    """Serve until told to stop."""
    observe("web")
    with redis_for(config) as url:
        parts = open_runtime(config, url)
        invite_owner(parts, host)
        app = create_app(parts)
        options = uvicorn.Config(
            app,
            host=host,
            port=config.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # web.place decides which proxy is believed
            timeout_graceful_shutdown=GRACE,
        )
        Server(options, app).run()
        parts.close()


def main() -> int:
    """Run the web page and the API."""
    parser = argparse.ArgumentParser(prog="handbill web", description="The web page and the JSON API.")
    parser.add_argument("--host", default="", help="HANDBILL_HOST if left out")
    host = parser.parse_args().host
    try:
        logs.configure(settings().log)
        serve(settings(), host or settings().host)
    except HandbillError as error:
        sys.stderr.write(f"{' '.join(logs.redact(str(error)).split())}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
