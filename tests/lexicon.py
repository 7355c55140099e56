"""What the AT Protocol's own schema files (lexicons, https://atproto.com/specs/lexicon) allow, as far as posts need it."""

import functools
import json
import re

import regex

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
FORMATS = {
    "datetime": MOMENT,
    "uri": re.compile(r"[a-z][a-z0-9.+-]*:\S+"),
    "at-uri": re.compile(r"at://[^/\s]+(/[^/\s]+){0,2}"),
    "did": re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]+"),
    "at-identifier": re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]+|[A-Za-z0-9.-]+"),
    "handle": re.compile(r"([a-z0-9-]+\.)+[a-z0-9-]+", re.IGNORECASE),
    "nsid": re.compile(r"[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+"),
    "record-key": re.compile(r"[A-Za-z0-9._:~-]{1,512}"),
    "tid": re.compile(r"[234567a-j][234567a-z]{12}"),
    "cid": re.compile(r"\S{4,}"),
    "language": re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*"),
}
KINDS = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


class Lexicons:
    """The files below one folder."""

    def __init__(self, folder):
        self.folder = folder

    @functools.lru_cache(maxsize=64)  # noqa: B019 - a handful of files, for one test run
    def read(self, name):
        path = self.folder / f"{name.replace('.', '/')}.json"
        return json.loads(path.read_text())["defs"] if path.is_file() else None

    def wrong(self, schema, value, home, where=""):
        """Everything about ``value`` that ``schema``, which stands in the lexicon ``home``, does not allow."""
        match schema["type"]:
            case "ref":
                yield from self._named(schema["ref"], value, home, where)
            case "union":
                yield from self._union(schema, value, home, where)
            case "unknown":
                yield from self._record(value, where)
            case "blob":
                yield from _blob(schema, value, where)
            case kind if type(value) is not KINDS[kind]:
                yield f"{where} is no {kind}"
            case "object":
                yield from self._object(schema, value, home, where)
            case "array":
                yield from self._array(schema, value, home, where)
            case "string":
                yield from _string(schema, value, where)

    def _object(self, schema, value, home, where):
        known, nullable = schema.get("properties", {}), schema.get("nullable", [])
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}.{name} is missing"
        for name, one in value.items():
            if name == "$type":
                continue
            if name not in known:
                yield f"{where}.{name} is not described"
            elif one is not None or name not in nullable:
                yield from self.wrong(known[name], one, home, f"{where}.{name}")

    def _array(self, schema, value, home, where):
        if len(value) > schema.get("maxLength", len(value)):
            yield f"{where} is too long"
        for number, one in enumerate(value):
            yield from self.wrong(schema["items"], one, home, f"{where}[{number}]")

    def _named(self, ref, value, home, where):
        name, _, place = ref.partition("#")
        defs = self.read(name or home)
        assert defs is not None, f"there is no lexicon {name}"
        yield from self.wrong(defs[place or "main"], value, name or home, where)

    def _union(self, schema, value, home, where):
        refs = {r if not r.startswith("#") else home + r for r in schema["refs"]}
        if value.get("$type") not in refs:
            yield f"{where} is none of {sorted(refs)}"
        else:
            yield from self._named(value["$type"], value, home, where)

    def _record(self, value, where):
        defs = self.read(value["$type"])
        if defs is not None:
            yield from self.wrong(defs["main"]["record"], value, value["$type"], where)


def _string(schema, value, where):
    if len(value.encode()) > schema.get("maxLength", len(value.encode())):
        yield f"{where} has too many bytes"
    clusters = len(regex.findall(r"\X", value))
    if clusters > schema.get("maxGraphemes", clusters):
        yield f"{where} has too many graphemes"
    if (wanted := FORMATS.get(schema.get("format", ""))) and not wanted.fullmatch(value):
        yield f"{where} is no {schema['format']}: {value}"
    if value not in schema.get("enum", [value]):
        yield f"{where} may not be {value}"


def _blob(schema, value, where):
    if set(value) != {"$type", "ref", "mimeType", "size"} or value["$type"] != "blob":
        yield f"{where} is no blob"
    elif value["size"] > schema.get("maxSize", value["size"]):
        yield f"{where} is too large"
    elif not any(re.fullmatch(a.replace("*", ".*"), value["mimeType"]) for a in schema.get("accept", ["*"])):
        yield f"{where} may not be {value['mimeType']}"
