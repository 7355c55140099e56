"""The dashboard is one by Grafana's own types, nothing on it overlaps, and it asks the source that is chosen on it."""

from __future__ import annotations

import copy
import itertools
import json
import warnings
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it would rather have version 2
    from grafana_foundation_sdk.models.dashboard import Dashboard

DASHBOARD = json.loads((Path(__file__).parent.parent / "deploy" / "grafana" / "handbill.json").read_text())
COLUMNS = 24
OLDEST = 36
"""The version of the schema with which Grafana began to write it down; what is older it converts."""

register_default_plugins()


def read(found):
    """The dashboard as Grafana's types have it: what they do not know is not in it any more."""
    return json.loads(JSONEncoder().encode(Dashboard.from_json(found)))


def lost(given, back, where=""):
    """What of ``given`` is not, or not so, in ``back``; that defaults were added is no matter."""
    if isinstance(given, dict) and isinstance(back, dict):
        for key, value in given.items():
            yield from lost(value, back[key], f"{where}/{key}") if key in back else [f"{where}/{key}"]
    elif isinstance(given, list) and isinstance(back, list) and len(given) == len(back):
        for number, (one, other) in enumerate(zip(given, back, strict=True)):
            yield from lost(one, other, f"{where}/{number}")
    elif given != back:
        yield where


def panels():
    return [p for p in DASHBOARD["panels"] if p["type"] != "row"]


def test_grafanas_own_types_know_everything_that_is_on_it():
    assert list(lost(DASHBOARD, read(DASHBOARD))) == []
    assert OLDEST <= DASHBOARD["schemaVersion"] <= Dashboard().schema_version


@pytest.mark.parametrize(
    ("path", "name"),
    [((), "refersh"), (("panels", 1), "gridPoz"), (("panels", 1, "targets", 0), "exprs"), (("time",), "until")],
)
def test_a_field_that_grafana_does_not_know_is_found(path, name):
    wrong = copy.deepcopy(DASHBOARD)
    place = wrong
    for step in path:
        place = place[step]
    place[name] = "x"
    assert list(lost(wrong, read(wrong))) == ["".join(f"/{p}" for p in (*path, name))]


def test_what_has_another_shape_is_found():
    wrong = copy.deepcopy(DASHBOARD)
    wrong["panels"][1]["gridPos"] = [0, 0, 4, 4]
    assert list(lost(wrong, read(wrong))) == ["/panels/1/gridPos"]


def test_every_panel_has_a_place_of_its_own_under_its_row():
    places = [(p["gridPos"], p["title"]) for p in DASHBOARD["panels"]]
    for place, title in places:
        assert place["w"] > 0, title
        assert place["h"] > 0, title
        assert 0 <= place["x"] <= COLUMNS - place["w"], title
    cells = [
        (x, y)
        for place, _ in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert DASHBOARD["panels"][0]["type"] == "row"
    rows = [place["y"] for place, title in places if place["w"] == COLUMNS]
    assert rows == sorted(rows)
    assert all(a["id"] != b["id"] for a, b in itertools.combinations(DASHBOARD["panels"], 2))


def test_it_asks_the_source_that_is_chosen_on_it_and_no_other():
    [variable] = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    for panel in panels():
        assert panel["datasource"] == chosen, panel["title"]
        assert panel["targets"], panel["title"]
        assert all(t["datasource"] == chosen and t["expr"] for t in panel["targets"]), panel["title"]
        assert len({t["refId"] for t in panel["targets"]}) == len(panel["targets"]), panel["title"]
