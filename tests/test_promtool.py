"""Prometheus' own tool takes our rules, finds that each wakes when it should, and reads every query of the dashboard."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
TESTS = ROOT / "deploy" / "prometheus" / "tests.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "handbill.json"
TOOL = shutil.which("promtool", path="/usr/local/bin:/usr/bin:/usr/local/share/handbill-test/usr/bin")
needs_promtool = pytest.mark.skipif(TOOL is None, reason="promtool (Debian's package prometheus) is not installed")


def promtool(*words):
    done = subprocess.run([TOOL, *words], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def alerts():
    return [rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@needs_promtool
def test_the_rules_are_rules():
    code, said = promtool("check", "rules", str(RULES))
    assert code == 0, said
    assert f"{len(alerts())} rules found" in said


@needs_promtool
def test_each_rule_wakes_when_it_should_and_is_quiet_otherwise():
    code, said = promtool("test", "rules", str(TESTS))
    assert code == 0, said


@needs_promtool
def test_a_rule_that_never_wakes_is_found(tmp_path):
    shutil.copy(TESTS, tmp_path)
    text = RULES.read_text()
    assert "handbill_late_posts > 0" in text
    (tmp_path / "alerts.yaml").write_text(text.replace("handbill_late_posts > 0", "handbill_late_posts > 99"))
    code, said = promtool("test", "rules", str(tmp_path / TESTS.name))
    assert code != 0
    assert "HandbillLate" in said


@needs_promtool
def test_every_query_of_the_dashboard_is_one(tmp_path):
    queries = [t["expr"] for p in json.loads(DASHBOARD.read_text())["panels"] for t in p.get("targets", [])]
    assert len(queries) > 20
    rules = [{"record": f"shown:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "dashboard.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    code, said = promtool("check", "rules", str(path))
    assert code == 0, said
    path.write_text(yaml.safe_dump({"groups": [{"name": "d", "rules": [{"record": "x", "expr": "sum by (a (b)"}]}]}))
    assert promtool("check", "rules", str(path))[0] != 0


def test_every_rule_has_a_case_in_which_it_wakes_and_one_in_which_it_does_not():
    cases = [c for t in yaml.safe_load(TESTS.read_text())["tests"] for c in t["alert_rule_test"]]
    assert {c["alertname"] for c in cases if c.get("exp_alerts")} == set(alerts())
    assert {c["alertname"] for c in cases if not c.get("exp_alerts")} == set(alerts())
