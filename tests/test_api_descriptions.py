"""What the fixtures send, every request of them, held against the API descriptions that there are of the platforms."""

import functools
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import pytest

from publishers.contract.scene import SCENES
from tests.contract import subject
from tests.lexicon import Lexicons

SPECS = Path(__file__).resolve().parents[2] / "shared" / "data" / "specs"


@functools.cache
def description(name):
    path = SPECS / name
    if not path.exists():
        pytest.skip(f"there is no {name} beside the repository")
    return json.loads(path.read_text()) if path.is_file() else Lexicons(path)


def steps(platform):
    """Each request of a platform's fixture, with its name, as the fixture tells it, and its query."""
    for name, case in subject(platform).cases(*SCENES):
        for number, step in enumerate(case.exchange):
            address = urlsplit(step["request"]["url"])
            query = parse_qsl(address.query, keep_blank_values=True)
            yield f"{platform}-{name} {number}", step["request"], address.path, dict(query)


class OpenApi:
    """One OpenAPI description.

    Its ``oneOf`` are read as ``anyOf``: Mastodon's says that a status has words, pictures or a poll, and takes it with
    words and pictures.
    """

    def __init__(self, told):
        self.told = json.loads(json.dumps(told).replace('"oneOf"', '"anyOf"'))

    def resolved(self, schema):
        """What a reference points to; anything else is itself."""
        while "$ref" in schema:
            found = self.told
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def operation(self, method, path):
        """The described operation, the most literal path first."""
        for template in sorted(self.told["paths"], key=lambda t: t.count("{")):
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
                return self.told["paths"][template][method.lower()]
        raise AssertionError(f"{method} {path} is not described")

    def check(self, name, operation, query, body, kind):
        """Every parameter and every field is described, what is needed is there, and each is of the right kind."""
        parameters = [self.resolved(p) for p in operation.get("parameters", [])]
        known = {p["name"].removesuffix("[]"): p for p in parameters if p["in"] == "query"}
        assert set(query) <= set(known), name
        assert {n for n, p in known.items() if p.get("required")} <= set(query), name
        for parameter, value in query.items():
            schema = self.resolved(known[parameter].get("schema", {}))
            said = json.loads(value) if schema.get("type") in {"integer", "boolean"} else value
            if schema.get("type") == "array":
                said = value.split(",")
            self.valid(schema, said, f"{name} {parameter}")
        if body is None:
            assert not operation.get("requestBody", {}).get("required"), name
            return
        content = self.resolved(operation["requestBody"])["content"]
        schema = content[kind if kind in content else "application/json"]["schema"]
        self.valid(schema, body, name)
        assert list(self.unknown(schema, body)) == [], name

    def valid(self, schema, value, name):
        whole = {**schema, "components": self.told["components"]}
        errors = list(jsonschema.Draft202012Validator(whole).iter_errors(value))
        assert errors == [], f"{name}: {errors[:1]}"

    def unknown(self, schema, value, where=""):
        """The names in ``value``, however deep, that no part of the schema knows."""
        schema = self.resolved(schema)
        if isinstance(value, list):
            for one in value:
                yield from self.unknown(schema.get("items", {}), one, where)
        if not isinstance(value, dict):
            return
        known = self.properties(schema)
        if not known and schema.get("additionalProperties", True):
            return
        for name, one in value.items():
            if name not in known:
                yield f"{where}.{name}"
            else:
                yield from self.unknown(known[name], one, f"{where}.{name}")

    def properties(self, schema):
        """The properties that a schema knows, wherever in it."""
        schema = self.resolved(schema)
        found = {name.removesuffix("[]"): one for name, one in schema.get("properties", {}).items()}
        for group in ("allOf", "anyOf"):
            for one in schema.get(group, []):
                found |= self.properties(one)
        return found


def sent(request):
    """A request's fields and what kind of body they are in; a file is a text here, as descriptions have it."""
    if "json" in request:
        return request["json"], "application/json"
    if "form" in request:
        return request["form"], "application/x-www-form-urlencoded"
    if "multipart" in request:
        return {k: v if isinstance(v, str) else v[1] for k, v in request["multipart"].items()}, "multipart/form-data"
    return None, ""


def test_discord_is_asked_what_its_openapi_description_allows():
    api = OpenApi(description("discord-openapi.json"))
    for name, request, path, query in steps("discord"):
        operation = api.operation(request["method"], path.removeprefix("/api/v10"))
        body, _ = sent(request)
        if "multipart" in request:
            body = json.loads(request["multipart"]["payload_json"])
        api.check(name, operation, query, body, "application/json")


