"""The outbox: a folder that takes a post once, whole or not at all, and a page that shows it as its reader sees it."""

import dataclasses
import errno
import hashlib
import html
import json
import multiprocessing
import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from publishers import outbox
from publishers.core.errors import Unavailable, Unconfirmed, Unsupported
from publishers.core.http import Http
from publishers.core.post import Commit, Facet, Media, Post
from publishers.core.publisher import ProofClass

AT = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
TEXT = "The harbour opens again https://example.org/h?a=1&b=2 #Harbour"
POST = Post(
    text=TEXT,
    facets=(
        Facet(type="link", start=24, end=53, value="https://example.org/h?a=1&b=2"),
        Facet(type="tag", start=54, end=62, value="Harbour"),
    ),
    link="https://example.org/h?a=1&b=2",
    title="Open <again>",
    description="Two years later.",
)


def key(number):
    return f"{number:040x}"


@pytest.fixture
def http():
    with Http() as client:
        yield client


@pytest.fixture
def box(tmp_path, http):
    return outbox.Outbox({"folder": str(tmp_path / "box")}, http)


@pytest.fixture
def picture(tmp_path):
    (tmp_path / "card.png").write_bytes(b"not really a picture")
    digest = hashlib.sha256(b"not really a picture").hexdigest()
    path = str(tmp_path / "card.png")
    return Media(path=path, sha256=digest, mime="image/png", width=1200, height=630, size=20, alt='A "blue" card')


def send(box, post, number, *, at=AT, **commit):
    return box.create(post, Commit(key=key(number), at=at, prepared=box.prepare(post, key(number)), **commit))


def page(box):
    return (Path(box.settings["folder"]) / "index.html").read_text()


def kept(box):
    return sorted(p.name for p in Path(box.settings["folder"]).iterdir() if not p.name.startswith("."))


def test_connect_makes_the_folder_and_an_empty_page(box, tmp_path):
    profile = box.connect()
    assert profile.name == "box"
    assert profile.url == (tmp_path / "box" / "index.html").as_uri()
    assert "No posts yet." in page(box)
    assert kept(box) == ["index.html"]


def test_connect_says_when_the_folder_cannot_be_written(tmp_path, http):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be written"):
        outbox.Outbox({"folder": str(tmp_path / "file" / "box")}, http).connect()


def test_a_post_is_one_json_file_its_pictures_and_the_page(box, picture, tmp_path):
    receipt = send(box, dataclasses.replace(POST, media=(picture,)), 1)
    assert kept(box) == [f"{key(1)}-1.png", f"{key(1)}.json", "index.html"]
    assert receipt.id == key(1)
    assert receipt.url == (tmp_path / "box" / "index.html").as_uri() + f"#p-{key(1)}"
    record = json.loads((tmp_path / "box" / f"{key(1)}.json").read_text())
    assert (record["text"], record["at"], record["reply_to"]) == (TEXT, AT.isoformat(), None)
    assert record["media"] == [{"file": f"{key(1)}-1.png", "alt": 'A "blue" card', "width": 1200, "height": 630}]
    assert (tmp_path / "box" / f"{key(1)}-1.png").read_bytes() == picture.read()


def test_the_same_key_again_is_the_same_receipt_and_one_post(box):
    first = send(box, POST, 1)
    again = send(box, dataclasses.replace(POST, text="Something else", facets=()), 1, at=AT + timedelta(days=400))
    assert first == again
    assert outbox.Outbox.proof.kind is ProofClass.A
    assert outbox.Outbox.proof.window is None
    assert len(kept(box)) == 2
    assert "Something else" not in page(box)


def test_a_look_up_knows_what_is_there(box):
    box.connect()
    commit = Commit(key=key(1), at=AT)
    assert box.find(POST, commit) == ()
    receipt = send(box, POST, 1)
    assert box.find(POST, commit) == (receipt,)


def test_a_look_up_in_a_folder_that_is_gone_proves_nothing(box):
    with pytest.raises(Unavailable):
        box.find(POST, Commit(key=key(1), at=AT))


def test_the_page_shows_the_post_as_its_reader_sees_it(box, picture):
    send(box, dataclasses.replace(POST, media=(picture,), language="en"), 1)
    shown = page(box)
    assert '<a href="https://example.org/h?a=1&amp;b=2"' in shown
    assert '<span class="hash">#Harbour</span>' in shown
    assert f'<img src="{key(1)}-1.png" alt="A &#34;blue&#34; card" width="1200" height="630"' in shown
    assert "<span>A &#34;blue&#34; card</span>" in shown
    assert '<time datetime="2026-11-24T10:15:00+00:00">24 November 2026, 10:15 UTC</time>' in shown
    assert "<span>example.org</span>" in shown
    assert "Open &lt;again&gt;" in shown
    text = re.search(r'<p class="text" dir="auto">(.*?)</p>', shown, re.DOTALL)[1]
    assert html.unescape(re.sub("<[^>]+>", "", text)) == TEXT


