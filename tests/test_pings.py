"""Pings and hubs as they come over the wire: what is understood, and what a stranger cannot make of it."""

import hashlib
import hmac
import xmlrpc.client

import pytest

from worker.intake import pings, websub
from worker.intake.pings import BadPing

FEED = "https://lantern.example/feed/"


def call(method, *params):
    return xmlrpc.client.dumps(params, method).encode()


# XML-RPC


def test_the_ping_of_a_plain_wordpress_is_read():
    # wp-includes/comment.php, weblog_ping(): name, home, feed
    body = call("weblogUpdates.extendedPing", "The Larkhaven Lantern", "https://lantern.example/", FEED)
    assert pings.read(body) == pings.Ping("The Larkhaven Lantern", ("https://lantern.example/", FEED))
    short = call("weblogUpdates.ping", "Straße & Söhne", "https://lantern.example/")
    assert pings.read(short) == pings.Ping("Straße & Söhne", ("https://lantern.example/",))


def test_a_ping_may_be_in_any_encoding_that_xml_knows():
    text = (
        '<?xml version="1.0" encoding="{}"?><methodCall><methodName>weblogUpdates.ping</methodName><params>'
        "<param><value>Söhne &#9829;</value></param><param><value>https://lantern.example/</value></param></params></methodCall>"
    )
    for encoding in ("utf-8", "iso-8859-1", "utf-16"):
        assert pings.read(text.format(encoding).encode(encoding)).name == "Söhne ♥"


BILLION = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">]><methodCall><methodName>weblogUpdates.ping</methodName>
<params><param><value>&lol2;</value></param><param><value>https://lantern.example/</value></param></params></methodCall>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]><methodCall>
<methodName>weblogUpdates.ping</methodName><params><param><value>&file;</value></param>
<param><value>https://lantern.example/</value></param></params></methodCall>"""


@pytest.mark.parametrize(
    "body",
    [BILLION, OUTSIDE, "<!DOCTYPE methodCall><methodCall/>", '<!DOCTYPE a SYSTEM "http://evil.example/x.dtd"><a/>'],
)
def test_a_ping_declares_nothing_so_nothing_is_expanded_or_opened(body):
    with pytest.raises(BadPing, match="declares no document type"):
        pings.read(body.encode())
    with pytest.raises(BadPing, match="declares no document type"):
        pings.read(body.encode("utf-16"))


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"x", b"<a/>", b"<a>", b"\xff\xfe", b"\x00" * 9, b"<methodCall/>", b"&" * 999, b"<a>" * 5000),
        b"<methodCall><methodName>weblogUpdates.ping</methodName></methodCall>",
        b"<?xml version='1.0' encoding='no-such'?><methodCall/>",
        b"<methodResponse><fault><value><int>1</int></value></fault></methodResponse>",
        call("weblogUpdates.ping"),
        call("weblogUpdates.ping", "A name alone"),
        call("weblogUpdates.ping", "A name", "not an address"),
        call("weblogUpdates.ping", "A name", "file:///etc/passwd"),
        call("weblogUpdates.ping", 1, 2),
        call("weblogUpdates.ping", ["a"], {"b": "c"}),
        call("weblogUpdates.ping", "x" * 20_000, "https://lantern.example/"),
        b"<methodCall><methodName>weblogUpdates.ping</methodName><params><param><value><int>" + b"9" * 9000 + b"</int></value></param></params></methodCall>",
        b"<methodCall><methodName>weblogUpdates.ping</methodName><params><param><value><base64>!!</base64></value></param></params></methodCall>",
        b"<methodCall><methodName>weblogUpdates.ping</methodName><params><param><value>" + b"<array><data><value>" * 700,
    ],
)  # fmt: skip
def test_what_is_no_ping_is_refused_in_words(body):
    with pytest.raises(BadPing) as caught:
        pings.read(body)
    answer = pings.fault(caught.value)
    with pytest.raises(xmlrpc.client.Fault) as told:
        xmlrpc.client.loads(answer)
    assert told.value.faultCode == pings.NO_CALL
    assert told.value.faultString == str(caught.value)


