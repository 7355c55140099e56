"""Makes handbill.json, the dashboard, from the few lines that say what is on it: python deploy/grafana/make.py."""

from __future__ import annotations

import json
from pathlib import Path

ROWS = [
    ("Late, double or unknown?", [
        ("Late", "stat", [("handbill_late_posts", "")], "red above 0"),
        ("Double", "stat", [("handbill_double_posts", "")], "red above 0"),
        ("Unknown", "stat", [('sum(handbill_deliveries{status=~"unconfirmed|parked"})', "")], "red above 0"),
        ("Oldest overdue", "stat", [("handbill_overdue_seconds", "")], "s"),
        ("Store on disk", "stat", [("handbill_redis_persistence_ok", "")], "ok at 1"),
        ("Publishing workers", "stat", [('handbill_workers_alive{pool="publish"}', "")], "ok at 1"),
    ]),
    ("Posts", [
        ("Deliveries by status", "timeseries", [("handbill_deliveries", "{{status}}")], ""),
        ("Published a minute, by platform", "timeseries",
         [('sum by (platform) (rate(handbill_attempts_total{status="published"}[5m])) * 60', "{{platform}}")], ""),
        ("Turns a minute, by what came of them", "timeseries",
         [("sum by (status) (rate(handbill_attempts_total[5m])) * 60", "{{status}}")], ""),
        ("Changed after they were posted, to be decided", "timeseries", [("handbill_open_changes", "articles")], ""),
        ("Lateness", "timeseries", [
            ("histogram_quantile(0.5, sum by (le) (rate(handbill_lateness_seconds_bucket[15m])))", "half"),
            ("histogram_quantile(0.99, sum by (le) (rate(handbill_lateness_seconds_bucket[15m])))", "99 of 100"),
        ], "s"),
    ]),
    ("Workers", [
        ("Due and not taken up", "timeseries", [("handbill_pool_due", "{{pool}}")], ""),
        ("Wake-ups outstanding", "timeseries", [("handbill_pool_waking", "{{pool}}")], ""),
        ("Since the last canary", "timeseries", [("handbill_canary_age_seconds", "{{worker}}")], "s"),
        ("Leases lost a minute", "timeseries", [("sum by (status) (rate(handbill_lost_leases_total[5m])) * 60", "{{status}}")], ""),
    ]),
    ("Accounts and sources", [
        ("Token days left", "timeseries", [("handbill_token_days_left", "{{account}}")], "d"),
        ("Posts that budgets allow now", "timeseries", [("handbill_rate_left", "{{account}}")], ""),
        ("Paused", "timeseries", [("handbill_paused_scopes", "{{kind}}")], ""),
        ("What sources brought", "timeseries", [("handbill_items", "{{fate}}")], ""),
    ]),
    ("Store", [
        ("Memory", "timeseries", [("handbill_redis_memory_bytes", "used"), ("handbill_redis_memory_limit_bytes", "limit")], "bytes"),
        ("Evicted keys", "timeseries", [("increase(handbill_redis_evicted_keys_total[10m])", "evicted")], ""),
    ]),
]  # fmt: skip
"""Row, its panels: title, kind, queries with their legends, and the unit or when a number is red."""

RED = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": 1}]}
OK_AT_ONE = {"mode": "absolute", "steps": [{"color": "red", "value": None}, {"color": "green", "value": 1}]}


def panel(number: int, title: str, kind: str, queries: list[tuple[str, str]], unit: str, place: dict[str, int]) -> dict:
    """One panel as Grafana wants it."""
    defaults: dict = {"unit": unit if unit in {"s", "d", "bytes"} else "short"}
    if unit == "red above 0":
        defaults["thresholds"] = RED
    elif unit == "ok at 1":
        defaults["thresholds"] = OK_AT_ONE
    source = {"type": "prometheus", "uid": "${source}"}
    targets = [
        {"refId": chr(65 + n), "expr": query, "legendFormat": legend, "datasource": source}
        for n, (query, legend) in enumerate(queries)
    ]
    return {
        "id": number, "title": title, "type": kind, "datasource": source, "gridPos": place, "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []}, "options": {},
    }  # fmt: skip


def dashboard() -> dict:
    """Everything, row by row."""
    panels, y, number = [], 0, 0
    for title, found in ROWS:
        number += 1
        panels.append(
            {
                "id": number,
                "title": title,
                "type": "row",
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
                "panels": [],
            }
        )
        y += 1
        width, height = 24 // len(found), 4 if found[0][1] == "stat" else 8
        for index, (name, kind, queries, unit) in enumerate(found):
            number += 1
            panels.append(
                panel(number, name, kind, queries, unit, {"x": index * width, "y": y, "w": width, "h": height})
            )
        y += height
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": "handbill", "title": "Handbill", "tags": ["handbill"], "schemaVersion": 39, "version": 1, "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"}, "timezone": "utc", "templating": {"list": [source]}, "panels": panels,
    }  # fmt: skip


if __name__ == "__main__":
    (Path(__file__).parent / "handbill.json").write_text(json.dumps(dashboard(), indent=1) + "\n")
