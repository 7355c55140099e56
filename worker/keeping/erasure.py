"""A workspace is forgotten so that nothing of it is left, in Redis or among pictures; a look around proves it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from worker.decisions import stop
from worker.errors import HandbillError, NotFound, Refused
from worker.keeping import ledger
from worker.kept import ANSWERS
from worker.people import Actor
from worker.pipeline.pictures import DRAWN, brand_folder
from worker.runtime import Runtime
from worker.store import copying
from worker.store.alerts import Channels
from worker.store.copying import Entry


def delete(parts: Runtime, actor: Actor, workspace: str, *, typed: str) -> int:
    """Stop a workspace, disconnect its accounts and sources and forget all of it; returns how many posts there were.

    What is already public stays public. Raises NotFound, Refused where ``typed`` is not its id, and HandbillError
    naming what is left should anything be.
    """
    if workspace not in parts.records.workspaces():
        raise NotFound(f"There is no workspace {workspace}", do="See: handbill workspaces list")
    if typed != workspace:
        raise Refused("Nothing was deleted", why=f"type {workspace} to delete it")
    if workspace == parts.settings.workspace:
        raise Refused(f"{workspace} cannot be deleted", why="HANDBILL_WORKSPACE names it")
    stop(parts.deliveries, f"workspace:{workspace}")
    posts = sum(parts.deliveries.count(workspace).values())
    erase(parts, workspace)
    parts.audit.record(actor, "workspace deleted", workspace, workspace=parts.settings.workspace)
    if left := list(traces(parts, workspace)):
        raise HandbillError(
            f"Something of {workspace} is left", why=", ".join(left[:5]), do="Say so to whoever made it"
        )
    return posts


def erase(parts: Runtime, workspace: str) -> None:
    """Forget everything of a workspace that sends nothing any more; whoever is in no other is forgotten too."""
    files = _files(parts, [workspace]) | _drawn(parts, workspace)
    for source in parts.sources.all(workspace):
        parts.hooks.forget(source.id)
        parts.hooks.unsubscribe(source.id)
        parts.sources.remove(source)
    members = parts.people.members(workspace)
    parts.people.forget_workspace(workspace)
    for scope in parts.deliveries.scopes():
        if scope.partition(":")[2].partition(".")[0] == workspace:
            parts.deliveries.resume(scope)
    parts.deliveries.forget(workspace)
    parts.listeners.forget(workspace)
    parts.links.forget(workspace)
    Channels(parts.store).forget_workspace(workspace)
    parts.records.forget(workspace)
    for user in members:
        others = parts.people.memberships(user)
        if not others:
            parts.people.forget(parts.people.user(user))
        else:
            for session in parts.people.sessions(user):
                if session.workspace == workspace:
                    parts.people.enter(session.id, next(iter(others)))
    for path in files - _files(parts, parts.records.workspaces()):
        Path(path).unlink(missing_ok=True)
    for folder in _folders(parts, workspace):
        shutil.rmtree(folder, ignore_errors=True)


def traces(parts: Runtime, workspace: str) -> Iterator[str]:
    """Every key that still speaks of a workspace; the audit log of others may, for it says that it was deleted."""
    of_keys = re.compile(rf"[{{:]{re.escape(workspace)}([.:}}]|$)")
    name = re.escape(workspace)
    of_items = re.compile(rf'^{name}(\.[0-9a-z-]|$)|[: ]{name}\.|(?:late|workspace):{name}$|"workspace": ?"{name}"')
    for entry in copying.everything(parts.store):
        if of_keys.search(entry.key):
            yield entry.key
        elif not entry.key.endswith(":audit") and any(of_items.search(word) for word in _words(entry)):
            yield f"in {entry.key}"
    yield from (str(folder) for folder in _folders(parts, workspace) if folder.exists())


def _folders(parts: Runtime, workspace: str) -> Iterator[Path]:
    """Folders that are a workspace's own."""
    yield ledger.folder(parts.settings.data_dir, workspace)
    yield parts.settings.data_dir / ANSWERS / workspace


def _drawn(parts: Runtime, workspace: str) -> set[str]:
    """Cards of a workspace's articles, posted or not, with the notes on how they were drawn."""
    found: set[str] = set()
    for note in (parts.settings.data_dir / "media" / DRAWN).glob("*.json"):
        with suppress(OSError, ValueError, KeyError):
            said = json.loads(note.read_text())
            if said["article"].startswith(f"{workspace}."):
                found |= {str(note), said["media"]["path"]}
    return found


def _words(entry: Entry) -> Iterator[str]:
    yield from (item.decode(errors="replace") for item in entry.items)


def _files(parts: Runtime, workspaces: Iterable[str]) -> set[str]:
    """The pictures of posts, and the logos and fonts of brands."""
    found: set[str] = set()
    for workspace in workspaces:
        for delivery in parts.deliveries.several(parts.deliveries.ids(workspace=workspace, most=10_000_000)):
            found.update(media.path for step in delivery.steps for media in step.post.media)
        for brand in parts.records.brands(workspace):
            found.update(str(brand_folder(parts.settings) / name) for name in brand.files)
    return found