def test_x_is_asked_what_its_openapi_description_allows():
    api = OpenApi(description("x-openapi.xdk-specs.json"))
    undescribed = set()
    for name, request, path, query in steps("x"):
        if path == "/2/oauth2/token":  # https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code
            undescribed.add(path)
            continue
        # Its pages (https://docs.x.com/x-api/fundamentals/fields and …/conversation-id, August 2026) say tweet.fields
        # and give it referenced_tweets; the description says post.fields and has these among the expansions.
        asked = {k.replace("tweet.", "post."): v.replace(",referenced_tweets", "") for k, v in query.items()}
        api.check(name, api.operation(request["method"], path), asked, *sent(request))
    assert undescribed


def test_mastodon_is_asked_what_the_description_made_from_its_documentation_allows():
    api = OpenApi(description("mastodon-openapi.json"))
    undescribed = set()
    for name, request, path, query in steps("mastodon"):
        if "nodeinfo" in path:
            undescribed.add(path)
            continue
        operation = api.operation(request["method"], path)
        api.check(name, operation, query, *sent(request))
        told = {p["name"].lower() for p in map(api.resolved, operation.get("parameters", [])) if p["in"] == "header"}
        ours = {h.lower() for h, v in request.get("headers", {}).items() if v} - {"authorization", "content-type"}
        assert ours <= told, name
    assert undescribed == {"/.well-known/nodeinfo", "/nodeinfo/2.0"}


def test_pinterest_is_asked_what_its_openapi_description_allows():
    api = OpenApi(description("pinterest-v5-openapi.json"))
    grants = {"refresh_token": "OauthAccessTokenRequestRefresh", "authorization_code": "OauthAccessTokenRequestCode"}
    seen = set()
    for name, request, path, query in steps("pinterest"):
        asked = path.removeprefix("/v5")
        seen.add((request["method"], asked.replace("900", "{}").replace("7001", "{}")))
        body, kind = sent(request)
        if asked == "/oauth/token":  # whose body hangs on the kind of grant
            api.valid({"$ref": f"#/components/schemas/{grants[body['grant_type']]}"}, body, name)
            continue
        api.check(name, api.operation(request["method"], asked), query, body, kind)
    assert seen >= {("POST", "/pins"), ("PATCH", "/pins/{}"), ("GET", "/boards/{}/pins"), ("POST", "/oauth/token")}


def test_slack_is_asked_what_its_description_allows():
    told = description("slack_web_openapi_v2.json")
    # The description is of 2021 and knows neither of these: https://docs.slack.dev/reference/methods/chat.postMessage
    # and https://docs.slack.dev/reference/methods/conversations.history do.
    since = {"metadata", "include_all_metadata"}
    undescribed = {"/files.getUploadURLExternal", "/files.completeUploadExternal", "/oauth.v2.access"}
    seen = set()
    for name, request, address, query in steps("slack"):
        if not request["url"].startswith("https://slack.com/api"):
            continue  # the bytes of a picture, sent to the address that Slack names
        path = address.removeprefix("/api")
        seen.add(path)
        if path in undescribed:
            continue
        parameters = told["paths"][path][request["method"].lower()]["parameters"]
        known = {p["name"] for p in parameters} | since
        needed = {p["name"] for p in parameters if p.get("required")} - {"token"}
        assert needed <= {*(sent(request)[0] or {}), *query} <= known, name
    assert seen > undescribed


def test_telegram_is_asked_what_the_description_made_from_its_documentation_allows():
    told = description("telegram-bot-api.json")
    seen = set()
    for name, request, path, query in steps("telegram"):
        method = path.rpartition("/")[2]
        seen.add(method)
        body, kind = sent(request)
        if kind == "multipart/form-data":
            body = _read_form(told["methods"][method], request["multipart"], name)
        assert list(_wrong(told, told["methods"][method], {**query, **(body or {})})) == [], name
    assert seen == {
        "getMe",
        "getChat",
        "sendMessage",
        "sendPhoto",
        "editMessageText",
        "editMessageCaption",
        "editMessageMedia",
        "deleteMessage",
    }


def _read_form(described, form, name):
    """A form's fields as a Telegram method takes them; each file is a field's, or attached to one by its name.

    Numbers are texts in a form, structured fields are JSON texts: https://core.telegram.org/bots/api#making-requests,
    https://core.telegram.org/bots/api#sending-files
    """
    kinds = {f["name"]: set(f["types"]) for f in described["fields"]}
    files = {n for n, value in form.items() if not isinstance(value, str)}
    read = {}
    for field, value in form.items():
        kind = kinds.get(field, {"String"})
        if field in files:
            read[field] = value[1] if "InputFile" in kind else value
        elif "Integer" in kind and re.fullmatch(r"-?\d+", value):
            read[field] = int(value)
        else:
            read[field] = value if kind & {"String", "Integer"} else json.loads(value)
    structured = json.dumps([v for v in read.values() if isinstance(v, dict | list)])
    attached = set(re.findall(r'"attach://([^"]+)"', structured))
    assert attached == files - set(kinds), name
    return {field: value for field, value in read.items() if field not in attached}


