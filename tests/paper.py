"""A newspaper's web site on this machine: articles, feeds in every dialect, and whatever a test lets go wrong."""

from __future__ import annotations

import dataclasses
import email.utils
import html
import json
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.newsroom import runtime
from worker.model import Account

SENTENCES = (
    "The council of Larkhaven voted on Monday to mend the {0} before the winter storms arrive.",
    "Work on the {0} will cost 4.2 million euros and take until the end of March.",
    "Engineers found cracks in three of the seven pillars of the {0} during an inspection in June.",
    "Shopkeepers near the {0} fear that visitors will stay away while the road is closed.",
    "The mayor said that the {0} had been neglected for twenty years and could not wait.",
)
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0f01f00050001ff"
    "56c72f0d0000000049454e44ae426082"
)


def story(subject, *, title="", head="", lead=""):
    """The page of an article about ``subject``."""
    words = "".join(f"<p>{lead}{s.format(subject)}</p>" for s in SENTENCES)
    title = title or f"Larkhaven mends its {subject}"
    return (
        f'<!doctype html><html lang="en"><head><title>{title}</title><meta property="og:title" content="{title}">{head}'
        f"</head><body><article><h1>{title}</h1>{words}</article></body></html>"
    )


@dataclasses.dataclass
class Entry:
    """One article in a feed."""

    path: str
    title: str = ""
    guid: str = ""
    published: datetime | None = None
    tags: tuple[str, ...] = ()
    author: str = ""


def rfc(moment):
    return email.utils.format_datetime(moment)


def rss(base, entries, extra=""):
    rows = "".join(
        f"<item><title>{html.escape(e.title or e.path)}</title><link>{base}{html.escape(e.path)}</link>"
        + (f"<guid isPermaLink='false'>{html.escape(e.guid)}</guid>" if e.guid else "")
        + (f"<pubDate>{rfc(e.published)}</pubDate>" if e.published else "")
        + "".join(f"<category>{html.escape(t)}</category>" for t in e.tags)
        + (f"<dc:creator>{html.escape(e.author)}</dc:creator>" if e.author else "")
        + "</item>"
        for e in entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>The Lantern</title><link>{base}/</link>{extra}{rows}</channel></rss>"
    )


def atom(base, entries, extra=""):
    rows = "".join(
        f"<entry><title>{html.escape(e.title or e.path)}</title><link href='{base}{html.escape(e.path)}'/>"
        f"<id>{html.escape(e.guid or base + e.path)}</id>"
        + (f"<published>{e.published.isoformat()}</published>" if e.published else "")
        + "".join(f"<category term='{html.escape(t)}'/>" for t in e.tags)
        + "</entry>"
        for e in entries
    )
    return f"<feed xmlns='http://www.w3.org/2005/Atom'><title>The Lantern</title>{extra}{rows}</feed>"


def json_feed(base, entries):
    items = [
        {"id": e.guid or base + e.path, "url": base + e.path, "title": e.title or e.path, "tags": list(e.tags)}
        | ({"date_published": e.published.isoformat()} if e.published else {})
        for e in entries
    ]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "The Lantern", "items": items})


class Paper:
    """Answers by path: ``pages[path]`` is a text or (status, headers, bytes). ``asked`` are the requests, ``sent`` what was posted."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        self.sent = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                plain = self.path.partition("?")[0].rstrip("/")
                found = outer.pages.get(self.path) or outer.pages.get(plain) or (404, {}, b"no such page")
                if callable(found):
                    found = found(outer.asked[-1][1])
                status, headers, body = (200, {}, found.encode()) if isinstance(found, str) else found
                (self.send_response_only if "Date" in headers else self.send_response)(status)
                for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                    self.send_header(name, value)
                if status not in {304, 204}:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if status not in {304, 204}:
                    self.wfile.write(body)

            def do_POST(self):
                outer.sent.append(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
                self.do_GET()

            def log_message(self, *_):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.host = f"127.0.0.1:{self.httpd.server_port}"
        self.base = f"http://{self.host}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.pages["/picture.png"] = (200, {"Content-Type": "image/png"}, PICTURE)

    def write(self, path, subject, **options):
        """Publish an article and return its address."""
        self.pages[path] = story(subject, **options)
        return self.base + path

    def paths(self):
        """What was asked for, without robots.txt."""
        return [p for p, _ in self.asked if p != "/robots.txt"]

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()


class House:
    """Handbill on a Redis of the test's own, which reads the paper and has two accounts."""

    def __init__(self, server, folder, paper, **settings):
        self.parts = runtime(
            server, folder, allow_hosts=paper.host, host_gap_seconds=0, request_seconds=5, poll_threads=4, **settings
        )
        self.parts.store.client.flushdb()
        self.parts.store._waits_for_disk = False  # the server of tests writes once a second
        for name in ("one", "two"):
            self.parts.records.save_account(Account(id=f"main.{name}", platform="outbox", name=name))

    def work(self, rounds=10):
        """Let a content worker do everything that is due now; the items as they then stand."""
        for _ in range(rounds):
            ids, _ = self.parts.sources.take_items(wake=60)
            if not ids:
                break
            for item in ids:
                self.parts.reader.work(item)
        return self.items()

    def items(self):
        rows = self.parts.sources.latest("main", most=1000)
        return self.parts.sources.items(i for _, i in reversed(rows))

    def later(self, item):
        """Let the time come at which an item is looked at again."""
        self.parts.store.client.zadd("handbill:{main}:intake:due", {item: 1})

    def posts(self):
        """(article's address, account) of everything planned."""
        found = self.parts.deliveries.several(self.parts.deliveries.ids(most=100_000))
        return sorted((d.steps[0].post.link, d.account) for d in found)

    def close(self):
        self.parts.close()