@pytest.mark.parametrize("method", ["pingback.ping", "system.multicall", "system.listMethods", "wp.getUsersBlogs"])
def test_there_is_no_other_method(method):
    with pytest.raises(BadPing, match="no method") as caught:
        pings.read(call(method, "a", "https://lantern.example/"))
    assert caught.value.fault == pings.NO_METHOD


def test_the_answer_is_the_struct_that_pinging_software_looks_for():
    answer = pings.thanks("Danke für ♥ & <Mühe>")
    values, method = xmlrpc.client.loads(answer)
    assert (values, method) == (({"flerror": False, "message": "Danke für ♥ & <Mühe>"},), None)
    assert answer.isascii()
    assert xmlrpc.client.loads(pings.thanks("No.", failed=True))[0][0]["flerror"] is True


@pytest.mark.parametrize(
    ("urls", "same"),
    [
        (["https://lantern.example/"], True),
        (["http://www.lantern.example"], True),
        (["https://LANTERN.example:8443/blog"], True),
        (["https://elsewhere.example/", FEED], True),
        (["https://elsewhere.example/"], False),
        (["https://lantern.example.evil.example/"], False),
        (["https://evil.example/https://lantern.example/"], False),
        (["https://lantern.example@evil.example/"], False),
        (["https://[::1"], False),
    ],
)
def test_a_ping_is_of_a_known_site_or_it_is_not(urls, same):
    assert pings.same_site(pings.Ping("x", tuple(urls)), FEED) is same
    assert not pings.same_site(pings.Ping("x", tuple(urls)), "")


# Hubs


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('<https://hub.example/>; rel="hub", <https://lantern.example/f>; rel="self"', ("https://hub.example/", "https://lantern.example/f")),
        ("<https://hub.example/>; rel=hub", ("https://hub.example/", FEED)),
        ('<https://hub.example/?a=1,2>; title="x, y; rel=self"; rel="alternate hub"', ("https://hub.example/?a=1,2", FEED)),
        ('</hub>; rel="HUB", </feed/>; rel="self"', ("https://lantern.example/hub", FEED)),
        ('<http://one.example/>; rel="hub", <https://two.example/>; rel="hub"', ("https://two.example/", FEED)),
        ('<https://lantern.example/>; rel="self"', ("", "")),
        ('<javascript:alert(1)>; rel="hub"', ("", "")),
        ("<https://hub.example/; rel=hub", ("", "")),
        ("<" * 20_000, ("", "")),
        ("<https://hub.example/>" + ';a="' * 5_000, ("", "")),
        ("<https://[::1>; rel=hub", ("", "")),
    ],
)  # fmt: skip
def test_a_hub_in_the_link_header(header, found):
    push = websub.discover(header, b"", FEED)
    assert (push.hub, push.topic) == found


ATOM = b'<feed xmlns="http://www.w3.org/2005/Atom"><link rel="self" href="https://lantern.example/atom"/><link href=\'https://hub.example/?a=1&amp;b=2\' rel="hub"/><entry><link rel="hub" href="https://evil.example/"/></entry></feed>'
RSS = b'<rss><channel><a10:link rel="hub" href="https://hub.example/"/><atom:link rel="self" type="application/rss+xml" href="/feed/"/><item><link>x</link></item></channel></rss>'
CLOUD = b"<rss><channel><cloud domain='rpc.example' port='80' path='/?rsscloud=notify' registerProcedure='' protocol='http-post' /></channel></rss>"


def test_a_hub_in_the_feed_itself():
    assert websub.discover("", ATOM, FEED) == websub.Push(
        "https://hub.example/?a=1&b=2", "https://lantern.example/atom"
    )
    assert websub.discover("", RSS, FEED) == websub.Push("https://hub.example/", FEED)
    json_feed = b'{"feed_url": "https://lantern.example/f.json", "hubs": [{"type": "rssCloud", "url": "https://c.example/"}, {"type": "WebSub", "url": "https://hub.example/"}]}'
    assert websub.discover("", json_feed, FEED) == websub.Push("https://hub.example/", "https://lantern.example/f.json")
    assert not websub.discover("", b'{"hubs": 7}', FEED)
    assert not websub.discover("", b"{" * 9999, FEED)


