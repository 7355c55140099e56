"""What the README says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from worker.cli import cli
from worker.lifecycle import after
from worker.model import Status
from worker.reference import ERRORS, MEANINGS, README, rendered

ROOT = Path(__file__).resolve().parent.parent


def test_the_tables_of_the_readme_are_the_ones_of_the_code():
    text = README.read_text()

    assert rendered(text) == text, "run: python -m worker.reference"


def test_every_status_and_every_error_has_a_meaning():
    assert set(MEANINGS) == set(Status)
    assert after.__doc__
    assert len(ERRORS) == 6


def test_every_file_that_the_readme_links_to_exists():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README.read_text())

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_command_that_the_readme_shows_exists():
    command = typer.main.get_command(cli)
    shown = re.findall(
        r"^\.venv/bin/handbill ([a-z ]+?)(?= [^a-z]|$| https| article| mastodon| ID)", README.read_text(), re.MULTILINE
    )
    assert shown
    for words in shown:
        found = command
        for word in words.split():
            commands = getattr(found, "commands", None)
            if commands is not None:
                assert word in commands, words
                found = commands[word]
