"""Reading sources: pages of a server on this machine, files and standard input, and every way each can fail."""

import gzip
import io
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from worker.errors import BadSource
from worker.intake import client, fetch
from worker.intake.fetch import fetch_bytes, read_source

PAGE = "<!doctype html><title>Straße</title><p>Ein Satz über Bären.</p>"


class Server:
    """A web server whose paths answer what a test says: status, headers, body (bytes, or chunks with a pause)."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                status, headers, body = outer.answers.get(self.path, (404, {}, b"no such page"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for chunk in [body] if isinstance(body, bytes) else body:
                        self.wfile.write(chunk)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.host = f"127.0.0.1:{self.httpd.server_port}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def url(self, path):
        return f"http://{self.host}{path}"

    def page(self, path, body, kind="text/html; charset=utf-8", status=200, **headers):
        self.answers[path] = (
            status,
            {"Content-Type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}},
            body,
        )
        return self.url(path)

    def read(self, path, **options):
        return read_source(self.url(path), allow_hosts=[self.host], **options)

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def refused(source, **options):
    with pytest.raises(BadSource) as caught:
        read_source(source, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_page_is_read_as_a_browser_would_and_asked_for_uncompressed(server):
    server.page("/a", PAGE.encode())
    page = server.read("/a")
    assert (page.url, page.kind, page.base) == (server.url("/a"), "html", server.url("/a"))
    assert page.content == PAGE
    sent = server.asked[0][1]
    assert sent["Accept-Encoding"] == "identity"
    assert sent["User-Agent"].startswith("Handbill/")
    assert "Cookie" not in sent


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (PAGE.encode("cp1252"), "text/html; charset=ISO-8859-1"),
        (PAGE.encode("cp1252"), 'text/html; charset="windows-1252"'),
        (PAGE.replace("<title>", "<meta charset=iso-8859-1><title>").encode("cp1252"), "text/html"),
        (PAGE.encode("utf-8-sig"), "text/html; charset=iso-8859-1"),
        (PAGE.encode("utf-16"), "text/html"),
        (PAGE.encode("utf-16-le"), "text/html; charset=utf-16le"),
        (PAGE.encode(), "text/html; charset=iso-8859-1"),
        (PAGE.encode(), "text/html; charset=no-such-charset"),
        (PAGE.encode("cp1252"), "text/html; charset=utf-8"),
    ],
)
def test_text_is_decoded_whatever_the_server_says_of_it(server, body, kind):
    server.page("/a", body, kind)
    assert "Straße" in server.read("/a").content
    assert "über Bären" in server.read("/a").content


def test_a_latin_page_that_says_it_is_utf_8_keeps_its_accents(server):
    body = "<html><body><p>La bibliothèque est fermée.</p></body></html>".encode("latin-1")
    server.page("/a", body, "text/html; charset=utf-8")
    assert "La bibliothèque est fermée." in server.read("/a").content


def test_a_reason_ends_in_one_full_stop(server, monkeypatch):
    def refuse(*_, **__):
        raise OSError("Connection refused.")

    monkeypatch.setattr(client.GuardedBackend, "connect_tcp", refuse)
    assert refused(server.url("/a")).endswith("cannot be read: Connection refused. Check the URL")


def test_japanese_in_shift_jis_is_read_by_its_declaration(server):
    server.page("/a", "<p>和紙の工房</p>".encode("shift_jis"), "text/html; charset=Shift_JIS")
    assert "和紙の工房" in server.read("/a").content


def test_five_redirects_are_followed_and_a_sixth_is_not(server):
    for n in range(1, 7):
        server.page(f"/{n}", b"", status=302, Location=f"/{n - 1}")
    server.page("/0", PAGE.encode())
    assert server.read("/5").url == server.url("/0")
    assert "redirects more than 5 times" in refused(server.url("/6"), allow_hosts=[server.host])


def test_a_redirect_to_a_private_address_is_not_followed(server):
    for target in ("http://127.0.0.1/secret", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/"):
        server.page("/a", b"", status=301, Location=target)
        assert "private address" in refused(server.url("/a"), allow_hosts=[server.host])


def test_a_redirect_to_a_file_or_to_nowhere_is_refused(server):
    server.page("/file", b"", status=302, Location="file:///etc/passwd")
    assert "only http and https" in refused(server.url("/file"), allow_hosts=[server.host])
    server.page("/none", b"", status=302)
    assert "answered 302" in refused(server.url("/none"), allow_hosts=[server.host])


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "there is no such page"),
        (410, "taken away"),
        (403, "refuses"),
        (401, "password"),
        (500, "has an error"),
        (503, "later"),
    ],
)
def test_a_refusal_is_said_in_one_line(server, status, words):
    server.page("/a", b"x", status=status)
    line = refused(server.url("/a?token=abc"), allow_hosts=[server.host])
    assert "404" in line
    line = refused(server.url("/a"), allow_hosts=[server.host])
    assert str(status) in line
    assert words in line


def test_an_address_is_shown_without_its_query_and_a_password_is_refused(server):
    assert "token" not in refused(server.url("/a?token=abc"), allow_hosts=[server.host])
    line = refused("https://ada:secret@news.example/a")
    assert "secret" not in line
    assert "holds a password" in line


@pytest.mark.parametrize(
    ("coding", "packed"), [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_file_that_was_stored_compressed_is_read_although_nobody_asked_for_it_so(server, coding, packed):
    whole = PAGE + "<p>x</p>" * 100_000
    server.page("/a", packed(whole.encode()), Content_Encoding=coding)
    assert server.read("/a").content == whole
    assert server.asked[-1][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(bytes(2_000_000)), "more than 1 MB"),
        (gzip.compress(PAGE.encode())[:-9], "cut off"),
        (gzip.compress(PAGE.encode()) + b"more", "something follows"),
        (b"\x1f\x8b" + b"x" * 50, "damaged"),
        (PAGE.encode(), "damaged"),
        (b"", "cut off"),
    ],
    # Each name is given: what gzip makes, and so a name made of it, differs from second to second.
    ids=["too large", "cut off", "more follows", "not packed", "plain", "empty"],
)
def test_a_compressed_answer_that_is_too_large_or_broken_is_refused(server, body, words):
    server.page("/a", body, Content_Encoding="gzip")
    assert words in refused(server.url("/a"), allow_hosts=[server.host], max_bytes=1_000_000)


def test_twenty_megabytes_are_refused_by_their_length_and_without_one(server):
    server.page("/said", b"", Content_Length=str(20_000_000))
    assert "more than 10 MB" in refused(server.url("/said"), allow_hosts=[server.host])
    server.page("/unsaid", (b"x" * 100_000 for _ in range(200)))
    assert "more than 1 MB" in refused(server.url("/unsaid"), allow_hosts=[server.host], max_bytes=1_000_000)


def test_a_server_that_drips_is_left_at_the_deadline(server):
    def drip():
        for _ in range(400):
            time.sleep(0.05)
            yield b"<p>"

    server.page("/a", drip())
    begin = time.monotonic()
    assert "took too long" in refused(server.url("/a"), allow_hosts=[server.host], seconds=0.4)
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"%PDF-1.7 ...", "application/pdf", "application/pdf"),
        (b"%PDF-1.7 ...", "text/html", "is a PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0", "text/html", "is a picture"),
        (b"PK\x03\x04....", "text/html", "ZIP"),
        (b"<p>a\0b</p>", "text/html", "binary"),
        (b"", "text/html", "is empty"),
        (b" \n ", "text/html", "is empty"),
        (b"<rss></rss>", "application/rss+xml", "application/rss+xml"),
    ],
)
def test_what_is_no_text_is_named(server, body, kind, words):
    server.page("/a", body, kind)
    assert words in refused(server.url("/a"), allow_hosts=[server.host])


def test_a_markdown_page_is_markdown_by_its_type_or_its_name(server):
    server.page("/a", b"# Title", "text/markdown")
    server.page("/b.md", b"# Title", "text/plain")
    server.page("/c", b"Title", "text/plain")
    assert [server.read(p).kind for p in ("/a", "/b.md", "/c")] == ["markdown", "markdown", "text"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("http://127.0.0.1/", "private address"),
        ("https://[::1]/", "private address"),
        ("http://2130706433/", "private address"),
        ("http://0x7f.1/", "private address"),
        ("https://localhost/", "private address"),
        ("http://192.0.2.1:8080/", "port 8080"),
        ("https://nowhere.invalid/", "does not resolve"),
        ("ftp://news.example/a", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("javascript:alert(1)", "only http and https"),
        ("http://", "cannot be read"),
        ("http://[", "is no address"),
        ("https://a b/", "cannot be read"),
    ],
)
def test_an_address_that_must_not_or_cannot_be_read(source, words):
    assert words in refused(source, seconds=3)


def test_an_http_address_is_asked_by_https_first(monkeypatch):
    asked = []

    def get(_, url, *__):
        asked.append(url)
        raise BadSource("no")

    monkeypatch.setattr(fetch, "_get", get)
    refused("http://news.example/a?b=1")
    assert asked == ["https://news.example/a?b=1", "http://news.example/a?b=1"]
    asked.clear()
    refused("http://news.example:8000/a")
    refused("http://intranet/a", allow_hosts=["intranet"])
    assert asked == ["http://news.example:8000/a", "http://intranet/a"]


def test_files_are_read_by_their_suffix(tmp_path):
    for name, kind in (("a.html", "html"), ("b.HTM", "html"), ("c.md", "markdown"), ("d.txt", "text")):
        path = tmp_path / name
        path.write_bytes("Grüße\r\nzwei".encode())
        page = read_source(str(path))
        assert (page.url, page.kind, page.base) == (path.as_uri(), kind, str(tmp_path))
        assert page.content == "Grüße\nzwei"


def test_what_is_wrong_with_a_file_is_said(tmp_path, monkeypatch):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "photo.html").write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "notes.doc").write_text("text")
    (tmp_path / "large.txt").write_text("x" * 2000)
    monkeypatch.chdir(tmp_path)
    assert "is empty" in refused("empty.txt")
    assert "is a picture" in refused("picture.png")
    assert "is a picture" in refused("photo.html")
    assert "unknown kind" in refused("notes.doc")
    assert "too large" in refused("large.txt", max_bytes=1000)
    assert "is a folder" in refused(str(tmp_path))
    assert "no such file" in refused("missing.txt")
    assert "Did you mean https://news.example/story?" in refused("news.example/story")
    assert "not there" in refused("a\0b.txt")


def test_a_source_from_a_stranger_is_never_a_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("secret")
    assert "only http and https" in refused(str(path), local=False)
    assert "only http and https" in refused("-", local=False)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!DOCTYPE html><p>x", "html"),
        ("\ufeff <html>", "html"),
        ("# Title\n\ntext", "markdown"),
        ("---\ntitle: x\n---\ntext", "markdown"),
        ("text with a [link](https://a.example)", "markdown"),
        ("Title\n=====\n", "markdown"),
        ("Just words.\n\nMore.", "text"),
    ],
)
def test_standard_input_is_recognised(text, kind):
    page = read_source("-", stdin=io.BytesIO(text.encode()))
    assert page.kind == kind
    assert page.url.startswith("stdin:")
    assert page == read_source("-", stdin=io.BytesIO(text.encode()))


def test_a_picture_is_fetched_as_bytes(server):
    server.page("/p", b"\xff\xd8\xff\xe0", "image/jpeg")
    assert fetch_bytes(server.url("/p"), allow_hosts=[server.host]) == b"\xff\xd8\xff\xe0"
    with pytest.raises(BadSource, match="404"):
        fetch_bytes(server.url("/none"), allow_hosts=[server.host])


def test_who_asks_says_where_to_complain(server):
    server.page("/a", PAGE.encode())
    server.read("/a", contact="press@lantern.example")
    fetch_bytes(server.url("/a"), allow_hosts=[server.host], contact="press@lantern.example")
    for _, headers in server.asked[-2:]:
        assert headers["User-Agent"].endswith("(+https://github.com/handbill/handbill; press@lantern.example)")


def test_a_charset_of_strange_bytes_is_none(server):
    server.page("/a", b"<meta charset=\xed\xff><p>caf\xe9 cr\xe8me br\xfbl\xe9e", "text/html")
    assert "café" in server.read("/a").content
