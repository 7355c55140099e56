"""Thousands of broken and malicious feeds, pages and calls, each read as a stranger's would be, in a process that counts.

``python -m tests.hostile KIND EXAMPLES SEED`` prints JSON: how many there were, what became of them, how long the
slowest took and how much memory was ever used. Anything but a clear fate ends it with the example that did it.
"""

from __future__ import annotations

import base64
import collections
import faulthandler
import json
import sys
import time
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from tests import paper
from tests.test_webhooks import MS, NOW, PUBLISHED, SECRET, S, sign
from worker.content.article import extract
from worker.errors import BadSource
from worker.intake import feeds, gate, pings, websub
from worker.intake.client import Answer
from worker.intake.pings import BadPing
from worker.intake.webhooks import SCHEMES, Sent, Unreadable, Unverified, receive

SECONDS = 10.0
BASE = "https://lantern.example"
ENTRIES = [
    paper.Entry(f"/{n}", f"Article {n} & <more>", f"guid-{n}", NOW, ("Harbour", "Storms"), "Mia Berg") for n in range(5)
]
ATOMS = (  # what a mutation puts in somewhere
    b"<item>", b"</item>", b"<entry>", b"</channel>", b"<link>", b"<link href='", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?", b"?>",
    b"&", b"&#xD800;", b"&#0;", b"&#99999999999;", b"&nbsp;", b"&lol9;", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    "\u202e".encode(), "\u200b".encode(), "😀".encode(), b"<a " + b"x" * 5_000, b"'" * 300, b'"' * 300, b"<" * 2_000, b">" * 2_000,
    b"javascript:alert(1)", b"file:///etc/passwd", b"http://127.0.0.1/", b"//", b"http://[::1", b"https://a:b@c/", b"http://x/" + b"a" * 9_000,
    b"Wed, 99 Foo 99999 99:99:99 +9999", b"0000-00-00T00:00:00Z", b"9999-12-31T23:59:60Z", b"-1", b"1e999", b"NaN", b"1" * 400,
    b'{"a":' * 500, b"[" * 3_000, b"null", b"true", b'""', b"\\u0000", b"\\ud800", b"<script>", b"<style>", b"<svg onload=x>", b"<plaintext>",
    b"<base href='http://evil.example/'>", b"<meta charset=utf-7>", b"<meta http-equiv=refresh content='0;url=//evil'>", b"<table>" * 400,
    b"<div>" * 2_000, b"<b><i>" * 1_000, b"<frameset>", b"<title>", b"<svg><title>", b"<math><mtext><table><mglyph><style>",
)  # fmt: skip
DOCTYPES = (
    b'<!DOCTYPE x [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;"><!ENTITY lol9 "&lol2;&lol2;&lol2;&lol2;">]>',
    b'<!DOCTYPE x [<!ENTITY lol9 SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]>',
    b'<!DOCTYPE x PUBLIC "-//x" "http://127.0.0.1/x.dtd">',
    b"<!DOCTYPE x [<!ENTITY lol9 '" + b"A" * 50_000 + b"'>]>",
)
CODINGS = (
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "latin-1",
    "cp1252",
    "utf-7",
    "shift_jis",
    "euc_kr",
    "cp037",
    "koi8_r",
)
LARGEST = 900_000

SEEDS = {
    "feeds": [
        paper.rss(BASE, ENTRIES).encode(),
        paper.atom(BASE, ENTRIES).encode(),
        json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "The Lantern", "items": [
            {"id": str(n), "url": f"{BASE}/{n}", "title": "T", "content_html": "<p>x", "date_published": "2026-11-25T09:00:00Z", "tags": ["a"]} for n in range(5)
        ]}).encode(),
        (b'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">\n'
        b"<url><loc>https://lantern.example/1</loc><news:news><news:title>T</news:title><news:publication_date>2026-11-25</news:publication_date></news:news></url></urlset>"),
        (b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel><title>T</title></channel>'
        b"<item><title>A</title><link>https://lantern.example/1</link></item></rdf:RDF>"),
        b"<html><head><link rel='alternate' type='application/rss+xml' href='/feed'></head><body>No feed.</body></html>",
    ],
    "pages": [
        paper.story("harbour wall").encode(),
        paper.story("bridge", head='<link rel="canonical" href="/bridge"><meta property="og:image" content="/p.jpg"><meta name="robots" content="index">').encode(),
        b"# A title\n\nA paragraph of **Markdown** that says something about the bridge and its pillars in Larkhaven.\n",
        b"A plain text that says something about the bridge.\n\nAnd another paragraph of it, which is a bit longer than that.\n",
    ],
    "calls": [s.body for s in PUBLISHED.values()] + [
        b"hook=publish_post&ID=7&post_url=https%3A%2F%2Flantern.example%2F",
        (b"<?xml version='1.0'?><methodCall><methodName>weblogUpdates.ping</methodName><params><param><value>L</value></param>"
        b"<param><value>https://lantern.example/</value></param></params></methodCall>"),
        paper.rss(BASE, ENTRIES, extra="<cloud domain='c.example' port='80' path='/n' protocol='http-post'/><atom:link rel='hub' href='https://h.example/'/>").encode(),
    ],
}  # fmt: skip


