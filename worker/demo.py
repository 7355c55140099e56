"""The main job shown from end to end: an article, accounts on stand-in platforms, real workers, a gallery."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

import publishers
from worker import embedded, team
from worker.errors import HandbillError, NotFound
from worker.lifecycle import FINAL, remedy
from worker.model import Account, Delivery, Status
from worker.pipeline.share import share
from worker.runtime import Runtime, open_runtime
from worker.settings import TEMPLATES, Settings
from worker.show import deliveries_table
from worker.up import answers, redis_for, supervisor

T = TypeVar("T")

SAMPLE = TEMPLATES / "sample" / "index.html"
PATIENCE = 60.0
REQUEST_SECONDS = 5.0
SETTLE_SECONDS = 1.0
"""Stand-ins on this machine answer at once; after a demo that was killed, nobody wants to wait for real platforms."""


def run_demo(config: Settings, source: str, *, keep: bool, console: Console) -> int:
    """Run everything, post ``source`` (empty = the sample article) to the demo accounts, show what happened.

    Ends by itself unless ``keep``. Exit code 0 if every post is public on its stand-in platform, or, after an earlier
    demo was killed while it sent, parked because nobody but a person can tell.
    """
    config = config.model_copy(update={"request_seconds": REQUEST_SECONDS, "settle_seconds": SETTLE_SECONDS})
    _only_stand_ins(config)
    log_path = config.data_dir / "demo.log"
    with log_path.open("a") as log:
        house = supervisor(config, web=keep, log=log)
        thread = threading.Thread(target=house.run, name="supervisor")
        thread.start()
        try:
            return _show(config, source or str(SAMPLE), keep=keep, console=console, log=log_path)
        except KeyboardInterrupt:
            return 130
        finally:
            console.print("[dim]Stopping …[/dim]")
            house.stop()
            thread.join()


def _only_stand_ins(config: Settings) -> None:
    """Raise HandbillError if the workers of the demo could send something to a real platform."""
    with redis_for(config) as url:
        parts = open_runtime(config, url)
        try:
            real = [a.id for w in parts.records.workspaces() for a in parts.records.accounts(w) if _is_real(a)]
        finally:
            parts.close()
    if real:
        do = "Give the demo a folder of its own: HANDBILL_DATA_DIR=demo-data make demo"
        raise HandbillError("The demo does not run beside real accounts", why=f"there is {real[0]}", do=do)


def _is_real(account: Account) -> bool:
    return not account.rehearsal and (
        account.platform not in publishers.names() or publishers.load(account.platform).networked
    )


def _show(config: Settings, source: str, *, keep: bool, console: Console, log: Path) -> int:
    with console.status("Starting Redis, the workers and the stand-in platforms …"):
        parts = _wait_for(lambda: _connect(config), "Redis does not come up", log)
        _wait_for(lambda: answers(config.rehearsal), "the stand-in platforms do not come up", log)
        _wait_for(parts.records.alive, "no worker consumes", log)
    accounts = [_account(parts, name.strip()) for name in config.demo_platforms.split(",") if name.strip()]
    with console.status("Reading the article, writing the texts, drawing the pictures …"):
        article, planned = share(parts, source, workspace=config.workspace, accounts=[a.id for a in accounts])
    console.print(f"{article.title}  {article.site}".rstrip(), style="bold", markup=False)
    for warning in parts.planner.studio.warnings:
        console.print(warning, style="yellow", markup=False)
    done = _watch(parts, planned, console)
    console.print(deliveries_table(done, {a.id: a for a in accounts}))
    _read_aloud(done, console)
    page = _gallery(config)
    console.print(f"Gallery: {page.resolve().as_uri()}")
    console.print("[dim]The platforms above are stand-ins on this machine: nothing has left it.[/dim]")
    if keep:
        link = team.enter_link(parts, team.guest(parts))
        console.print(f"Live page: {config.origin}/enter?link={link}", soft_wrap=True)
        console.print("[dim]The link opens it once; another one: handbill users link. Ctrl-C ends everything.[/dim]")
        threading.Event().wait()
    for delivery in done:
        if delivery.status is Status.PARKED:
            console.print(remedy(delivery.status, delivery.id), markup=False, soft_wrap=True)
    return 0 if all(d.status in {Status.PUBLISHED, Status.PARKED} for d in done) else 1


def _connect(config: Settings) -> Runtime | None:
    if config.redis_url:
        return open_runtime(config, config.redis_url)
    server = embedded.running(config.data_dir)
    return open_runtime(config, server.url) if server else None


def _account(parts: Runtime, platform: str) -> Account:
    for name in (platform, f"{platform}-rehearsal"):
        try:
            found = parts.accounts.find(name, parts.settings.workspace)
        except NotFound:
            continue
        if not _is_real(found):
            return found
    rehearsal = publishers.load(platform).networked
    return parts.accounts.connect(platform, {}, workspace=parts.settings.workspace, rehearsal=rehearsal)


def _watch(parts: Runtime, planned: list[Delivery], console: Console) -> list[Delivery]:
    ids = [d.id for d in planned]
    bar = Progress(
        SpinnerColumn(),
        TextColumn("Publishing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    ends = time.monotonic() + PATIENCE
    with bar:
        task = bar.add_task("publish", total=len(ids))
        while True:
            found = list(parts.deliveries.several(ids))
            bar.update(task, completed=sum(d.status in FINAL for d in found))
            if all(d.status in FINAL for d in found) or time.monotonic() > ends:
                return found
            time.sleep(0.2)


def _read_aloud(done: list[Delivery], console: Console) -> None:
    for delivery in done:
        post = delivery.steps[0].post
        console.rule(delivery.platform, align="left")
        console.print(post.text, markup=False, highlight=False, soft_wrap=True)
        for media in post.media:
            console.print(
                f"[{media.width}×{media.height}, alt: {media.alt}]", style="dim", markup=False, soft_wrap=True
            )
    console.rule()


def _gallery(config: Settings) -> Path:
    page = config.data_dir / "gallery" / "gallery.html"
    subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "web.gallery", str(page)], check=True, stdout=subprocess.DEVNULL
    )
    return page


def _wait_for(ask: Callable[[], T | None], what: str, log: Path) -> T:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if answer := ask():
            return answer
        time.sleep(0.1)
    raise HandbillError("The demo did not start", why=what, do=f"See {log}")