def test_the_link_header_is_believed_before_the_feed():
    assert websub.discover("<https://first.example/>; rel=hub", ATOM, FEED).hub == "https://first.example/"


@pytest.mark.parametrize(
    ("attributes", "url"),
    [
        ("domain='rpc.example' port='80' path='/?rsscloud=notify' protocol='http-post'", "http://rpc.example/?rsscloud=notify"),
        ("domain='rpc.example' port='5337' path='/rsscloud/pleaseNotify' protocol='http-post'", "http://rpc.example:5337/rsscloud/pleaseNotify"),
        ("domain='rpc.example' port='443' path='/n' protocol='https-post'", "https://rpc.example/n"),
        ("domain='rpc.example' port='80' path='/RPC2' protocol='xml-rpc'", ""),
        ("domain='a@evil.example' port='80' path='/' protocol='http-post'", ""),
        ("domain='rpc.example' port='x' path='/' protocol='http-post'", ""),
        ("port='80' protocol='http-post'", ""),
    ],
)  # fmt: skip
def test_an_rsscloud_element(attributes, url):
    assert websub.discover("", b"<rss><channel><cloud %s/>" % attributes.encode(), FEED).cloud == url


def test_what_a_hub_and_a_cloud_are_asked():
    asked = websub.request("subscribe", topic=FEED, callback="https://hb.example/hooks/x/hub", secret="s" * 32)
    assert asked == {
        "hub.callback": "https://hb.example/hooks/x/hub",
        "hub.mode": "subscribe",
        "hub.topic": FEED,
        "hub.lease_seconds": "864000",
        "hub.secret": "s" * 32,
    }
    gone = websub.request("unsubscribe", topic=FEED, callback="https://hb.example/hooks/x/hub", secret="s")
    assert set(gone) == {"hub.callback", "hub.mode", "hub.topic"}
    assert websub.registration(FEED, callback="https://hb.example/hooks/x/cloud") == {
        "notifyProcedure": "",
        "domain": "hb.example",
        "port": "443",
        "path": "/hooks/x/cloud",
        "protocol": "https-post",
        "url1": FEED,
    }
    assert websub.registration(FEED, callback="http://hb.example:8484/x")["port"] == "8484"


@pytest.mark.parametrize(
    ("body", "yes"),
    [
        (b"<?xml version='1.0'?><notifyResult success='true' msg='ok'/>", True),
        (b'<notifyResult msg="It works" success="true"/>', True),
        (b'{"success":true,"msg":"ok"}', True),
        (b'<notifyResult success="false" msg="success is true elsewhere"/>', False),
        (b"", False),
    ],
)
def test_whether_a_cloud_took_us(body, yes):
    assert websub.registered(body) is yes


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_a_hubs_signature(method):
    right = hmac.new(b"secret", b"<feed/>", method).hexdigest()
    assert websub.signed(f"{method}={right}", b"<feed/>", "secret")
    assert websub.signed(f"{method.upper()}={right.upper()}", b"<feed/>", "secret")
    for header in (
        f"{method}={right[:-1]}0",
        right,
        f"md5={hashlib.md5(b'').hexdigest()}",
        f"{method}=",
        "",
        "=",
        f"sha3_256={right}",
        f"{method}=é",
    ):
        if header != f"{method}={right}":
            assert not websub.signed(header, b"<feed/>", "secret")
    assert not websub.signed(f"{method}={right}", b"<feed> ", "secret")
    assert not websub.signed(f"{method}={hmac.new(b'', b'<feed/>', method).hexdigest()}", b"<feed/>", "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("86400", 86_400), ("1", 300), ("0", 300), ("99999999999", 7_776_000), ("", 864_000), ("-5", 864_000), ("x", 864_000), ("9" * 99, 864_000)],
)  # fmt: skip
def test_a_lease_is_within_reason(text, seconds):
    assert websub.lease_of({"hub.lease_seconds": text}) == seconds


@pytest.mark.parametrize("challenge", ["", "a\nb", "\x00", "x" * 2001])
def test_a_challenge_that_is_none_is_not_sent_back(challenge):
    assert websub.challenge_of({"hub.challenge": challenge}) == ""
    assert websub.challenge_of({"hub.challenge": "<b>é"}) == "<b>é"
