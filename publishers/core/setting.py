"""One thing a person must give, to connect an account or to name the app that asks for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing a person must give to connect an account; ``secret`` ones are stored encrypted and never shown.

    A ``default`` may speak of ``{data_dir}``, the application's data folder. ``rehearsal`` is what a stand-in is given
    where nobody gives anything, and may speak of ``{account}``; without one that is the word, if it is required.
    """

    name: str
    label: str
    secret: bool = False
    required: bool = True
    default: str = ""
    rehearsal: str = ""