def coded(data, size):
    """``data`` in another encoding, which it may or may not say."""
    coding = CODINGS[size % len(CODINGS)]
    text = data.decode("utf-8", "replace")
    said = f'<?xml version="1.0" encoding="{coding}"?>'.encode() if size % 2 else b""
    return said + text.encode(coding, "replace")


def flipped(data, at, size):
    """A few bits of ``data`` turned."""
    end = at + 1 + size % 9
    return data[:at] + bytes(b ^ (1 + size % 255) for b in data[at:end]) + data[end:]


MUTATIONS = (  # each takes the bytes, a place in them, a size, and an atom
    lambda d, at, *_: d[:at],
    lambda d, at, _, atom: d[:at] + atom + d[at:],
    lambda d, at, size, atom: d[:at] + atom + d[at + size :],
    lambda d, at, size, _: d[:at] + d[at : at + size] * min(size, 200) + d[at + size :],
    lambda d, at, size, _: flipped(d, at, size),
    lambda d, _, size, __: DOCTYPES[size % len(DOCTYPES)] + d.replace(b"T</title>", b"&lol9;</title>"),
    lambda d, _, size, __: coded(d, size),
    lambda d, _, size, atom: d.replace(b"https://", atom[:200]) if size % 2 else d.replace(b"<", b"<" + atom[:20]),
    lambda d, at, size, atom: d[:at] + atom * min(size, 1 + 200_000 // len(atom)) + d[at:],
    lambda d, at, size, _: d[:at] + d[::-1][:size] + d[at:],
)


def mutated(data, kind, where, size, atom):
    """``data`` with one thing done to it; numbers are taken as they fit."""
    return MUTATIONS[kind](data, where % (len(data) + 1), 1 + size % 400, atom)


@st.composite
def hostile(draw, kind):
    """Bytes that began as something right, or never were."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=2_000))
    data = draw(st.sampled_from(SEEDS[kind]))
    steps = st.tuples(
        st.integers(0, len(MUTATIONS) - 1), st.integers(0, 10**6), st.integers(0, 10**4), st.sampled_from(ATOMS)
    )
    for step in draw(st.lists(steps, max_size=8)):
        data = mutated(data, *step)[:LARGEST]
    return data


TYPES = (
    "text/html",
    "text/html; charset=utf-8",
    "application/xhtml+xml; charset=nonsense",
    "text/plain",
    "text/markdown",
    "",
)


def feed(body, choice):
    """What becomes of a feed: read, or no feed."""
    try:
        found = feeds.read(body, f"{BASE}/feed", CODINGS[choice % len(CODINGS)] if choice % 3 == 0 else "")
    except BadSource as error:
        one_line(error)
        return "no feed"
    assert len(found.entries) <= feeds.MOST_ENTRIES
    for entry in found.entries:
        assert entry.address.startswith(("http://", "https://")), entry
        assert entry.published is None or entry.published.tzinfo is not None
    push = websub.discover("", body, f"{BASE}/feed")
    assert all(u == "" or u.startswith(("http://", "https://")) for u in (push.hub, push.topic, push.cloud))
    return f"read as {found.dialect}"


def page(body, choice):
    """What becomes of a page: an article, held by the gate, or no article."""
    headers = {"content-type": TYPES[choice % len(TYPES)]}

    def ask(url, **_):
        return Answer(
            url,
            200,
            headers if "/p.jpg" not in url else {"content-type": "image/jpeg"},
            body if "/p.jpg" not in url else b"\xff\xd8\xff",
        )

    try:
        passed = gate.look(ask, f"{BASE}/harbour", seconds=5, max_bytes=10_000_000)
        article = extract(passed.page)
    except gate.NotYet as error:
        one_line(error)
        return "held"
    except BadSource as error:
        one_line(error)
        return "no article"
    assert article.title or article.text
    return "article"


def call(body, choice):
    """What becomes of a call to a public address, rightly signed by whoever sends such things, or not at all."""
    kinds = [*SCHEMES, "ping", "hub", "nobody"]
    scheme = kinds[choice % len(kinds)]
    if scheme == "ping":
        try:
            pings.read(body)
        except BadPing as error:
            pings.fault(error)
            return "no ping"
        return "ping"
    if scheme == "hub":
        right = f"sha256={sign(body).hex()}"
        assert websub.signed(right, body, SECRET)
        assert not websub.signed(right, body + b"x", SECRET)
        websub.registered(body)
        return "hub"
    if scheme == "nobody":
        for name in SCHEMES:
            try:
                receive(name, Sent({h: body[:200].decode("latin-1") for h in HEADERS}, body), [SECRET], now=NOW)
            except Unverified:
                continue
            raise AssertionError(f"{name} believed nobody")
        return "not believed"
    try:
        event = receive(scheme, signed(scheme, body, choice), [SECRET], now=NOW)
    except Unreadable as error:
        one_line(error)
        return "unreadable"
    assert event.key
    assert event.url == "" or event.url.startswith(("http://", "https://"))
    return str(event.kind)


HEADERS = (
    "authorization", "x-ghost-signature", "webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256", "x-signature",
    "x-contentful-signature", "x-contentful-signed-headers", "x-contentful-timestamp", "sanity-webhook-signature", "x-wp-webhook-signature",
)  # fmt: skip


def signed(scheme, body, choice):
    """``body`` as its sender would sign it."""
    form = {"content-type": "application/x-www-form-urlencoded"} if choice % 2 else {"content-type": "application/json"}
    match scheme:
        case "ghost":
            headers = {"x-ghost-signature": f"sha256={sign(body + MS.encode()).hex()}, t={MS}"}
        case "standard":
            signature = base64.b64encode(sign(f"m.{S}.".encode() + body)).decode()
            headers = {"webhook-id": "m", "webhook-timestamp": S, "webhook-signature": f"v1,{signature}"}
        case "github":
            headers = {"x-hub-signature-256": "sha256=" + sign(body).hex(), "x-github-event": "push"}
        case "contentful":
            line = f"POST\n/\nx-contentful-timestamp:{MS}\n".encode()
            headers = {"x-contentful-signature": sign(line + body).hex(), "x-contentful-timestamp": MS}
            headers |= {"x-contentful-signed-headers": "x-contentful-timestamp", "x-contentful-topic": "a.b.publish"}
        case "sanity":
            signature = base64.urlsafe_b64encode(sign(f"{MS}.".encode() + body)).decode().rstrip("=")
            headers = {"sanity-webhook-signature": f"t={MS},v1={signature}", "sanity-operation": "create"}
        case _:
            headers = {"authorization": f"Bearer {SECRET}"}
    return Sent({**headers, **form}, body)


def one_line(error):
    """Fail unless an error says something, on one printable line."""
    text = str(error)
    assert text.isprintable(), text
    assert 0 < len(text) < 1_000, text


WORK = {"feeds": feed, "pages": page, "calls": call}


def peak_mb():
    """The most memory that this process has had; ``ru_maxrss`` would tell that of whoever started it (getrusage(2))."""
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


def main(kind, examples, seed):
    """Read so many hostile examples and print what became of them."""
    fates, slowest, count = collections.Counter(), 0.0, 0
    work = WORK[kind]

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples, deadline=None, database=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck), print_blob=False, report_multiple_bugs=False,
    )  # fmt: skip
    @hypothesis.given(hostile(kind), st.integers(0, 1_000))
    def one(body, choice):
        nonlocal slowest, count
        # Whatever never ends is shown where it hangs, and ends.
        faulthandler.dump_traceback_later(12 * SECONDS, exit=True)
        began = time.process_time()  # not the clock: the machine may be busy with others
        fates[work(body, choice)] += 1
        spent = time.process_time() - began
        faulthandler.cancel_dump_traceback_later()
        assert spent < SECONDS, f"{spent:.1f} s for {len(body)} bytes"
        slowest, count = max(slowest, spent), count + 1

    one()
    peak = peak_mb()
    found = {"examples": count, "fates": fates, "slowest": round(slowest, 3), "peak_mb": round(peak)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
