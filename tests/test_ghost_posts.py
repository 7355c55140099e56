"""The adapter of Ghost against a real Ghost: a draft, its publication, a repeat, a change, and nothing left behind."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from PIL import Image

import publishers
from publishers.core.errors import Unauthorized, Unavailable, Unsupported
from publishers.core.http import Http
from publishers.core.post import Commit, Facet, Media, Post
from tests.paper import PICTURE
from tests.servers.ghost import Ghost, missing

pytestmark = [pytest.mark.release, pytest.mark.skipif(bool(missing()), reason=missing() or "all is here")]

LINK = "https://example.org/harbour-opens?a=1&b=2"
TEXT = (
    'Harbour <b>\n\nShips *pass* <script>x</script> & [gallery] {{title}} @here „früh“ -- "q".\n'
    f"Second line {LINK} end\n\n- item\n\n#Harbour #Ship"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Ghost(tmp_path_factory.mktemp("ghost"), picture=PICTURE) as started:
        yield started


@pytest.fixture(scope="module")
def adapter(site):
    with Http(allow={"127.0.0.1"}) as http:
        yield publishers.load("ghost")({"server": site.url, "admin_key": site.key()}, http)


@pytest.fixture
def post(tmp_path):
    path = tmp_path / "card.png"
    Image.new("RGB", (1200, 630), "#10304f").save(path)
    content = path.read_bytes()
    told = {"path": str(path), "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    picture = Media(**told, mime="image/png", width=1200, height=630, alt="A card – „Höhe“")
    facets = [Facet(type="link", start=TEXT.index(LINK), end=TEXT.index(LINK) + len(LINK), value=LINK)]
    for tag in ("Harbour", "Ship"):
        start = TEXT.rindex(f"#{tag}")
        facets.append(Facet(type="tag", start=start, end=start + len(tag) + 1, value=tag))
    return Post(
        text=TEXT, title="Harbour <b>", link=LINK, description="Short words", media=(picture,), facets=tuple(facets)
    )


def test_a_post_is_published_once_and_is_what_was_sent(site, adapter, post):
    assert adapter.connect().name == "The Lantern"
    key = "ab" * 20
    prepared = adapter.draft(post, key, None)
    assert adapter.draft(post, key, None) == prepared  # what an earlier try left is taken up again
    commit = Commit(key=key, at=datetime.now(UTC), prepared=prepared)
    assert adapter.find(post, commit) == ()
    receipt = adapter.create(post, commit)
    assert adapter.create(post, commit) == receipt  # within the second in which it was changed Ghost takes it again
    assert adapter.find(post, commit) == (receipt,)
    assert receipt.url == f"{site.url}/harbour-opens/"
    seen = adapter.read_back(receipt, post)
    assert (seen.same, seen.pictures, seen.alts) == (True, 1, ("A card – „Höhe“",))
    (kept,) = site.admin("GET", f"posts/{receipt.id}/?formats=html&include=tags")["posts"]
    assert (kept["title"], kept["canonical_url"], kept["custom_excerpt"]) == ("Harbour <b>", LINK, "Short words")
    assert [t["name"] for t in kept["tags"]] == ["Harbour", "Ship"]
    assert "<script>" not in kept["html"]
    better = Post(text="Harbours\n\nOpen again.", title="Harbours", link=LINK)
    assert adapter.edit(receipt, better, commit) == receipt
    assert adapter.read_back(receipt, better).same
    assert adapter.metrics(receipt) == {"likes": 0, "clicks": 0}
    for _ in range(2):
        adapter.delete(receipt)
    assert adapter.read_back(receipt, post) is None
    with pytest.raises(Unsupported, match="deleted"):
        adapter.find(post, commit)
    with pytest.raises(Unavailable) as caught:
        adapter.create(post, commit)
    assert caught.value.stale


def test_a_key_that_ghost_does_not_know_says_so(site):
    with Http(allow={"127.0.0.1"}) as http, pytest.raises(Unauthorized, match="Unknown Admin API Key"):
        publishers.load("ghost")({"server": site.url, "admin_key": "0" * 24 + ":" + "0" * 64}, http).connect()
