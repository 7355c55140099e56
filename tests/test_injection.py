"""Whatever an article says, the request that an adapter sends holds no mention, hashtag, link, command or markup of it."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import publishers
from publishers.contract.conversation import opened
from publishers.core import counting
from publishers.core.by_hand import ByHand
from publishers.core.errors import PublishError
from publishers.core.http import Http
from publishers.core.letter import write
from publishers.core.post import Commit, Facet, Media, Post, Receipt
from tests.contract import fixture
from tests.test_apprise import Library, adapter
from worker.content.compose import compose, thread
from worker.content.template import load_template
from worker.model import Article, Content, Sentence
from worker.settings import TEMPLATES

LINK = "https://example.org/bees"
PICTURE = Path(tempfile.mkdtemp()) / "picture.jpg"
HOSTILE = (
    "@everyone", "@here", "＠ada", "@ada@evil.example", "<@123>", "<@!123>", "<@&45>", "<#67>", "<!channel>", "<!here>",
    "<t:0:R>", "<:e:1>", "@[Ada](urn:li:person:1)", "{hashtag|\\#|Evil}", "{mention|Ada|1}", "#evil", "＃evil", "\\#evil",
    "/start", "/ban@bot", "!kick", "$TSLA", "https://evil.com/x", "evil.com/login", "www.evil.com", "mailto:a@evil.com",
    "tg://user?id=1", "<https://evil.com|here>", "[here](https://evil.com)", "<a href='https://evil.com'>x</a>",
    "<b>bold</b>", "**bold**", "__under__", "*it*", "_it_", "~~no~~", "||spoiler||", "`code`", "```", "> quote", "# Head",
    "- item", "\\", "\\\\", "\u202e", "\u200b@ada", "@\u200bada", "\ufeff#evil", "&#64;ada", "&lt;b&gt;", "\r\n/start",
    "|", "{", "}", "(", "](", ":D", ":p", "8)", "B)", "=)", "O:-)", "D:", ":'(", "-_-", ":s", "x-d", "<3", "见:(下", "日:D", ":’-(", "=#evil", ":_it_",
    "👩🏽‍🚀@ada", "é#evil", "e\u0301/start", "\U00013440$TSLA",
)  # fmt: skip
# What Rocket.Chat's parser (@rocket.chat/message-parser 0.31.35) was seen to make a picture of, of 2 and 3 signs each.
FACES = set(
    r"""
    <3 :( :) :O :D :P :X :/ :\ :* :$ :# :@ :L :[ :] ;( ;) ;D ;] =( =) =D =P =X =/ =\ =* =$ =# =L =] 8) B) D: X) *) #) %)
    </3 >:( >:) >:O >:P >:/ >:\ >:[ >;) >=) >.< :-( :-) :-O :-D :-P :-X :-/ :-* :-# :-. :-[ :^* :'( :') ;-( ;-) ;-] ;^)
    8-) 8-D B-) B-D O:) O:3 O=) X-) X-P \O/ \0/ *-) -_- ':( ':) ':D '=( '=) '=D 0:) 0:3 %-)
    """.split()  # noqa: SIM905 - faces are read as they are, not through quotation marks
)
WORDS = st.sampled_from(HOSTILE) | st.sampled_from(["bees", "the hill", "1/2", "Straße", "蜂"]) | st.text(max_size=12)
TEXTS = st.lists(WORDS, min_size=1, max_size=8).map(" ".join) | st.lists(WORDS, min_size=1, max_size=8).map("".join)


class Body(httpx.SyncByteStream):
    """An answer's bytes, as they come from a socket."""

    def __iter__(self):
        yield b"{}"


def sent(platform, post, *, read=json.loads, **commit):
    """The JSON of the request with which the adapter makes ``post`` public."""
    requests = []

    def answer(request):
        requests.append(request)
        return httpx.Response(500, stream=Body())

    told = fixture(platform)["settings"]
    with Http(transport=httpx.MockTransport(answer)) as http:
        adapter = publishers.load(platform)(told, http)
        with pytest.raises(PublishError):
            adapter.create(post, Commit(key="5e1fc0de" * 5, at=datetime(2026, 11, 24, tzinfo=UTC), **commit))
    (request,) = requests
    return read(request.content)


