"""Mail by SMTP against a real server on loopback: what it is handed, once, and what every answer of it means."""

from __future__ import annotations

import contextlib
import email
import hashlib
import re
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email import policy
from html.parser import HTMLParser

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import publishers
from publishers.core import http as core_http
from publishers.core import letter, mail
from publishers.core.errors import Rejected, Unauthorized, Unavailable, Unconfirmed, Unsupported
from publishers.core.http import Http
from publishers.core.letter import ListTag
from publishers.core.post import Commit, Facet, Media, Post, Receipt
from tests.newsroom import runtime
from tests.ports import free_port
from worker.embedded import Embedded
from worker.model import Status
from worker.schedule import When
from worker.settings import TEMPLATES

KEY = "5e1fc0de" * 5
AT = datetime(2026, 11, 24, 10, 15, 30, tzinfo=UTC)
PASSWORD = "a mail password of 2026"
LINK = "https://larkhaven.example/light?a=1&b=2"
TEXT = f"The lighthouse stays\n\nThe council voted 21 to 4 <b>for</b> it & more.\nÜber 400 people came.\n\n{LINK}"


def post(folder=None, **changed):
    media = ()
    if folder is not None:
        body = b"\xff\xd8\xff a picture of the suite"
        (folder / "p.jpg").write_bytes(body)
        digest = hashlib.sha256(body).hexdigest()
        media = (
            Media(
                path=str(folder / "p.jpg"), sha256=digest, mime="image/jpeg", width=1200, height=630, size=len(body),
                alt='A tower "at dusk"',
            ),
        )  # fmt: skip
    start = TEXT.index(LINK)
    told = {
        "text": TEXT,
        "facets": (Facet(type="link", start=start, end=start + len(LINK), value=LINK),),
        "link": LINK,
        "title": "The lighthouse stays",
        "description": "21 votes to 4",
        "language": "en",
        "media": media,
    }
    return Post(**{**told, **changed})


class Box:
    """What the server was handed, and what it answers."""

    def __init__(self):
        self.mails, self.rcpt, self.answer = [], {}, "250 OK: queued as 4711"
        self.cut = ""

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - the server's own name
        if address in self.rcpt:
            return self.rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - as above
        if self.cut == "kept":
            self.mails.append(envelope)
        if self.cut:
            server.transport.abort()
            return self.answer
        if self.answer.startswith("250"):
            self.mails.append(envelope)
        return self.answer


def sign_in(server, session, envelope, mechanism, given):
    good = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost, and a context that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


class Server(Controller):
    def __init__(self, box, **options):
        port = free_port()
        self.given = {"enable_SMTPUTF8": True, "hostname": "mail.test", **options}
        super().__init__(box, hostname="127.0.0.1", port=port)
        self.name = f"localhost:{port}"

    def factory(self):
        return SMTP(self.handler, **self.given)


@pytest.fixture
def box():
    return Box()


@pytest.fixture
def server(box, certificate, monkeypatch):
    """A server that wants TLS and a password, as submission servers do."""
    monkeypatch.setattr(core_http, "tls", lambda: certificate[1])
    monkeypatch.setattr(mail, "tls", lambda: certificate[1])
    made = Server(box, tls_context=certificate[0], require_starttls=True, authenticator=sign_in, auth_required=True)
    made.start()
    yield made
    made.stop()


def settings(server, **changed):
    told = {
        "server": server.name if hasattr(server, "name") else server,
        "sender": "The Lantern <news@larkhaven.example>",
        "to": "readers@larkhaven.example",
        "user": "lantern",
        "password": PASSWORD,
        "unsubscribe": "https://larkhaven.example/leave?list=1",
    }
    return {k: v for k, v in {**told, **changed}.items() if v is not None}


def adapter(told, **http):
    return publishers.load("smtp")(told, Http(allow=["localhost"], seconds=5, **http))


def send(told, what, key=KEY, **http):
    made = adapter(told, **http)
    with made.http:
        return made.create(what, Commit(key=key, at=AT, prepared=made.prepare(what, key)))


def read(envelope):
    """The mail as a client reads it, its lines as Python has them."""
    return email.message_from_string(envelope.content.decode().replace("\r\n", "\n"), policy=policy.default)