def _wrong(told, described, given, where=""):
    """What a Telegram method or type does not allow of ``given``."""
    fields = {f["name"]: f for f in described.get("fields", [])}
    yield from (f"{where}.{n} is not described" for n in given if n not in fields)
    yield from (f"{where}.{n} is missing" for n, f in fields.items() if f["required"] and n not in given)
    kinds = {"Integer": int, "String": str, "Boolean": bool, "Float": (int, float), "InputFile": str}
    for name, value in given.items():
        types = fields[name]["types"] if name in fields else []
        if not types or any(t in kinds and isinstance(value, kinds[t]) for t in types):
            continue
        item = types[0]
        values, item = (value, item.removeprefix("Array of ")) if item.startswith("Array of ") else ([value], item)
        if item not in told["types"] or not all(isinstance(v, dict) for v in values):
            yield f"{where}.{name} is none of {types}"
            continue
        for one in values:
            yield from _wrong(told, _subtype(told, told["types"][item], one), one, f"{where}.{name}")


def _subtype(told, described, given):
    """Which of a type's subtypes is given, as its ``type`` says ("must be photo"); a type without any is itself."""
    for one in (told["types"][name] for name in described.get("subtypes", [])):
        kind = next(f for f in one["fields"] if f["name"] == "type")
        if kind["description"].endswith(f"must be {given.get('type')}"):
            return one
    return described


def test_bluesky_is_asked_what_the_lexicons_of_its_protocol_allow():
    lexicons = description("atproto-lexicons")
    undescribed, records = set(), 0
    for name, request, path, query in steps("bluesky"):
        method = path.rpartition("/")[2]
        if lexicons.read(method) is None:  # not among the files that were kept
            undescribed.add(method)
            continue
        main = lexicons.read(method)["main"]
        assert request["method"] == ("GET" if main["type"] == "query" else "POST"), name
        if query or "parameters" in main:
            assert list(lexicons.wrong({**main["parameters"], "type": "object"}, query, method)) == [], name
        if "json" in request:
            assert list(lexicons.wrong(main["input"]["schema"], request["json"], method)) == [], name
            records += "record" in request["json"]
        else:
            assert "schema" not in main.get("input", {}), name
    assert undescribed == {"app.bsky.feed.getPosts", "com.atproto.identity.resolveHandle"}
    assert records >= 4


def test_a_request_that_the_descriptions_do_not_allow_is_found():
    lexicons = description("atproto-lexicons")
    record = {"$type": "app.bsky.feed.post", "text": "a" * 301, "createdAt": "today", "tag": 1}
    assert list(lexicons.wrong({"type": "unknown"}, record, "")) == [
        ".text has too many graphemes",
        ".createdAt is no datetime: today",
        ".tag is not described",
    ]
    told = description("telegram-bot-api.json")
    message = {"text": 1, "reply_parameters": {"message": 1}}
    assert list(_wrong(told, told["methods"]["sendMessage"], message)) == [
        ".chat_id is missing",
        ".text is none of ['String']",
        ".reply_parameters.message is not described",
        ".reply_parameters.message_id is missing",
    ]
    media, file = told["methods"]["editMessageMedia"], ["picture", "<picture 1>", "image/jpeg"]
    form = {"message_id": "77th", "media": json.dumps({"type": "photo", "media": "attach://picture", "alt": "A quay"})}
    assert list(_wrong(told, media, _read_form(media, {**form, "picture": file}, ""))) == [
        ".message_id is none of ['Integer']",
        ".media.alt is not described",
    ]
    assert list(_wrong(told, media, {"media": {"type": "card", "media": "1"}})) == [
        ".media.type is not described",
        ".media.media is not described",
    ]
    for files in ({}, {"photo": file}, {"picture": file, "another": file}):
        with pytest.raises(AssertionError):
            _read_form(media, {**form, **files}, "")
    api = OpenApi(description("x-openapi.xdk-specs.json"))
    operation = api.operation("POST", "/2/tweets")
    for body in ({"text": "a", "reply": {"to": "1"}}, {"text": 1}):
        with pytest.raises(AssertionError):
            api.check("", operation, {}, body, "application/json")