def heard(platform, post):
    """What the adapter says over a WebSocket to make ``post`` public."""
    kept = []

    def answer(request):
        response = opened(request, [])
        kept.append(request.extensions["messages"])
        return response

    told = fixture(platform)["settings"]
    with Http(transport=httpx.MockTransport(answer)) as http:
        adapter = publishers.load(platform)(told, http)
        with pytest.raises(PublishError):
            adapter.create(post, Commit(key="5e1fc0de" * 5, at=datetime(2026, 11, 24, tzinfo=UTC)))
    (messages,) = kept
    return messages


def form(platform, post, monkeypatch=pytest.MonkeyPatch):
    """The form in which the adapter gives ``post``'s words to a platform that wants a container first."""
    requests = []

    def answer(request):
        requests.append(request)
        return httpx.Response(500, stream=Body())

    told = fixture(platform)["settings"]
    picture = Media(
        path="/p.jpg", sha256="0", mime="image/jpeg", width=1, height=1, size=1, alt="", url="https://a.example/p.jpg"
    )
    adapter = publishers.load(platform)
    with Http(transport=httpx.MockTransport(answer)) as http, monkeypatch.context() as patched:
        patched.setattr(adapter, "spend", lambda *_: None)  # it asks what is left of the day's posts
        with pytest.raises(PublishError):
            adapter(told, http).draft(dataclasses.replace(post, media=(picture,)), "key", None)
    (request,) = requests
    return dict(parse_qsl(request.content.decode(), keep_blank_values=True))


def written(platform, title, sentences, *, template):
    text = "\n\n".join(sentences)
    article = Article(
        id="main.1",
        url=LINK,
        title=title,
        text=text,
        author=title[:20],
        site=title[:20],
        tags=(title[:20],),
        language="en",
    )
    content = Content(
        short=text,
        medium=text,
        long=text,
        sentences=tuple(Sentence(text=s, source_offset=text.find(s)) for s in sentences),
        hashtags=("Bees", "NoTag"),
        alt=title,
    )
    told = {"platform": platform, "limits": publishers.load(platform).limits, "link": LINK, "media": ()}
    if publishers.load(platform).limits.thread:
        return [c.post for c in thread(article, content, template=template, **told)]
    return [compose(article, content, template=template, **told).post]


def allowed(post):
    """What the post itself marks: its one link and its own hashtags."""
    assert {(f.type, f.value) for f in post.facets} <= {("link", LINK), ("tag", "Bees"), ("tag", "NoTag")}
    return [post.text[f.start : f.end] for f in post.facets]


def nothing_is_live(text, post):
    """No link, hashtag or mention but the post's own, by the rules of those platforms that look for them themselves."""
    known = allowed(post)
    assert [text[a:b] for a, b in counting.urls(text)] == [k for k in known if k == LINK]
    assert [text[a:b] for a, b in counting.hashtags(text)] == [k for k in known if k != LINK]
    assert counting.mentions(text) == []
    assert not counting.MASTODON_MENTION.search(text)
    bare = text.replace(LINK, "")
    assert not re.search(r"[@＠]\w", bare)
    assert not regex.search(r"(?<![\p{L}\p{N}_/<>])/[A-Za-z0-9_]", bare)
    assert not regex.search(r"(?<![\p{L}\p{N}_$])\$[A-Za-z]", bare)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\r]", text)


def plain(platform, key):
    def check(post):
        body = sent(platform, post)
        assert body[key] == post.text
        nothing_is_live(body[key], post)
        return body

    return check


def formed(platform, key):
    def check(post):
        body = form(platform, post)
        assert body[key] == post.text
        nothing_is_live(body[key], post)
        assert "@[" not in body[key]  # https://developers.facebook.com/docs/pages-api/posts: a Page is mentioned so

    return check


def facebook(post):
    body = sent("facebook", post, read=lambda content: dict(parse_qsl(content.decode(), keep_blank_values=True)))
    assert body["message"] == post.text
    nothing_is_live(body["message"], post)
    assert "@[" not in body["message"]
    assert body.get("link", post.link) == post.link


def mastodon(post):
    body = plain("mastodon", "status")(post)
    assert "content_type" not in body  # some servers would read Markdown