# With a real server


def test_a_mail_is_handed_in_by_tls_with_a_password_and_says_what_the_post_says(server, box, tmp_path):
    receipt = send(settings(server), post(tmp_path))

    (envelope,) = box.mails
    assert envelope.mail_from == "news@larkhaven.example"
    assert envelope.rcpt_tos == ["readers@larkhaven.example"]
    got = read(envelope)
    assert got["From"] == "The Lantern <news@larkhaven.example>"
    assert got["To"] == "readers@larkhaven.example"
    assert got["Subject"] == "The lighthouse stays"
    assert got["Date"].datetime == AT
    assert got["Message-ID"] == f"<{KEY}@larkhaven.example>" == receipt.id
    assert got["List-Unsubscribe"] == "<https://larkhaven.example/leave?list=1>"
    assert got["Content-Language"] == "en"
    assert [p.get_content_type() for p in got.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/jpeg",
    ]  # fmt: skip
    text = got.get_body(("plain",)).get_content()
    assert text == f"{TEXT}\n\n-- \nUnsubscribe: https://larkhaven.example/leave?list=1\n"
    page = got.get_body(("html",)).get_content()
    assert "The council voted 21 to 4 &lt;b&gt;for&lt;/b&gt; it &amp; more.<br>\nÜber 400 people came." in page
    picture = next(p for p in got.walk() if p.get_content_type() == "image/jpeg")
    assert picture["Content-ID"] == f"<{KEY}@larkhaven.example>"
    assert f'src="cid:{KEY}@larkhaven.example"' in page
    assert picture.get_content() == b"\xff\xd8\xff a picture of the suite"
    assert all(len(line) <= 998 for line in envelope.content.split(b"\r\n"))
    assert b"\n" not in envelope.content.replace(b"\r\n", b"")
    assert got.defects == []


def test_an_article_becomes_a_mail_by_the_engine_and_a_lost_answer_waits_for_a_person(server, box, tmp_path):
    with Embedded.start(tmp_path / "redis") as redis:
        parts = runtime(redis, tmp_path, allow_hosts=server.name)
        given = {k: v for k, v in settings(server).items() if k != "security"}
        account = parts.accounts.connect("smtp", given, workspace="main", name="Readers")
        article = parts.planner.ingest(str(TEMPLATES / "sample" / "index.html"), workspace="main")
        engine = parts.engine(wake=lambda _: None, depth=lambda: 0)
        ends = []
        for cut in ("", "kept"):
            box.cut = cut
            due = datetime.now(UTC) - timedelta(seconds=1)
            made = parts.planner.plan(article.id, [account], due=lambda a, _, d=due: When(d, "", a.zone), again=True)
            engine.publish(made[0].id)
            if cut:
                engine.publish(made[0].id)
            ends.append(parts.deliveries.get(made[0].id).status)
        parts.close()
    assert ends == [Status.PUBLISHED, Status.PARKED]
    assert [read(m)["Subject"] for m in box.mails] == [article.title] * 2
    assert PASSWORD.encode() not in b"".join(m.content for m in box.mails)


def test_the_same_mail_again_is_the_same_to_the_byte(server, box, tmp_path):
    for _ in range(2):
        send(settings(server), post(tmp_path))
    send(settings(server), post(tmp_path), key="a" * 40)

    first, second, other = (e.content for e in box.mails)
    assert first == second
    assert first != other


def test_several_readers_do_not_see_each_other(server, box):
    receipt = send(settings(server, to="a@one.example, B <b@two.example>"), post())

    (envelope,) = box.mails
    assert envelope.rcpt_tos == ["a@one.example", "b@two.example"]
    assert b"one.example" not in envelope.content
    assert read(envelope)["To"] == "undisclosed-recipients:;"
    assert receipt.extra == {"to": 2}


def test_connecting_signs_in_and_hands_nothing_in(server, box):
    made = adapter(settings(server))
    assert made.connect().name == "The Lantern"
    assert box.mails == []


