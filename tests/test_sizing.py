"""The day that sizes are measured with has the waves that it says, and every delivery of it lives its whole life."""

from __future__ import annotations

import pytest

from bench import sizing
from bench.sizing import DAY, MINUTES, PEAK, START, limits, run, size, timetable, wave

MEASURED = {
    "bytes_a_delivery": 1600,
    "bytes_an_article": 6000,
    "redis_cpu_us_a_delivery": 500,
    "disk_bytes_a_delivery": 6000,
}


@pytest.mark.parametrize("a_day", [1000, 999_983, 10_000_000])
def test_a_day_has_its_number_in_waves_and_in_order(a_day):
    rows = list(timetable(a_day, MINUTES)) if a_day < 10_000_000 else list(timetable(a_day, 60))
    counts = [len(instants) for _, instants in rows]
    assert sum(counts) == pytest.approx(a_day * len(rows) / MINUTES, abs=1)
    assert max(counts) == pytest.approx(a_day / MINUTES * PEAK, abs=1)
    every = [instant for _, instants in rows for instant in instants]
    assert every == sorted(every)
    assert every[0] >= START
    assert every[-1] < START + 60 * len(rows)
    assert sum(wave(minute) for minute in range(60)) == pytest.approx(60)


def test_the_first_limit_is_the_one_that_the_fewest_deliveries_reach():
    found = limits(MEASURED)
    assert list(found.values()) == sorted(found.values())
    assert next(iter(found)).startswith("memory: 7 days kept in 16 GB")
    assert found["Redis' core: 70% of it in the busiest minute"] == round(0.7 / 500e-6 * DAY / PEAK)
    assert size(100_000, MEASURED)["beyond"] == "none"
    assert size(10_000_000, MEASURED)["beyond"] == next(iter(found))
    assert size(1_000_000, MEASURED)["redis_core_at_peak"] == pytest.approx(0.058, abs=0.001)


def test_every_delivery_of_the_hours_goes_through_the_real_scripts(monkeypatch):
    said = []
    monkeypatch.setattr(sizing, "TOGETHER", 8)
    found = run(a_day=1440, hours=2, fsync="everysec", say=said.append)
    assert found["measured"]["deliveries"] == found["measured"]["of"] == 120
    assert found["samples"][-1]["deliveries"] == 120
    assert found["measured"]["bytes_a_delivery"] > 500
    assert found["measured"]["disk_bytes_a_delivery"] > 500
    assert found["first_limit"] in found["limits"]
    assert said[-1].startswith("120 of 120")


def test_a_run_that_is_broken_off_tells_what_was_measured_so_far(monkeypatch):
    said = []
    played = sizing.Run._publish

    def broken_off(self, until):
        if self.done:
            raise KeyboardInterrupt
        played(self, until)

    monkeypatch.setattr(sizing.Run, "_publish", broken_off)
    found = run(a_day=1440, hours=3, fsync="everysec", say=said.append)["measured"]
    assert (found["deliveries"], found["of"]) == (60, 180)
    assert found["bytes_a_delivery"] > 500
    assert said[-1].startswith("60 of 180")