def bluesky(post):
    record = sent("bluesky", post)["record"]
    assert record["text"] == post.text
    nothing_is_live(record["text"], post)
    raw = record["text"].encode()
    marked = [raw[f["index"]["byteStart"] : f["index"]["byteEnd"]].decode() for f in record.get("facets", [])]
    assert marked == allowed(post)
    kinds = {feature["$type"].partition("#")[2] for f in record.get("facets", []) for feature in f["features"]}
    assert kinds <= {"link", "tag"}


def telegram(post):
    body = sent("telegram", post)
    assert body["text"] == post.text
    assert "parse_mode" not in body
    nothing_is_live(body["text"], post)
    raw = body["text"].encode("utf-16-le")
    marked = [raw[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le") for e in body["entities"]]
    assert marked == allowed(post)
    assert {e["type"] for e in body["entities"]} <= {"url", "hashtag"}


def linkedin(post):
    commentary = sent("linkedin", post)["commentary"]
    # Every escape is two characters; what is left may be live.
    rest = re.sub(r"\\.", "", commentary, flags=re.DOTALL)
    templates = re.findall(r"\{hashtag\|[#＃]?\|[^{}|]*\}", rest)
    assert len(templates) == sum(f.type == "tag" for f in post.facets)
    for template in templates:
        rest = rest.replace(template, "", 1)
    assert not re.search(r"[|{}@\[\]()<>#*_~\\]", rest)
    shown = re.sub(r"\{hashtag\|\\?([#＃])\|((?:\\.|[^\\}])*)\}", r"\1\2", commentary)
    assert re.sub(r"\\(.)", r"\1", shown, flags=re.DOTALL) == post.text
    nothing_is_live(post.text, post)


def discord(post):
    body = sent("discord", post)
    assert body["allowed_mentions"]["parse"] == []
    text = re.sub(r"\A\*\*(.*)\*\*$", r"\1", body["content"], count=1, flags=re.MULTILINE)
    rest = re.sub(r"\\[!-/:-@\[-`{-~]", "", text.replace(LINK, ""))
    assert not re.search(r"[\\*_~`|<\[]|@(?:everyone|here)", rest)
    assert not re.search(r"^[ \t]*(?:#{1,3}\s|>|[-+]\s|\d+[.)]\s)", rest, re.MULTILINE)
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text.replace(LINK, "\0")) == post.text.replace(LINK, "\0")


def slack(post):
    body = sent("slack", post)
    assert body["parse"] == "none"
    assert body["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == post.text
    assert not re.search("[<>]|&(?!lt;|gt;|amp;)", body["text"])
    (block,) = body["blocks"]
    (section,) = block["elements"]
    assert (block["type"], section["type"]) == ("rich_text", "rich_text_section")
    elements = section["elements"]
    assert {e["type"] for e in elements} <= {"text", "link"}  # a text element holds no markup, whatever it says
    assert "".join(e.get("text") or e["url"] for e in elements) == post.text
    assert [e["url"] for e in elements if e["type"] == "link"] == [k for k in allowed(post) if k == LINK]


def matrix(post):
    body = sent("matrix", post)
    assert body["body"] == post.text
    assert body["m.mentions"] == {}  # https://spec.matrix.org/latest/client-server-api/#user-and-room-mentions
    nothing_is_live(body["body"], post)
    marked = body["formatted_body"]
    tags = re.findall(r"<[^<>]*>", marked)
    links = [k for k in allowed(post) if k == LINK]
    assert [t for t in tags if t.startswith("<a")] == [f'<a href="{k}">' for k in links]
    assert set(tags) <= {"<br>", "<strong>", "</strong>", "</a>", f'<a href="{LINK}">'}
    bare = re.sub(r"<[^<>]*>", "", marked.replace("<br>", "\n"))
    assert not re.search("[<>]|&(?!lt;|gt;|amp;)", bare)
    assert html.unescape(bare) == post.text


def bare(markup, post):
    """A chat's Markdown without its bold title and its own links, and without what stands behind a backslash."""
    assert markup.count(LINK) == sum(k == LINK for k in allowed(post))
    rest = re.sub(r"\A\*\*?(.*?)(?:(?<!\\)|(?<=\\\\))\*\*?$", r"·\1", markup, count=1, flags=re.MULTILINE).replace(
        LINK, ""
    )
    return re.sub(r"\\[!-/:-@\[-`{-~]", "·", rest)


def mattermost(post):
    body = sent("mattermost", post)
    assert set(body) == {"channel_id", "message", "pending_post_id", "props"}
    rest = bare(body["message"], post)
    assert not re.search(r"[\\`*_{}\[\]|~]|[@<][^\s\u2060]|:[\w+-]+:|\$[^\s\u2060]|&#?\w+;", rest)
    assert not re.search(r"(?ai)(?<!\w)[:;]['`’]?-?(?:[()@/$]|[dposx]\b)|\bx-d\b", rest)
    assert not re.search(r"^(?:[ \t]|[#>+=-]|\d+[.)])", rest, re.MULTILINE)
    nothing_is_live(post.text, post)


def drafted(platform, post):
    """What the adapter gives a platform to keep as a draft, where it finds none of its own."""
    bodies = []

    def answer(request):
        bodies.append(request.content)
        return httpx.Response(500, stream=Body())

    told = fixture(platform)["settings"]
    adapter = publishers.load(platform)
    found = type("Found", (tuple,), {"told": lambda *_: [], "json": lambda _: []})()
    with Http(transport=httpx.MockTransport(answer)) as http, pytest.MonkeyPatch.context() as patched:
        for look in ("_get", "_articles"):
            patched.setattr(adapter, look, lambda *_: found, raising=False)
        with pytest.raises(PublishError):
            adapter(told, http).draft(post, "5e1fc0de" * 5, None)
    (body,) = bodies
    return json.loads(body)


def ghost(post):
    (body,) = drafted("ghost", post)["posts"]
    tags = re.findall(r"<[^<>]*>", body["html"])
    assert set(tags) <= {"<p>", "</p>", "<br>", "</a>", f'<a href="{LINK}">'}
    seen = re.sub(r"<[^<>]*>", "", body["html"].replace("<br>", "\n").replace("</p>", "\n\n"))
    assert not re.search("[<>]|&(?!lt;|gt;|amp;)", seen)
    shown = "\n".join([body["title"], html.unescape(seen), *(f"#{t['name']}" for t in body.get("tags", ()))])
    text, title = post.text.replace("\u2060", ""), body["title"].replace("\u2060", "")
    assert shown.replace("\u2060", "").split() == f"{title}\n{text.removeprefix(title).strip() or text}".split()
    nothing_is_live(post.text, post)


def article(title, markdown, tags, post):
    """An article in Markdown: its words are the post's, nothing in it is markup but the post's own link."""
    rest = markdown.replace(f"<{LINK}>", "")
    rest = re.sub(r"\\[!-/:-@\[-`{-~]", "·", rest)
    assert not re.search(r"[\\`*_\[\]<>|~^$]|&#?\w+;|\{[{%]|@\w|:[\w+-]+:|%%", rest)
    assert not re.search(r"^(?:[ \t]|[#>+=:-]|\d+[.)])", rest, re.MULTILINE)
    seen = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown.replace(f"<{LINK}>", LINK))
    shown = "\n".join([title, seen, *(f"#{t}" for t in tags)]).replace("\u2060", "")
    text, title = post.text.replace("\u2060", ""), title.replace("\u2060", "")
    assert shown.split() == f"{title}\n{text.removeprefix(title).strip() or text}".split()
    nothing_is_live(post.text, post)


def devto(post):
    said = drafted("devto", post)["article"]
    assert set(said) <= {"title", "body_markdown", "published", "tags"}
    assert [t.lower() for t in _tagged(post)] == said.get("tags", [])
    article(said["title"], said["body_markdown"], _tagged(post), post)


def hashnode(post):
    said = drafted("hashnode", post)["variables"]["input"]
    assert said["originalArticleURL"] == LINK
    article(said["title"], said["contentMarkdown"], [t["name"] for t in said.get("tags", ())], post)


def _tagged(post):
    """The tags of a last paragraph that has nothing else."""
    last = post.text.rstrip().rpartition("\n\n")[2]
    return re.findall(r"#(\w+)", last) if re.fullmatch(r"(?:#\w+\s*)+", last) else []


def teams(post):
    (attachment,) = sent("teams", post)["attachments"]
    blocks = attachment["content"]["body"]
    assert {b["type"] for b in blocks} == {"RichTextBlock"}  # which knows no Markdown
    assert set(attachment["content"]) == {"$schema", "type", "version", "msteams", "body"}
    assert attachment["content"]["msteams"] == {"width": "Full"}  # no entities, so nobody is mentioned
    runs = [run for b in blocks for run in b["inlines"]]
    assert {r["type"] for r in runs} == {"TextRun"}
    assert [r["selectAction"]["url"] for r in runs if "selectAction" in r] == [k for k in allowed(post) if k == LINK]
    assert "\n".join("".join(r["text"] for r in b["inlines"]) for b in blocks).split() == post.text.split()


def vk(post):
    form = sent("vk", post, read=lambda content: dict(parse_qsl(content.decode(), keep_blank_values=True)))
    assert form["attachments"] == LINK
    assert form["message"].replace("\u2060", "") == post.text.replace("\u2060", "")
    assert not re.search(r"\[[^\[\]|\s\u2060]+\||@[^\s\u2060]|\*\w", form["message"])
    nothing_is_live(form["message"], post)


def rocketchat(post):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publishers.load("rocketchat"), "find", lambda *_: ())  # it looks before it sends
        message = sent("rocketchat", post)["message"]
    assert set(message) == {"_id", "rid", "msg"}
    rest = bare(message["msg"], post)
    assert not re.search(r"[*_`~#]|\\[(\[#.*_`~]|[@<][^\s\u2060]|\|\||\]\(|:[\w+-]+:", rest)
    assert not set(rest.split()) & FACES
    assert not re.search(r"[:=]\\", message["msg"])  # the backslash would be part of a face, and what follows be read
    assert not re.search(r"^(?:[ \t]|[>-]|\d+[.)])", rest, re.MULTILINE)
    nothing_is_live(post.text, post)


