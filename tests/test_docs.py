"""What the README says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

import publishers
from worker.changes import CANCEL, Action
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


def test_the_page_about_changes_names_all_that_can_be_done_as_commands_do():
    rows = re.findall(r"^\| (.*?) \|", (ROOT / "docs" / "changes.md").read_text(), re.MULTILINE)
    named = re.findall(r"`'?([a-z -]+)'?`", " ".join(rows[1:]))
    assert sorted(named) == sorted({*Action, CANCEL} - {Action.ASK})


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


GUIDES = ROOT / "publishers" / "docs"


@pytest.mark.parametrize("name", publishers.names())
def test_every_platform_has_a_guide_that_knows_its_settings_and_where_it_was_read(name):
    guide = (GUIDES / f"{name}.md").read_text()
    adapter = publishers.load(name)
    assert guide.startswith("# ")
    assert f"accounts add {name}" in guide
    assert not [f.name for f in adapter.fields if f.required and not f.default and f.name not in guide]
    assert re.search("^## (Pitfalls|Good to know|What to answer)", guide, re.MULTILINE)
    assert not adapter.networked or re.search("^Sources?: ", guide, re.MULTILINE)


@pytest.mark.parametrize("name", publishers.names())
def test_every_guide_names_each_scope_that_is_asked_for(name):
    oauth = getattr(publishers.load(name), "oauth", None)
    guide = (GUIDES / f"{name}.md").read_text()
    wanted = set(getattr(oauth, "scopes", ()))
    wanted |= {s for role in getattr(oauth, "roles", {}).values() for s in role.scopes}
    assert sorted(s for s in wanted if f"`{s}`" not in guide) == []


@pytest.mark.parametrize("name", [n for n in publishers.names() if publishers.load(n).oauth])
def test_every_guide_says_how_to_connect_by_consent_where_that_can_be_done(name):
    own, guide = publishers.load(name).oauth, (GUIDES / f"{name}.md").read_text()
    assert f"handbill accounts add {name} --consent" in guide
    if not own.register:
        kept = next(line for line in guide.splitlines() if f"handbill apps set {name} " in line)
        assert [f.name for f in own.app if f"--set {f.name}=" not in kept] == []


def test_there_is_no_guide_without_a_platform():
    assert sorted(p.stem for p in GUIDES.glob("*.md")) == sorted(publishers.names())


@pytest.mark.parametrize("name", publishers.names())
def test_every_command_in_a_guide_exists_and_sets_what_the_platform_has(name):
    kind = publishers.load(name)
    of_account = {f.name for f in kind.fields} | {"server"}
    of_app = {f.name for f in kind.oauth.app} if kind.oauth else set()
    for command in (GUIDES / f"{name}.md").read_text().replace("\\\n", " ").splitlines():
        known = of_app if "handbill apps set" in command else of_account
        assert set(re.findall(r"--set (\w+)=", command)) <= known, command
