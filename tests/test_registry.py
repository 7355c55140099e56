"""The registry of platforms: the folder's own, and those of packages that somebody adds."""

from __future__ import annotations

import pytest

import publishers
from worker.reference import platform_table


@pytest.fixture
def registry(monkeypatch):
    """The registry as it is, and as it was again afterwards."""
    monkeypatch.setattr(publishers, "_packages", list(publishers._packages))
    yield publishers
    monkeypatch.undo()
    publishers.forget()


def test_the_modules_of_a_package_that_is_registered_are_platforms_too(registry):
    own = registry.names()
    registry.register("bench.platforms")
    registry.register("bench.platforms")

    assert set(registry.names()) == {*own, "keyed", "drafted", "looked_up", "blind"}
    assert registry.load("keyed").label == "Keyed"


@pytest.mark.parametrize("package", ["no.such.package", "publishers.core.no"])
def test_a_package_that_is_not_there_is_refused_and_changes_nothing(registry, package):
    own = registry.names()

    with pytest.raises(ImportError):
        registry.register(package)
    assert registry.names() == own


def test_two_platforms_of_one_name_are_refused(registry, tmp_path, monkeypatch):
    (tmp_path / "impostor").mkdir()
    (tmp_path / "impostor" / "__init__.py").write_text("")
    (tmp_path / "impostor" / "telegram.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValueError, match="both have a platform 'telegram'"):
        registry.register("impostor")


@pytest.mark.parametrize("name", publishers.names())
def test_what_only_some_accounts_can_is_something_that_the_adapter_can(name):
    adapter = publishers.load(name)
    assert all(adapter.can(method) and who for method, who in adapter.partly.items())


def test_the_table_says_that_no_members_posts_are_read_on_linkedin():
    (row,) = (line for line in platform_table().splitlines() if "[LinkedIn]" in line)
    cells = [cell.strip() for cell in row.split("|")]
    names = [cell.strip() for cell in platform_table().partition("\n")[0].split("|")]
    said = dict(zip(names, cells, strict=True))
    assert [said[n] for n in ("look-up", "read back", "edit", "delete", "numbers")] == [
        "organisations", "organisations", "yes", "yes", "organisations",
    ]  # fmt: skip


@pytest.mark.parametrize("name", publishers.names())
def test_no_account_is_tied_to_the_api_version_of_the_day_on_which_it_was_connected(name):
    assert not any(f.default for f in publishers.load(name).fields if f.name == "version")