def test_a_line_with_a_dot_alone_ends_no_mail(server, box):
    text = "One\n.\nTwo\n..\n.Three"
    send(settings(server), post(text=text, facets=(), title="Dots", link=None))
    assert read(box.mails[0]).get_body(("plain",)).get_content().startswith(text)


def test_addresses_and_names_beyond_ascii_are_written_as_the_standards_say(server, box):
    told = settings(server, sender="Die Bücherei <böcher@larkhaven.example>", to="leser@büro.example")
    send(told, post(title="Grüße 📚"))

    (envelope,) = box.mails
    assert envelope.smtp_utf8
    assert envelope.rcpt_tos == ["leser@xn--bro-hoa.example"]
    assert read(envelope)["From"].addresses[0].display_name == "Die Bücherei"
    assert read(envelope)["Subject"] == "Grüße 📚"
    send(settings(server, sender="Bücherei <news@larkhaven.example>"), post(title="Grüße"))
    assert box.mails[1].content.partition(b"\r\n\r\n")[0].isascii()


@pytest.mark.parametrize(
    "evil",
    [
        "Bells\r\nBcc: victim@example.org",
        "Bells\nBcc: victim@example.org",
        "Bells\r\n\r\n<b>body</b>",
        "Bells\x00\x0b\x85\u2028Bcc: x",
    ],
)
def test_nothing_that_an_article_says_becomes_a_header(server, box, evil):
    send(
        settings(server),
        post(title=evil, text=evil, description=evil, language="en\r\nBcc: x@example.org", facets=(), link=None),
    )

    (envelope,) = box.mails
    got = read(envelope)
    assert set(got.keys()) <= {
        "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert envelope.rcpt_tos == ["readers@larkhaven.example"]
    assert got["Subject"].startswith("Bells ")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sender": "nobody"}, "is no mail address"),
        ({"sender": "A <a@b.example>\r\nBcc: x@y.example"}, "is no mail address"),
        ({"to": "a@b.example\r\nRCPT TO:<x@y.example>"}, "is no mail address"),
        ({"to": "a@b.example>, <c@d.example"}, "is no mail address"),
        ({"to": " , "}, "needs 1 to 50 addresses"),
        ({"to": ",".join(f"r{n}@b.example" for n in range(51))}, "needs 1 to 50 addresses"),
        ({"unsubscribe": "https://a.example/>\r\nBcc: x@y.example"}, "is an https:// or mailto: address"),
        ({"unsubscribe": "javascript:x"}, "is an https:// or mailto: address"),
        ({"security": "maybe"}, "'security' is"),
        ({"security": "none"}, "a password is never sent without TLS"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_before_anybody_is_spoken_to(changed, words):
    told = settings("localhost:9", **changed)
    with pytest.raises(Rejected, match=re.escape(words)):
        adapter(told).connect()
    with pytest.raises(Rejected, match=re.escape(words)):
        send(told, post())


# What an answer means


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("451 4.7.1 try again later", Unavailable),
        ("452 4.2.2 the mailbox is full", Unavailable),
        ("550 5.7.1 we take no such mail", Rejected),
        ("552 5.3.4 too large", Rejected),
        ("554 5.6.0 no", Rejected),
    ],
)
def test_a_mail_that_is_refused_was_certainly_not_sent(server, box, answer, error):
    box.answer = answer
    with pytest.raises(error, match=re.escape(answer.partition(" ")[2])) as caught:
        send(settings(server), post())
    assert caught.value.status == int(answer[:3])
    assert type(caught.value) is error
    assert box.mails == []


@pytest.mark.parametrize("cut", ["kept", "lost"])
def test_a_mail_whose_answer_is_lost_was_perhaps_sent(server, box, cut):
    box.cut = cut
    with pytest.raises(Unconfirmed):
        send(settings(server), post())
    assert len(box.mails) == (cut == "kept")


@pytest.mark.parametrize(
    ("answer", "error"), [("550 5.1.1 no such user", Rejected), ("450 4.2.0 greylisted", Unavailable)]
)
def test_if_one_reader_is_refused_nobody_gets_it(server, box, answer, error):
    box.rcpt["b@two.example"] = answer
    with pytest.raises(error):
        send(settings(server, to="a@one.example,b@two.example,c@three.example"), post())
    assert box.mails == []