def test_nothing_in_a_post_becomes_markup_or_a_script(box):
    evil = "<script>alert(1)</script> go"
    facet = Facet(type="link", start=26, end=28, value="javascript:alert(1)")
    hostile = Post(text=evil, facets=(facet,), link="javascript:alert(2)", title="<i>", warning="<b>")
    send(box, hostile, 1)
    assert "<script" not in page(box)
    assert "javascript:" not in page(box)
    assert "<summary>&lt;b&gt;</summary>" in page(box)


def test_a_thread_is_shown_as_one_in_its_order_and_the_newest_thread_first(box):
    old = send(box, Post(text="old first"), 1)
    send(box, Post(text="new first"), 2, at=AT + timedelta(hours=1))
    second = send(box, Post(text="old second"), 3, at=AT + timedelta(hours=2), reply_to=old, root=old)
    send(box, Post(text="old third"), 4, at=AT + timedelta(hours=2), reply_to=second, root=old)
    said = re.findall(r"(?:new|old) (?:first|second|third)", page(box))
    assert said == ["new first", "old first", "old second", "old third"]
    assert page(box).count('<li class="thread">') == 2
    assert re.findall(r"reply \d", page(box)) == ["reply 1", "reply 2"]


def test_an_edit_changes_words_and_picture_and_says_so(box, picture):
    receipt = send(box, dataclasses.replace(POST, media=(picture,)), 1)
    better = Post(text="Better words", media=(picture,))
    commit = Commit(key=key(2), at=AT + timedelta(minutes=5), prepared=box.prepare(better, key(2)))
    for _ in range(2):
        assert box.edit(receipt, better, commit) == receipt
    assert kept(box) == [f"{key(1)}.json", f"{key(2)}-1.png", "index.html"]
    assert "Better words" in page(box)
    assert "The harbour" not in page(box)
    assert "edited" in re.sub("<style>.*</style>", "", page(box), flags=re.DOTALL)
    box.edit(receipt, Post(text="Best words"), Commit(key=key(3), at=AT + timedelta(minutes=9)))
    assert "Best words" in page(box)
    assert kept(box) == [f"{key(1)}.json", f"{key(2)}-1.png", "index.html"]


def test_a_deleted_post_leaves_nothing_and_may_be_deleted_again(box, picture):
    receipt = send(box, dataclasses.replace(POST, media=(picture,)), 1)
    send(box, Post(text="stays"), 2)
    box.delete(receipt)
    box.delete(receipt)
    assert kept(box) == [f"{key(2)}.json", "index.html"]
    assert box.find(POST, Commit(key=key(1), at=AT)) == ()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_what_the_disk_refuses_before_the_rename_is_certainly_not_public(box, monkeypatch, code):
    box.connect()

    def refuse(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(outbox.os, "fsync", refuse)
    with pytest.raises(Unavailable, match=os.strerror(code)):
        send(box, POST, 1)
    monkeypatch.undo()
    assert kept(box) == ["index.html"]
    assert not list(Path(box.settings["folder"]).glob(".*.part"))
    assert box.find(POST, Commit(key=key(1), at=AT)) == ()


def test_a_page_that_cannot_be_written_leaves_the_post_unconfirmed_and_the_same_key_settles_it(box, monkeypatch):
    box.connect()

    def refuse(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outbox, "_sync", refuse)
    with pytest.raises(Unconfirmed, match="No space left"):
        send(box, POST, 1)
    monkeypatch.undo()
    assert "The harbour" not in page(box)
    assert send(box, POST, 1).id == key(1)
    assert "The harbour" in page(box)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 40, "0" * 39 + "/"])
def test_a_key_that_could_be_a_path_is_refused(box, name):
    with pytest.raises(Unsupported):
        box.create(POST, Commit(key=name, at=AT))


def test_threads_that_write_at_once_never_spoil_the_page(box):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: send(box, Post(text=f"post {n % 20}."), n % 20), range(40)))
    assert len(kept(box)) == 21
    assert len(re.findall(r"post \d+\.", page(box))) == 20
    assert page(box).endswith("</html>\n") or page(box).endswith("</html>")


def _write_some(folder, start):
    with Http() as client:
        own = outbox.Outbox({"folder": folder}, client)
        for number in range(start, start + 5):
            send(own, Post(text=f"post {number}."), number)


def test_processes_that_write_at_once_never_spoil_the_page(box, tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_some, args=(str(tmp_path / "box"), n)) for n in (0, 5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert {int(n) for n in re.findall(r"post (\d+)\.", page(box))} == set(range(10))


def test_the_page_shows_the_newest_and_counts_them_all(box, monkeypatch):
    monkeypatch.setattr(outbox, "SHOWN", 3)
    for number in range(5):
        send(box, Post(text=f"post {number}."), number, at=AT + timedelta(minutes=number))
        stamp = 1_000_000_000 + number
        os.utime(Path(box.settings["folder"]) / f"{key(number)}.json", (stamp, stamp))
    box.connect()
    assert re.findall(r"post \d\.", page(box)) == ["post 4.", "post 3.", "post 2."]
    assert "5 posts in this outbox, the newest 3 shown" in page(box)
