"""The tables of the README, made from the code they describe: settings, statuses, roles, errors, platforms."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import publishers
from publishers.core import errors
from publishers.core.publisher import Publisher
from worker.lifecycle import TRANSITIONS
from worker.people import ROLES
from worker.settings import Settings

README = Path(__file__).resolve().parent.parent / "README.md"

MEANINGS = {
    "draft": "being written",
    "awaiting approval": "waits until somebody approves it",
    "awaiting person": "a person posts it by hand (reminders)",
    "scheduled": "goes out when it is due",
    "held": "too late, stopped or embargoed: waits for a person",
    "preparing": "pictures are being uploaded; nothing is public yet",
    "publishing": "the one irreversible request is being sent; stored before it is",
    "unconfirmed": "the answer was lost: Handbill finds out before anything is sent again",
    "published": "public, with a receipt",
    "failed": "certainly not public, and will not be tried again by itself",
    "parked": "perhaps public and no machine can tell: a person decides",
    "cancelled": "never to be sent",
    "skipped": "a rule said no",
    "edited": "public, and changed since",
    "deleted": "was public, and was taken away",
}

ERRORS: Mapping[str, tuple[str, str, str]] = {
    "Unavailable": ("scheduled again, with growing pauses", "–", "yes"),
    "RateLimited": ("scheduled for when the platform says", "waits until then", "no"),
    "Unconfirmed": ("unconfirmed: settled by the account's class", "–", "yes"),
    "Rejected": ("failed, with the platform's own words", "–", "–"),
    "Unauthorized": ("scheduled", "token renewed once, else paused until connected again", "no"),
    "Unsupported": ("failed: a mistake of ours", "–", "–"),
}


def settings_table() -> str:
    """Every ``HANDBILL_*`` variable."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        shown = str(getattr(default, "get_secret_value", lambda d=default: d)())
        rows.append((f"`HANDBILL_{name.upper()}`", f"`{shown}`" if shown else "", field.description or ""))
    return _table(("variable", "default", "what it does"), rows)


def status_table() -> str:
    """Every status and those that may follow."""
    rows = [(f"**{s}**", MEANINGS[s], ", ".join(sorted(t)) or "–") for s, t in TRANSITIONS.items()]
    return _table(("status", "meaning", "may become"), rows)


def role_table() -> str:
    """Every role and what it may do."""
    return _table(("role", "may"), ((f"**{role}**", words) for role, words in ROLES.items()))


def error_table() -> str:
    """Every error and what it does."""
    rows = []
    for name, (delivery, account, costs) in ERRORS.items():
        meaning = (getattr(errors, name).__doc__ or "").partition("\n")[0].rstrip(".").replace("``", "`")
        rows.append((name, meaning, delivery, account, costs))
    return _table(("error", "meaning", "the delivery", "the account", "costs a try"), rows)


def platform_table() -> str:
    """What each adapter can do, by what it wrote itself."""
    rows = []
    for name in publishers.names():
        adapter = publishers.load(name)
        limits = adapter.limits
        rows.append(
            (
                f"[{adapter.label}](publishers/docs/{name}.md)",
                f"{limits.text} {limits.counting}" + (f", {limits.caption} with a picture" if limits.caption else ""),
                str(limits.media),
                str(limits.alt) if limits.alt else "–",
                _said(limits.thread),
                _said(limits.comment),
                (", ".join(limits.labels) or "yes") if limits.warning else "–",
                *(_able(adapter, method) for method in ("find", "read_back", "edit", "delete", "metrics")),
                _proof(adapter),
                _auth(adapter),
                adapter.unverified or "–",
            )
        )
    head = (
        *("platform", "text", "pictures", "alt text", "thread", "first comment", "warning"),
        *("look-up", "read back", "edit", "delete", "numbers", "class", "auth", "unverified"),
    )
    return _table(head, rows)


def _said(able: object) -> str:
    return "yes" if able else "–"


def _able(adapter: type[Publisher], method: str) -> str:
    """Whether it can, and of which accounts alone."""
    return adapter.partly.get(method, "yes") if adapter.can(method) else "–"


def _auth(adapter: type[Publisher]) -> str:
    """How an account is connected: by a person's consent, or with what they paste."""
    ways = [adapter.pasted] if adapter.pasted else []
    if own := adapter.oauth:
        ways.insert(
            0, own.protocol + (" with S256" if own.pkce else "") + (", registers itself" if own.register else "")
        )
    return ", or ".join(ways) or "–"


def _proof(adapter: type[Publisher]) -> str:
    proof = adapter.proof
    if adapter.by_hand:
        return "of who tells"
    if proof.window is None:
        return str(proof.kind)
    return f"{proof.kind} for {proof.window.total_seconds() / 60:.0f} min, then {proof.then}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings_table,
    "statuses": status_table,
    "roles": role_table,
    "errors": error_table,
    "platforms": platform_table,
}


def rendered(text: str) -> str:
    """The README with every table as the code has it now; raises ValueError if one is missing."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = pattern.search(text)
        if found is None:
            raise ValueError(f"README.md has no place for the table of {name}")
        text = text[: found.start()] + found[1] + table() + "\n" + found[2] + text[found.end() :]
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
    sys.exit(0)