def zulip(post):
    form = sent("zulip", post, read=lambda content: dict(parse_qsl(content.decode(), keep_blank_values=True)))
    assert set(form) == {"type", "to", "topic", "content"}
    content = form["content"]
    rest = re.sub(r"\A\*\*(.*?)\*\*$", r"\1", content, count=1, flags=re.MULTILINE).replace(LINK, "")
    assert not re.search(r"[*`\[\]<@$~|]|#(?!\d+;)|:[\w+-]+:|&(?!#\d+;)#?\w+;", rest)
    assert not re.search(r"^(?:[ \t]|[>+_/-]|\d+[.)])", rest, re.MULTILINE)
    assert html.unescape(rest).split() == "\n".join(k.lstrip() for k in post.text.replace(LINK, "").split("\n")).split()
    nothing_is_live(post.text, post)


def ntfy(post):
    body = sent("ntfy", post)
    assert set(body) <= {"topic", "message", "sequence_id", "title", "click"}  # no "markdown", "actions" or "tags"
    assert body["click"] == LINK
    assert f"{body.get('title', '')}\n{body['message']}".split() == post.text.split()
    nothing_is_live(body["message"], post)
    nothing_is_live(body.get("title", ""), dataclasses.replace(post, facets=()))


def reddit(post):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publishers.load("reddit"), "find", lambda *_: ())  # it looks before it sends
        body = sent("reddit", post, read=lambda content: dict(parse_qsl(content.decode(), keep_blank_values=True)))
    assert body["url"] == LINK
    headline = post.text.partition("\n")[0]
    assert body["title"].replace("\u2060", "") in {headline.replace("\u2060", "").strip(), _cut(post.title)}
    assert not re.search(r"(?i)[ur]/\w", body["title"])
    link = f"[{LINK}]({LINK})"
    markdown = body.get("text", "")
    rest = re.sub(r"\\[!-/:-@\[-`{-~]", "·", markdown.replace(link, ""))
    assert not re.search(r"[\\*_`~|<>\[\]^]|&(?!#61;)|(?i:[ur]/\w)|(?i:www\.)", rest)
    assert not re.search(r"^(?:[ \t]|=|#|[-+]|\d+[.)])", rest, re.MULTILINE)
    seen = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown.replace("&#61;", "=").replace("  \n", "\n"))
    assert " ".join(seen.split()) in " ".join(post.text.replace(LINK, link).split())
    nothing_is_live(post.text, post)


