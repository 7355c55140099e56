"""What the fixtures send, held against the API descriptions that platforms publish themselves."""

import functools
import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.test_publishers import SCENES, cases

SPECS = Path(__file__).resolve().parents[2] / "shared" / "data" / "specs"


@functools.cache
def description(name):
    path = SPECS / name
    if not path.is_file():
        pytest.skip(f"there is no {name} beside the repository")
    return json.loads(path.read_text())


def steps(platform):
    """Each request of a platform's fixture, with the request and answer as the fixture tells them."""
    for param in cases(*SCENES):
        case = param.values[0]
        if case.name == platform:
            yield from ((f"{param.id} {n}", step) for n, step in enumerate(case.exchange))


def matching(paths, path):
    """The described path that ``path`` is one of, the most literal first."""
    for template in sorted(paths, key=lambda t: t.count("{")):
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            return template
    raise AssertionError(f"{path} is not described")


def test_discord_is_asked_what_its_openapi_description_allows():
    told = description("discord-openapi.json")
    for name, step in steps("discord"):
        request = step["request"]
        path, _, query = request["url"].removeprefix("https://discord.com/api/v10").partition("?")
        template = matching(told["paths"], path)
        item = told["paths"][template]
        operation = item[request["method"].lower()]
        known = {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
        assert {pair.partition("=")[0] for pair in query.split("&") if pair} <= known, name
        parts = request.get("multipart", {})
        body = json.loads(parts["payload_json"]) if parts else request.get("json")
        if body is None:
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.validate(body, {**schema, "components": told["components"]}, cls=jsonschema.Draft202012Validator)
        assert set(body) <= properties(told, schema), name


def test_slack_is_asked_what_its_description_allows():
    told = description("slack_web_openapi_v2.json")
    # The description is of 2021 and knows neither of these: https://docs.slack.dev/reference/methods/chat.postMessage
    # and https://docs.slack.dev/reference/methods/conversations.history do.
    since = {"metadata", "include_all_metadata"}
    undescribed = {"/files.getUploadURLExternal", "/files.completeUploadExternal"}
    seen = set()
    for name, step in steps("slack"):
        request = step["request"]
        if not request["url"].startswith("https://slack.com/api"):
            continue  # the bytes of a picture, sent to the address that Slack names
        path, _, query = request["url"].removeprefix("https://slack.com/api").partition("?")
        seen.add(path)
        if path in undescribed:
            continue
        parameters = told["paths"][path][request["method"].lower()]["parameters"]
        known = {p["name"] for p in parameters} | since
        needed = {p["name"] for p in parameters if p.get("required")} - {"token"}
        sent = set(request.get("json", {})) | {pair.partition("=")[0] for pair in query.split("&") if pair}
        assert needed <= sent <= known, name
    assert seen > undescribed


def properties(told, schema):
    """The names that a schema knows, wherever in it."""
    if "$ref" in schema:
        found = told
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return properties(told, found)
    names = set(schema.get("properties", {}))
    for group in ("allOf", "oneOf", "anyOf"):
        names = names.union(*(properties(told, one) for one in schema.get(group, [])))
    return names
