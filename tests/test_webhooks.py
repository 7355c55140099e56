"""Webhooks: each publishing system's signature as it makes it, every way to forge one, and what its words mean."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from worker.intake.webhooks import SCHEMES, Kind, Mapped, Sent, Unreadable, Unverified, kind_of, receive

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MS = str(round(NOW.timestamp() * 1000))
S = str(round(NOW.timestamp()))
SECRET = "a-secret-of-32-letters-and-more!"
URL = "https://lantern.example/tide-gates/"


def sign(body, secret=SECRET, method="sha256"):
    return hmac.new(secret.encode(), body, method).digest()


def ghost(post, *, secret=SECRET, t=MS, name="post"):
    body = json.dumps({name: post}).encode()
    return Sent({"x-ghost-signature": f"sha256={sign(body + t.encode(), secret).hex()}, t={t}"}, body)


def standard(data, *, secret=SECRET, t=S, identity="msg_1", version="v1"):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    signed = f"{identity}.{t}.".encode() + body
    if isinstance(secret, Ed25519PrivateKey):
        signature = secret.sign(signed)
    else:
        signature = hmac.new(secret if isinstance(secret, bytes) else secret.encode(), signed, "sha256").digest()
    given = f"v1,bm90IHRoaXM= {version},{base64.b64encode(signature).decode()}"
    return Sent({"webhook-id": identity, "webhook-timestamp": t, "webhook-signature": given}, body)


def github(data, *, secret=SECRET, event="push", delivery="72d3162e"):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    headers = {"x-hub-signature-256": "sha256=" + sign(body, secret).hex(), "x-github-event": event}
    return Sent({**headers, "x-github-delivery": delivery, "content-type": "application/json"}, body)


def contentful(data, *, secret=SECRET, t=MS, topic="ContentManagement.Entry.publish", path="/hooks/abc"):
    body = json.dumps(data).encode()
    names = "x-contentful-signed-headers,x-contentful-timestamp"
    line = f"POST\n{path}\nx-contentful-signed-headers:{names};x-contentful-timestamp:{t}\n".encode()
    headers = {
        "x-contentful-signature": sign(line + body, secret).hex(),
        "x-contentful-signed-headers": names,
        "x-contentful-timestamp": t,
        "x-contentful-topic": topic,
    }
    return Sent(headers, body, path=path)


def sanity(data, *, secret=SECRET, t=MS, operation="create"):
    body = json.dumps(data).encode()
    signature = base64.urlsafe_b64encode(sign(f"{t}.".encode() + body, secret)).decode().rstrip("=")
    return Sent({"sanity-webhook-signature": f"t={t},v1={signature}", "sanity-operation": operation}, body)


def press(data, *, secret=SECRET, name="x-wp-webhook-signature"):
    body = json.dumps(data).encode()
    return Sent({name: base64.b64encode(sign(body, secret)).decode(), "content-type": "application/json"}, body)


def bearer(data, *, secret=SECRET, **headers):
    return Sent({"authorization": f"Bearer {secret}", **headers}, json.dumps(data).encode())


def listen(scheme, sent, *secrets, now=NOW, mapped=None):
    return receive(scheme, sent, secrets or [SECRET], now=now, mapped=mapped)


PUBLISHED = {
    "ghost": ghost({"current": {"id": "1", "status": "published", "url": URL, "updated_at": "2026-11-25T11:59:58.000Z"}, "previous": {"status": "draft"}}),
    "wordpress": press({"post_id": 7, "post": {"post_status": "publish"}, "post_permalink": URL}),
    "standard": standard({"type": "article.published", "data": {"url": URL, "id": "a1"}}),
    "github": github({"ref": "refs/heads/main", "repository": {"default_branch": "main"}}),
    "contentful": contentful({"sys": {"type": "Entry", "id": "e1", "revision": 1}, "fields": {"url": {"en-US": URL}}}),
    "sanity": sanity({"_id": "s1", "url": URL}),
    "strapi": bearer({"event": "entry.publish", "model": "article", "entry": {"id": 3, "url": URL}}),
    "json": bearer({"event": "published", "url": URL}),
}  # fmt: skip


def changed(sent, **values):
    return Sent(values.get("headers", sent.headers), values.get("body", sent.body), path=values.get("path", sent.path))


# Signatures


def test_every_scheme_has_an_example():
    assert set(PUBLISHED) == set(SCHEMES)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_signed_is_believed(scheme):
    event = listen(scheme, PUBLISHED[scheme])
    if scheme == "github":
        assert (event.kind, event.url) == (Kind.CHANGED, "")
    else:
        assert (event.kind, event.url) == (Kind.PUBLISHED, URL)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_several_secrets_are_tried_so_that_one_can_be_changed(scheme):
    assert listen(scheme, PUBLISHED[scheme], "the-new-one", SECRET) == listen(scheme, PUBLISHED[scheme])
    assert listen(scheme, PUBLISHED[scheme], SECRET, "the-old-one") == listen(scheme, PUBLISHED[scheme])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_the_secret_nothing_is_believed(scheme):
    for secrets in (["another"], ["another", "and-another"], [SECRET + "!"], [""], ["", ""]):
        with pytest.raises(Unverified):
            listen(scheme, PUBLISHED[scheme], *secrets)
    with pytest.raises(Unverified, match="no secret"):
        receive(scheme, PUBLISHED[scheme], [], now=NOW)


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s not in {"strapi", "json"}])
def test_one_bit_of_the_body_changed_and_nothing_is_believed(scheme):
    sent = PUBLISHED[scheme]
    for at in range(len(sent.body)):
        forged = bytearray(sent.body)
        forged[at] ^= 1
        with pytest.raises(Unverified):
            listen(scheme, changed(sent, body=bytes(forged)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_header_taken_away_or_emptied_and_nothing_is_believed(scheme):
    sent = PUBLISHED[scheme]
    proving = [h for h in sent.headers if "signature" in h or "timestamp" in h or h in {"webhook-id", "authorization"}]
    assert proving
    for name in proving:
        for value in (None, "", "sha256=", "v1,", "x" * 64, "Bearer ", "é", sent.headers[name][:-2]):
            headers = {k: v for k, v in sent.headers.items() if k != name}
            if value is not None:
                headers[name] = value
            with pytest.raises(Unverified):
                listen(scheme, changed(sent, headers=headers))


@pytest.mark.parametrize("scheme", ["ghost", "standard", "contentful", "sanity"])
@pytest.mark.parametrize("minutes", [-5.1, 5.1, -60, 60, -60 * 24 * 365])
def test_what_was_signed_more_than_five_minutes_away_is_refused(scheme, minutes):
    with pytest.raises(Unverified, match="five minutes"):
        listen(scheme, PUBLISHED[scheme], now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("scheme", ["ghost", "standard", "contentful", "sanity"])
@pytest.mark.parametrize("minutes", [-4.9, 4.9])
def test_what_was_signed_within_five_minutes_is_taken(scheme, minutes):
    assert listen(scheme, PUBLISHED[scheme], now=NOW + timedelta(minutes=minutes)).url == URL


@pytest.mark.parametrize("stamp", ["", "0", "-1", "1e9", "nan", "١٧٦٤٠٧٢٠٠٠", "9" * 17, "1764072000 ", "0x69258d40"])
def test_a_time_that_is_none_is_refused(stamp):
    with pytest.raises(Unverified):
        listen("ghost", ghost({}, t=stamp))
    with pytest.raises(Unverified):
        listen("standard", standard({}, t=stamp))


def test_a_clock_that_was_changed_breaks_the_signature():
    later = str(int(MS) + 60_000)
    header = PUBLISHED["ghost"].headers["x-ghost-signature"].replace(MS, later)
    with pytest.raises(Unverified, match="does not fit"):
        listen("ghost", changed(PUBLISHED["ghost"], headers={"x-ghost-signature": header}))


def test_githubs_own_example_fits():
    # https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, read 2026-11-25
    wanted = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    sent = Sent({"x-hub-signature-256": f"sha256={wanted}"}, b"Hello, World!")
    with pytest.raises(Unreadable):  # it is signed, and no JSON
        listen("github", sent, "It's a Secret to Everybody")
    with pytest.raises(Unverified):
        listen("github", sent, "It's a Secret to Nobody")


def test_standard_webhooks_secrets_are_base64_and_may_be_bare():
    key = bytes(range(24, 56))
    shown = "whsec_" + base64.b64encode(key).decode()
    assert listen("standard", standard({"type": "x.created", "data": {}}, secret=key), shown).kind is Kind.CHANGED
    assert listen("standard", standard({"type": "x.created", "data": {}}, secret=key), shown[6:]).kind is Kind.CHANGED
    with pytest.raises(Unverified):
        listen("standard", standard({}, secret=shown), shown)


def test_standard_webhooks_may_sign_with_a_key_pair():
    key = Ed25519PrivateKey.generate()
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    sent = standard({"type": "article.published", "data": {"url": URL}}, secret=key, version="v1a")
    assert listen("standard", sent, public).url == URL
    for wrong in ("whpk_", "whpk_!!", "whpk_" + base64.b64encode(bytes(32)).decode(), "whpk_AAAA"):
        with pytest.raises(Unverified):
            listen("standard", sent, wrong)
    with pytest.raises(Unverified):  # a public key is no shared secret
        listen("standard", standard({}, secret=public), public)


def test_an_id_with_a_full_stop_could_shift_the_signed_words_and_is_refused():
    body = b'{"type": "a.published"}'
    shifted = Sent({**standard(body, identity="a.b").headers}, body)
    with pytest.raises(Unverified):
        listen("standard", shifted)


def test_contentful_signs_the_path_and_the_named_headers():
    sent = PUBLISHED["contentful"]
    with pytest.raises(Unverified):
        listen("contentful", changed(sent, path="/hooks/abcd"))
    without = {**sent.headers, "x-contentful-signed-headers": "x-contentful-signed-headers"}
    with pytest.raises(Unverified):
        listen("contentful", changed(sent, headers=without))


def test_woocommerce_and_wp_webhooks_sign_alike():
    data = {"id": 7, "status": "publish", "link": URL}
    for name in ("x-wp-webhook-signature", "x-wc-webhook-signature"):
        assert listen("wordpress", press(data, name=name)).url == URL
        with pytest.raises(Unverified):
            listen("wordpress", press(data, name=name, secret="another"))


@pytest.mark.parametrize("scheme", ["json", "strapi", "wordpress"])
def test_a_signature_that_does_not_fit_is_not_saved_by_the_secret_beside_it(scheme):
    sent = bearer({"url": URL}, **{"x-hub-signature-256": "sha256=" + "0" * 64})
    with pytest.raises(Unverified):
        listen(scheme, sent)


def test_plain_json_may_be_signed_in_the_usual_headers():
    body = json.dumps({"url": URL}).encode()
    for name, value in (
        ("x-hub-signature-256", "sha256=" + sign(body).hex()),
        ("x-webhook-signature", sign(body).hex()),
        ("x-signature", "sha256=" + sign(body).hex().upper()),
        ("x-webhook-secret", SECRET),
        ("authorization", f"bearer {SECRET}"),
    ):
        assert listen("json", Sent({name: value}, body)).url == URL
    with pytest.raises(Unverified):
        listen("json", Sent({"authorization": f"Basic {SECRET}"}, body))


# What they mean

GHOST = {"id": "6748", "title": "Tide gates", "url": URL, "updated_at": "2026-11-25T11:59:58.000Z", "published_at": "2026-11-25T11:59:58.000Z"}  # fmt: skip


@pytest.mark.parametrize(
    ("current", "previous", "kind"),
    [
        ({"status": "published"}, {"status": "draft"}, Kind.PUBLISHED),
        ({"status": "published"}, {"status": "scheduled", "updated_at": "2026-11-24T10:00:00.000Z"}, Kind.PUBLISHED),
        ({"status": "published"}, {}, Kind.PUBLISHED),  # post.added
        ({"status": "published"}, {"title": "Tide gate"}, Kind.UPDATED),
        ({"status": "draft"}, {"status": "published"}, Kind.UNPUBLISHED),
        ({"status": "draft"}, {"title": "Tide gate"}, Kind.NOTHING),
        ({"status": "scheduled"}, {"status": "draft"}, Kind.NOTHING),
        ({"status": "sent"}, {"status": "draft"}, Kind.NOTHING),  # by e-mail only
    ],
)
def test_ghost_sends_a_post_before_and_after(current, previous, kind):
    event = listen("ghost", ghost({"current": {**GHOST, **current}, "previous": previous}))
    assert (event.kind, event.id, event.title, event.url) == (kind, "6748", "Tide gates", URL)
    assert event.published == datetime(2026, 11, 25, 11, 59, 58, tzinfo=UTC)


def test_ghost_deletes_and_speaks_of_pages_and_tags():
    gone = listen("ghost", ghost({"current": {}, "previous": {**GHOST, "status": "published"}}))
    assert (gone.kind, gone.url) == (Kind.DELETED, URL)
    page = {"current": {**GHOST, "status": "published"}, "previous": {"status": "draft"}}
    assert listen("ghost", ghost(page, name="page")).kind is Kind.PUBLISHED
    assert listen("ghost", ghost({"current": {"id": "t"}, "previous": {}}, name="tag")).kind is Kind.NOTHING


def test_ghosts_two_webhooks_for_one_publication_are_one_event_and_an_edit_is_another():
    added = listen("ghost", ghost({"current": {**GHOST, "status": "published"}, "previous": {}}))
    published = listen(
        "ghost",
        ghost({"current": {**GHOST, "status": "published"}, "previous": {"status": "draft"}}, t=str(int(MS) + 9)),
    )
    assert added.key == published.key
    edit = {
        "current": {**GHOST, "status": "published", "updated_at": "2026-11-25T12:30:00.000Z"},
        "previous": {"html": "x"},
    }
    assert listen("ghost", ghost(edit)).key != added.key


@pytest.mark.parametrize(
    ("event", "data", "kind"),
    [
        ("push", {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}, Kind.CHANGED),
        ("push", {"ref": "refs/heads/draft", "repository": {"default_branch": "main"}}, Kind.NOTHING),
        ("push", {"ref": "refs/heads/", "repository": {}}, Kind.NOTHING),
        ("release", {"action": "published"}, Kind.CHANGED),
        ("release", {"action": "created"}, Kind.NOTHING),
        ("deployment_status", {"deployment_status": {"state": "success"}}, Kind.CHANGED),
        ("deployment_status", {"deployment_status": {"state": "pending"}}, Kind.NOTHING),
        ("page_build", {"build": {"status": "built"}}, Kind.CHANGED),
        ("workflow_run", {"action": "completed", "workflow_run": {"conclusion": "success"}}, Kind.CHANGED),
        ("workflow_run", {"action": "completed", "workflow_run": {"conclusion": "failure"}}, Kind.NOTHING),
        ("ping", {"zen": "Design for failure."}, Kind.NOTHING),
        ("issues", {"action": "opened"}, Kind.NOTHING),
    ],
)
def test_github_says_when_a_site_of_files_was_built(event, data, kind):
    found = listen("github", github(data, event=event))
    assert (found.kind, found.key) == (kind, "72d3162e")


def test_github_may_send_a_form():
    body = b"payload=" + json.dumps({"action": "published"}).encode()
    sent = github(body, event="release")
    sent = changed(sent, headers={**sent.headers, "content-type": "application/x-www-form-urlencoded"})
    assert listen("github", sent).kind is Kind.CHANGED


@pytest.mark.parametrize(
    ("kind_of_entry", "topic", "revision", "kind"),
    [
        ("Entry", "publish", 1, Kind.PUBLISHED),
        ("Entry", "publish", 4, Kind.UPDATED),
        ("Entry", "save", 1, Kind.NOTHING),
        ("Asset", "publish", 1, Kind.NOTHING),
        ("DeletedEntry", "unpublish", 4, Kind.UNPUBLISHED),
        ("DeletedEntry", "delete", 4, Kind.DELETED),
    ],
)
def test_contentful_entries(kind_of_entry, topic, revision, kind):
    data = {"sys": {"type": kind_of_entry, "id": "e", "revision": revision}, "fields": {"slug": {"de": "sturm flut"}}}
    mapped = Mapped(url="https://lantern.example/{fields.slug.de}/")
    event = listen("contentful", contentful(data, topic=f"ContentManagement.Entry.{topic}"), mapped=mapped)
    assert (event.kind, event.id) == (kind, "e")
    assert event.url == "https://lantern.example/sturm%20flut/"


def test_sanity_documents():
    document = {"_id": "s1", "_rev": "r1", "slug": {"current": "tide-gates"}}
    mapped = Mapped(url="https://lantern.example/{slug.current}/")
    kinds = {
        o: listen("sanity", sanity(document, operation=o), mapped=mapped).kind for o in ("create", "update", "delete")
    }
    assert kinds == {"create": Kind.PUBLISHED, "update": Kind.UPDATED, "delete": Kind.DELETED}
    assert listen("sanity", sanity(document), mapped=mapped).url == URL
    assert listen("sanity", sanity({**document, "_id": "drafts.s1"}), mapped=mapped).kind is Kind.NOTHING


def test_strapi_entries():
    entry = {"documentId": "d1", "slug": "tide-gates", "updatedAt": "2026-11-25T11:00:00.000Z", "publishedAt": None}
    mapped = Mapped(url="https://lantern.example/{entry.slug}/")

    def kind(event, **values):
        sent = bearer({"event": event, "model": "article", "entry": {**entry, **values}})
        return listen("strapi", sent, mapped=mapped).kind

    assert kind("entry.publish") is Kind.PUBLISHED
    assert kind("entry.unpublish") is Kind.UNPUBLISHED
    assert kind("entry.delete") is Kind.DELETED
    assert kind("entry.update") is Kind.NOTHING
    assert kind("entry.update", publishedAt="2026-11-25T10:00:00.000Z") is Kind.UPDATED
    assert kind("media.create") is Kind.NOTHING
    assert kind("trigger-test") is Kind.NOTHING
    assert listen("strapi", bearer({"event": "entry.publish", "entry": {"id": 3}})).kind is Kind.CHANGED


REST = {"id": 7, "link": URL, "status": "publish", "date_gmt": "2026-11-25T11:59:00", "modified_gmt": "2026-11-25T11:59:00", "title": {"rendered": "Tide gates"}}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, Kind.PUBLISHED),
        ({"modified_gmt": "2026-11-25T12:30:00"}, Kind.UPDATED),
        ({"date_gmt": "2026-11-25T12:30:00"}, Kind.PUBLISHED),  # it was scheduled, and last changed before
        ({"status": "draft"}, Kind.UNPUBLISHED),
        ({"status": "private"}, Kind.UNPUBLISHED),
        ({"status": "trash"}, Kind.DELETED),
        ({"status": "future"}, Kind.NOTHING),
        ({"status": "inherit"}, Kind.NOTHING),
    ],
)
def test_a_post_as_the_rest_api_shows_it(values, kind):
    event = listen("wordpress", bearer({**REST, **values}))
    assert (event.kind, event.url, event.id, event.title) == (kind, URL, "7", "Tide gates")


def test_a_form_that_names_a_hook_is_only_a_reason_to_fetch():
    body = b"ID=7&post_url=https%3A%2F%2Felsewhere.example%2F&hook=publish_post"
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/x-www-form-urlencoded"}
    event = listen("wordpress", Sent(headers, body))
    assert (event.kind, event.url) == (Kind.CHANGED, "")
    assert listen("wordpress", Sent(headers, b"comment_ID=7&hook=comment_post")).kind is Kind.NOTHING
    assert listen("wordpress", press({"action": "publish_post", "arg": 7})).kind is Kind.CHANGED


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("article.published", Kind.PUBLISHED),
        ("post.published.edited", Kind.UPDATED),
        ("entry.unpublish", Kind.UNPUBLISHED),
        ("ArticleDeleted", Kind.DELETED),
        ("content_updated", Kind.UPDATED),
        ("PUBLISH", Kind.PUBLISHED),
        ("site.deployed", Kind.CHANGED),
        ("invoice.paid", Kind.NOTHING),
        ("", Kind.NOTHING),
    ],
)
def test_names_of_events(name, kind):
    assert kind_of(name) is kind


def test_a_body_of_no_fixed_shape_is_read_where_one_says():
    data = {
        "what": "story.live",
        "story": {"uri": "a b/ü", "no": 12, "at": "2026-11-25T13:00:00+01:00", "names": [{"t": "Tide"}]},
    }
    mapped = Mapped(
        url="https://lantern.example/{story.uri}",
        id="story.no",
        event="what",
        title="story.names.0.t",
        published="story.at",
    )
    event = listen("json", bearer(data), mapped=mapped)
    assert (event.kind, event.url, event.id, event.title) == (
        Kind.PUBLISHED, "https://lantern.example/a%20b/%C3%BC", "12", "Tide",
    )  # fmt: skip
    assert event.published == NOW


@pytest.mark.parametrize(
    "slug",
    ["", None, "../../admin", "..", "./x", ["x"], {"x": 1}, True, 10**40, "//evil.example/", "http://evil.example/"],
)
def test_a_slug_cannot_leave_the_site(slug):
    mapped = Mapped(url="https://lantern.example/{slug}")
    event = listen("json", bearer({"slug": slug}), mapped=mapped)
    assert event.url == "" or event.url.startswith("https://lantern.example/")
    assert ".." not in event.url


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "file:///etc/passwd", "https://", "https://a:b@lantern.example/", "https://a b/", "//x/y",
     "https://lantern.example/\r\nX: y", "https://[::1", "https://lantern.example/" + "a" * 3000, 7, None, ["https://a.example/"]],
)  # fmt: skip
def test_an_address_that_is_none_is_a_reason_to_fetch(address):
    event = listen("json", bearer({"url": address}))
    assert (event.kind, event.url) == (Kind.CHANGED, "")


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000]
)
@pytest.mark.parametrize("scheme", ["ghost", "standard", "github", "sanity", "json", "strapi", "contentful"])
def test_a_signed_body_that_is_no_object_is_said_to_be_none(scheme, body):
    if scheme in {"json", "strapi"}:
        sent = Sent({"authorization": f"Bearer {SECRET}"}, body)
    elif scheme == "github":
        sent = github(body)
    elif scheme == "standard":
        sent = standard(body)
    elif scheme == "ghost":
        sent = Sent({"x-ghost-signature": f"sha256={sign(body + MS.encode()).hex()}, t={MS}"}, body)
    elif scheme == "sanity":
        signature = base64.urlsafe_b64encode(sign(f"{MS}.".encode() + body)).decode().rstrip("=")
        sent = Sent({"sanity-webhook-signature": f"t={MS},v1={signature}"}, body)
    else:
        names = "x-contentful-timestamp"
        line = f"POST\n/\nx-contentful-timestamp:{MS}\n".encode()
        headers = {"x-contentful-signature": sign(line + body).hex(), "x-contentful-timestamp": MS}
        sent = Sent({**headers, "x-contentful-signed-headers": names}, body)
    with pytest.raises(Unreadable):
        listen(scheme, sent)


def test_a_form_of_a_thousand_fields_is_refused():
    headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/x-www-form-urlencoded"}
    for scheme in ("wordpress", "json"):
        with pytest.raises(Unreadable, match="fields"):
            listen(scheme, Sent(headers, b"a=1&" * 1000))


def test_the_same_body_twice_has_one_key_and_another_has_another():
    for scheme, sent in PUBLISHED.items():
        assert listen(scheme, sent).key == listen(scheme, sent).key, scheme
    one, two = (listen("json", bearer({"url": URL, "n": n})).key for n in (1, 2))
    assert one != two
    assert listen("json", bearer({"url": URL}, **{"idempotency-key": "k-1"})).key == "k-1"
    assert hashlib.sha256(bearer({"url": URL, "n": 1}).body).hexdigest() == one