def _cut(title):
    return " ".join(title.split())


def pinterest(post):
    body = sent("pinterest", illustrated(post))
    start = len(post.text.partition("\n")[0]) if body["description"] != post.text.strip() else 0
    assert body["description"] == post.text[start:].strip()
    assert body["title"].replace("\u2060", "") in {_cut(post.text[:start].replace("\u2060", "")), _cut(post.title)}
    assert body["link"] == LINK
    nothing_is_live(post.text, post)


def illustrated(post):
    """The post with a picture that is there, for a platform that wants it in the request itself."""
    content = b"a picture"
    PICTURE.write_bytes(content)
    told = {"path": str(PICTURE), "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return dataclasses.replace(post, media=(Media(**told, mime="image/jpeg", width=1, height=1, alt=""),))


def tumblr(post):
    body = sent("tumblr", post, prepared={"draft": "700"})
    blocks = [b for b in body["content"] if b["type"] == "text"]
    assert {b["type"] for b in body["content"]} <= {"text", "link"}
    assert [b["url"] for b in body["content"] if b["type"] == "link"] == [LINK]
    tags = " ".join(f"#{t}" for t in body.get("tags", "").split(",") if t)
    said = " ".join([*(b["text"] for b in blocks), tags]).split()
    assert said == post.text.split()
    for block in blocks:
        marks = [block["text"][m["start"] : m["end"]] for m in block.get("formatting", ())]
        assert set(marks) <= {LINK}
    nothing_is_live(post.text, post)


def nostr(post):
    (_, event), *_ = heard("nostr", post)
    assert event["content"].replace("\u2060", "") == post.text.replace("\u2060", "")
    nothing_is_live(event["content"], post)
    assert not re.search(r"(?i)(?:npub|nprofile|nevent|naddr|note|nrelay|lnurl)1[a-z0-9]{20}", event["content"])
    assert [t[1] for t in event["tags"] if t[0] in {"r", "t"}] == [f.value.lower() for f in post.facets]
    assert {t[0] for t in event["tags"]} <= {"r", "t", "L", "l", "handbill"}


def lemmy(post):
    body = sent("lemmy", post)
    assert body["url"] == LINK
    headline = post.text.partition("\n")[0]
    assert body["name"].replace("\u2060", "") in {headline.replace("\u2060", "").strip(), _cut(post.title)}
    link = f"<{LINK}>"
    markdown = body.get("body", "")
    rest = re.sub(r"\\[!-/:-@\[-`{-~]", "·", markdown.replace(link, ""))
    assert not re.search(r"[\\*_`~|<>\[\]^&]|:[\w+-]+:", rest)
    assert not re.search(r"^(?:[ \t]|[#+=:-]|\d{1,9}[.)])", rest, re.MULTILINE)
    seen = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown.replace("  \n", "\n"))
    assert " ".join(seen.split()) in " ".join(post.text.replace(LINK, link).split())
    nothing_is_live(post.text, post)