def test_a_wrong_password_is_for_a_person_to_mend_and_is_never_shown(server):
    wrong = "another password of mine"
    with pytest.raises(Unauthorized) as caught:
        adapter(settings(server, password=wrong)).connect()
    assert wrong not in repr(vars(caught.value))
    with pytest.raises(Unauthorized):
        send(settings(server, password=wrong), post())


def test_a_server_without_tls_is_told_no_password_and_handed_nothing(box):
    plain = Server(box)
    plain.start()
    try:
        with pytest.raises(Unavailable, match="offers no TLS"):
            send(settings(plain), post())
        receipt = send(settings(plain, security="none", password=None, user=None), post())
    finally:
        plain.stop()
    assert receipt.id == f"<{KEY}@larkhaven.example>"
    assert len(box.mails) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_believed(box, certificate, monkeypatch):
    made = Server(box, tls_context=certificate[0], authenticator=sign_in)
    made.start()
    try:
        with pytest.raises(Unavailable):
            send(settings(made), post())
    finally:
        made.stop()
    assert box.mails == []


def test_a_private_address_is_only_spoken_to_if_it_was_allowed(server, box):
    made = publishers.load("smtp")(settings(server), Http(seconds=5))
    with pytest.raises(Unavailable, match="is a private address"):
        made.create(post(), Commit(key=KEY, at=AT))
    assert box.mails == []


def test_nobody_is_there():
    port = free_port()
    with pytest.raises(Unavailable):
        send(settings(f"localhost:{port}"), post())


def test_a_mail_answers_none_and_a_picture_that_changed_is_not_sent(server, box, tmp_path):
    made = adapter(settings(server))
    with pytest.raises(Unsupported):
        made.create(post(), Commit(key=KEY, at=AT, reply_to=Receipt(id="1")))
    what = post(tmp_path)
    (tmp_path / "p.jpg").write_bytes(b"another")
    with pytest.raises(ValueError, match="has changed"):
        send(settings(server), what)
    assert box.mails == []


class Script(threading.Thread):
    """A server that says what it is told to, line by line, and then hangs up; ``drip`` sends a byte at a time."""

    def __init__(self, lines, *, drip=0.0):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.name = f"localhost:{self.socket.getsockname()[1]}"
        self.lines, self.drip, self.heard = lines, drip, b""

    def run(self):
        there, _ = self.socket.accept()
        with there, self.socket, contextlib.suppress(OSError):  # whoever asked may have gone
            file = there.makefile("rb")
            for number, line in enumerate(self.lines):
                if number:
                    got = file.readline()
                    while got and line.startswith(b"<body>") and got != b".\r\n":
                        self.heard += got
                        got = file.readline()
                    self.heard += got
                said = line.removeprefix(b"<body>")
                if self.drip:
                    for byte in said:
                        there.sendall(bytes([byte]))
                        threading.Event().wait(self.drip)
                else:
                    there.sendall(said)


HELLO = [b"220 hi\r\n", b"250 hi\r\n"]
PLAIN = {"security": "none", "password": None, "user": None}