def misskey(post):
    markup = sent("misskey", post)["text"]
    rest = re.sub(r"<plain>.+?</plain>", "·", markup.replace(LINK, "·"))
    own = [k for k in allowed(post) if k != LINK]
    for tag in own:
        rest = rest.replace(tag, "·", 1)
    assert not re.search(r"[*_~`<\\\[#]|:[\w+-]+:|https?://|^[ \t\u3000]*>", rest, re.MULTILINE)
    assert not re.search(r"(?im)(?:^|\s)\[?(?:search|検索)\]?\s*$", rest)
    seen = re.sub(r"<plain>(.+?)</plain>", r"\1", markup).replace("\u2060", "")
    assert seen == post.text.replace("\u2060", "")
    nothing_is_live(post.text, post)


def webhook(post):
    data = sent("webhook", post)["data"]
    assert data["text"] == post.text
    nothing_is_live(data["text"], post)
    assert [data["text"][f["start"] : f["end"]] for f in data["facets"]] == allowed(post)


def wordpress(post):
    body = sent("wordpress", post, reply_to=Receipt(id="42"))
    assert not re.search(r"[<>\[\]]|&(?!#?\w+;)", body["content"])
    assert html.unescape(body["content"]) == post.text
    nothing_is_live(post.text, post)


def apprise(post):
    library = Library()
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "apprise", library)
        adapter("json://localhost").create(post, Commit(key="5e1fc0de" * 5, at=datetime(2026, 11, 24, tzinfo=UTC)))
    ((_, title, body),) = library.said
    assert body == (post.text if LINK in post.text else f"{post.text}\n\n{LINK}")
    assert title in {"", post.title}
    nothing_is_live(post.text, post)


def mailed(platform, *signs):
    """A letter has the tags and addresses of one that says nothing, and no words of the list's own but the list's."""
    leave = getattr(publishers.load(platform), "leave", None)
    text = f"A title\n\nTwo\nlines: {LINK}"
    link = Facet(start=text.index(LINK), end=len(text), type="link", value=LINK)
    plain = write(Post(text=text, title="A title", link=LINK, language="en", facets=(link,)), leave=leave)

    def check(post):
        letter = write(post, leave=leave)
        assert set(re.findall(r"<[^<>]*>", letter.html)) <= set(re.findall(r"<[^<>]*>", plain.html))
        assert letter.subject.replace("\u2060", "").isprintable()
        for sign in signs:
            assert letter.html.count(sign) == plain.html.count(sign)
            assert letter.text.count(sign) == plain.text.count(sign)
            assert sign not in letter.subject + letter.preheader
        nothing_is_live(post.text, post)

    return check


CHECKS = {
    "apprise": apprise,
    "smtp": mailed("smtp"),
    "listmonk": mailed("listmonk", "{{"),
    "buttondown": mailed("buttondown", "{{", "{%", "{#"),
    "mailchimp": mailed("mailchimp", "*|", "|*"),
    "mastodon": mastodon,
    "bluesky": bluesky,
    "x": plain("x", "text"),
    "telegram": telegram,
    "linkedin": linkedin,
    "discord": discord,
    "matrix": matrix,
    "devto": devto,
    "ghost": ghost,
    "googlebusiness": plain("googlebusiness", "summary"),
    "hashnode": hashnode,
    "teams": teams,
    "mattermost": mattermost,
    "nostr": nostr,
    "pinterest": pinterest,
    "tumblr": tumblr,
    "ntfy": ntfy,
    "rocketchat": rocketchat,
    "vk": vk,
    "zulip": zulip,
    "slack": slack,
    "lemmy": lemmy,
    "misskey": misskey,
    "reddit": reddit,
    "webhook": webhook,
    "wordpress": wordpress,
    "facebook": facebook,
    "threads": formed("threads", "text"),
    "farcaster": plain("farcaster", "text"),
    "instagram": formed("instagram", "caption"),
}


def test_every_platform_that_posts_is_attacked():
    # A folder on this machine (test_outbox), and what a person posts, whose reminder is a channel's (test_by_hand).
    spared = {"outbox"} | {name for name in publishers.names() if issubclass(publishers.load(name), ByHand)}
    assert set(publishers.names()) - set(CHECKS) == spared


@pytest.mark.parametrize("platform", CHECKS)
@given(title=TEXTS, sentences=st.lists(TEXTS, min_size=1, max_size=4), own=st.booleans())
@settings(max_examples=30, deadline=None)
def test_no_article_can_say_more_than_words(platform, title, sentences, own):
    template = (
        "{title}\n{summary}\n{author} · {site}\n{tags}\n{link}\n{hashtags}"
        if own
        else load_template(platform, TEMPLATES / "posts")
    )
    for post in written(platform, title, sentences, template=template):
        CHECKS[platform](post)


@pytest.mark.parametrize("platform", CHECKS)
def test_each_known_trick_is_only_words(platform):
    template = "{title}\n{summary}\n{author}\n{link}\n{hashtags}"
    for hostile in HOSTILE:
        sentence = f"They wrote {hostile} on the wall {hostile}."
        for post in written(platform, f"{hostile} stays", [sentence], template=template):
            try:
                CHECKS[platform](post)
            except Exception as error:
                error.add_note(f"the trick is {hostile!r}")
                raise