@pytest.mark.parametrize("upto", range(6))
def test_a_connection_that_breaks_before_the_mail_was_ended_handed_nothing_in(upto):
    lines = [*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
    server = Script(lines[:upto])
    server.start()
    with pytest.raises(Unavailable if upto < 5 else Unconfirmed):
        send(settings(server, **PLAIN), post())


@pytest.mark.parametrize("words", [b"<body>", b"<body>nonsense\r\n", b"<body>354 what\r\n", b"<body>999 x\r\n"])
def test_an_answer_to_the_mail_that_cannot_be_read_is_unconfirmed(words):
    server = Script([*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", words])
    server.start()
    with pytest.raises(Unconfirmed):
        send(settings(server, **PLAIN), post())


def test_a_server_that_speaks_a_sign_at_a_time_is_not_waited_for_for_ever():
    server = Script([b"220 " + b"x" * 900 + b"\r\n"], drip=0.05)
    server.start()
    made = publishers.load("smtp")(settings(server, **PLAIN), Http(allow=["localhost"], seconds=0.5))
    before = datetime.now(UTC)
    with pytest.raises(Unavailable):
        made.connect()
    assert datetime.now(UTC) - before < timedelta(seconds=20)


def test_a_worker_whose_time_is_over_hands_nothing_in(server, box):
    made = adapter(settings(server))
    made.http.expire(0)
    with pytest.raises(Unavailable):
        made.create(post(), Commit(key=KEY, at=AT))
    assert box.mails == []


# The letter

VOID = {"meta", "br", "img"}
TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "div",
    "table",
    "tr",
    "td",
    "h1",
    "p",
    "strong",
    "a",
    "img",
    "br",
}
PROPERTIES = {  # each has support in every client family of caniemail (data of 2026-06-29), or is lost without harm
    *("margin", "padding", "color", "background-color", "font-family", "font-size", "font-weight", "line-height"),
    *("text-align", "text-decoration", "width", "max-width", "height", "max-height", "display", "overflow", "border"),
    "border-radius",
}


class Checked(HTMLParser):
    """Whether a mail is put together of what clients know: tags closed, styles inline, pictures described."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.images, self.links, self.words = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, given):
        assert tag in TAGS, tag
        assert not [name for name, _ in given if name.startswith("on")], given
        told = dict(given)
        for part in filter(None, told.get("style", "").split(";")):
            assert part.partition(":")[0] in PROPERTIES, part
        assert "url(" not in told.get("style", "")
        if tag == "table":
            assert told["role"] == "presentation"
        if tag == "img":
            assert told["alt"] is not None
            assert int(told["width"]) <= letter.WIDTH
            assert "display:block" in told["style"]
            self.images.append(told)
        if tag == "a":
            self.links.append(told["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"style", "title"}:
            self.words.append(data)


def test_a_letter_is_made_of_what_common_clients_know(tmp_path):
    made = letter.write(
        post(tmp_path), picture="https://pictures.example/p.jpg", leave=ListTag("https://leave.example")
    )
    page = Checked(made.html)
    assert [i["alt"] for i in page.images] == ['A tower "at dusk"']
    assert page.links == [LINK, LINK, "https://leave.example"]
    assert made.html.startswith('<!doctype html>\n<html lang="en" dir="ltr">')
    assert '<meta name="color-scheme" content="light dark">' in made.html
    assert "@media (prefers-color-scheme:dark)" in made.html
    assert made.html.index("21 votes to 4") < made.html.index("<h1")
    assert made.html.count("The lighthouse stays") == 2  # its title and its heading
    assert len(made.html.encode()) < 102_000  # beyond, Gmail cuts a mail off


def test_every_colour_of_the_light_page_has_one_of_the_dark():
    dark = dict(re.findall(r"\.([a-z]+)[ a]*\{([^}]+)\}", letter.DARK))
    assert {"ground", "sheet", "ink", "soft", "link", "go"} <= set(dark)


@pytest.mark.parametrize(("language", "direction"), [("ar", "rtl"), ("he-IL", "rtl"), ("de", "ltr"), (None, "ltr")])
def test_a_letter_reads_in_its_languages_direction(language, direction):
    made = letter.write(post(language=language))
    assert f'dir="{direction}"' in made.html
    Checked(made.html)


def test_a_link_whose_words_are_not_its_address_is_followed_by_it_in_plain_text():
    text = "Two things today\n\nThe lighthouse stays\nIt was close."
    start = text.index("The lighthouse")
    facet = Facet(type="link", start=start, end=start + 20, value=LINK)
    made = letter.write(Post(text=text, facets=(facet,), title="Today"))
    assert f"The lighthouse stays <{LINK}>\nIt was close." in made.text
    assert Checked(made.html).links == [LINK]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x"])
def test_no_link_leads_anywhere_but_to_the_web(address):
    facet = Facet(type="link", start=0, end=4, value=address)
    made = letter.write(Post(text="Here", facets=(facet,), link=address, title="T"), picture="cid:x")
    assert Checked(made.html).links == []


def test_a_subject_is_one_line_cut_at_a_word():
    made = letter.write(Post(text="x", title="Word " * 60))
    assert made.subject == "Word " * 28 + "Word…"
    assert len(made.subject) <= letter.SUBJECT_MOST
