"""Bursts in time: reading times, the scan statistic, and the check on top."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.artifacts.expected import Known
from audit.detectors import timestamps
from audit.detectors.annotator_bursts import annotator_bursts
from audit.detectors.scan import scan, windows
from audit.detectors.timestamps import resolution, seconds, written
from audit.schema import Kind, Skipped, Support

NOON = datetime(2024, 1, 5, 10, 11, 12, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2024, 1, 5, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-05T10:11:12Z", NOON),
        (" 2024-01-05t10:11:12z ", NOON),
        ("2024-01-05 10:11:12", NOON),
        ("2024/01/05 10:11:12 UTC", NOON),
        ("2024-01-05T10:11:12.500", NOON + 0.5),
        ("2024-01-05T10:11:12.123456789Z", NOON + 0.123456),
        ("2024-01-05T12:11:12+02:00", NOON),
        ("2024-01-05T04:41:12-0530", NOON),
        ("2024-01-05 10:11:12+00", NOON),
        ("2024-1-5 10:11", NOON - 12),
        ("20240105T101112Z", NOON),
        ("Fri, 05 Jan 2024 10:11:12 GMT", NOON),
        ("Fri, 05 Jan 2024 11:11:12 +0100", NOON),
        ("Fri Jan 05 10:11:12 2024", NOON),
        ("Jan 5, 2024 10:11 AM", NOON - 12),
        ("Jan 5, 2024, 10:11:12 PM", NOON + 43_200),
        ("2024-01-05", MIDNIGHT),
        ("20240105", MIDNIGHT),
        ("January 5, 2024", MIDNIGHT),
        ("5 Jan 2024", MIDNIGHT),
        (f"{NOON:.0f}", NOON),
        (f"{NOON + 0.25:.2f}", NOON + 0.25),
        (f"{NOON:.0f}000", NOON),
        (f"{NOON:.0f}000000", NOON),
        (f"{NOON:.0f}000000000", NOON),
    ],
)
def test_common_forms_are_read(text, expected):
    assert seconds(pl.Series([text])).tolist() == pytest.approx([expected])


@pytest.mark.parametrize(
    "text",
    ["", "soon", "03/04/2024", "2024-02-30", "2024-01-05T25:00:00", "2024-01-05T10:11:12+99:99", "0", "-5", "42", "nan",
     "inf", "9" * 30, "9" * 5_000, "١٧٠٤٤٤٩٤٧٢", "1066-10-14", "2024-01-05\x00", "\u202e2024-01-05", None],
)  # fmt: skip
def test_what_is_no_time_abstains(text):
    assert np.isnan(seconds(pl.Series([text], dtype=pl.String))).all()


@given(st.datetimes(datetime(1991, 1, 1), datetime(2099, 1, 1)))
def test_what_python_writes_is_read(moment):
    moment = moment.replace(tzinfo=UTC)
    found = seconds(pl.Series([moment.isoformat(), str(moment), f"{moment:%Y%m%dT%H%M%SZ}"]))
    assert found.tolist() == pytest.approx([moment.timestamp()] * 2 + [int(moment.timestamp())], abs=1e-5)


def test_steps_in_which_times_are_written():
    assert resolution(np.array([MIDNIGHT, MIDNIGHT + 86_400])) == 86_400
    assert resolution(np.array([NOON - 12])) == 60 and resolution(np.array([NOON])) == 1
    assert resolution(np.array([NOON, NOON + 0.5])) == 0 and resolution(np.zeros(0)) == 0
    assert written(NOON + 0.7) == "2024-01-05 10:11"
    assert seconds(pl.Series([], dtype=pl.String)).shape == (0,)
    assert all(b > a for a, b in pairwise(timestamps._UNITS))


def test_equal_times_lie_in_one_window_or_outside():
    at = np.repeat(np.arange(12.0), 5)
    starts, stops = windows(at)
    assert len(starts) and set((starts % 5).tolist() + (stops % 5).tolist()) == {0}
    assert ((stops - starts) >= 8).all() and ((stops - starts) <= 30).all()
    for few in (np.zeros(0), np.arange(15.0), np.zeros(100)):
        assert windows(few)[0].shape == (0,)


def test_the_best_window_is_found_and_its_p_is_exact():
    rng = np.random.default_rng(0)
    at, stratum = np.arange(200.0), np.zeros(200, dtype=np.int32)
    marked = rng.random(200) < 0.1
    marked[90:110] = True
    found = scan(at, marked, stratum, 999)
    assert abs(found.start - 90) <= 4 and abs(found.stop - 110) <= 6 and found.p == 1 / 1000
    assert found.expected == pytest.approx((found.stop - found.start) * marked.mean())
    assert scan(at, np.zeros(200, dtype=bool), stratum, 99) is None
    assert scan(at, np.ones(200, dtype=bool), stratum, 99) is None


def test_without_a_burst_small_p_values_are_rare():
    rng = np.random.default_rng(1)
    found = [
        scan(np.arange(120.0), rng.random(120) < 0.2, rng.integers(0, 2, 120, dtype=np.int32), 199) for _ in range(200)
    ]
    p = np.array([w.p for w in found])
    assert (p <= 0.05).mean() < 0.1 and (p <= 0.5).mean() == pytest.approx(0.5, abs=0.12)


def test_a_stretch_of_hard_items_is_no_burst():
    """The marks are dealt out within strata: that all hard items came in one afternoon explains it."""
    rng = np.random.default_rng(2)
    hard = np.arange(300) // 60 == 2
    marked = rng.random(300) < np.where(hard, 0.6, 0.05)
    at = np.arange(300.0)
    assert scan(at, marked, np.zeros(300, dtype=np.int32), 499).p < 0.01
    assert scan(at, marked, hard.astype(np.int32), 499).p > 0.05


def world(build, artifacts, seed=0, people=4, size=150, text="an answer of some words", gap=40.0):
    """Honest annotators at work one day after the other, times in seconds."""
    rng = np.random.default_rng(seed)
    count = people * size
    names = [f"w{i % people}" for i in range(count)]
    margin = np.where(rng.random(count) < 0.15, -1, 1) * rng.uniform(0.5, 3, count)
    at = NOON + np.arange(count) // people * gap + rng.uniform(0, gap / 4, count)
    sides = {"responses": [f"{text} {i}" for i in range(count)], "rejected": [f"none {i}" for i in range(count)]}
    examples = build([f"q {i}" for i in range(count)], annotators=names, **sides)
    info = artifacts(Kind.PREFERENCE, examples.head(1), np.ones((1, 1), np.float32))["info"]
    return examples, info, margin, at


def run(examples, info, margin, at, **settings):
    support = Support(
        Known(np.zeros((len(margin), 0), np.float32)),
        np.zeros(len(margin), np.int32),
        margin=np.asarray(margin, dtype=np.float32),
    )
    times = pl.Series([f"{t:.3f}" if isinstance(t, float) else t for t in at], dtype=pl.String)
    return annotator_bursts(examples.with_columns(created_at=times), info, support, **settings)


def test_a_burst_is_reported_with_its_window_and_its_rows(build, artifacts):
    examples, info, margin, at = world(build, artifacts)
    own = np.flatnonzero(examples["annotator"].to_numpy() == "w1")[60:85]
    margin[own] = -2.0
    found = run(examples, info, margin, at.tolist())
    assert [f.subject for f in found.findings] == ["annotator w1 in a burst"]
    details = found.findings[0].details
    assert details["annotators"] == ["w1"] and details["against"] >= 24 and details["rows"] <= 32
    assert details["start"] <= written(at[own[3]]) and details["end"] >= written(at[own[-4]])
    flagged = found.signals.with_row_index("i").filter(pl.col("score") >= found.threshold)
    assert set(own) <= set(flagged["i"]) and set(flagged["fix"]) == {"swap"} and len(flagged) <= 30
    order = np.random.default_rng(0).permutation(len(at))
    moved = run(examples[order.tolist()], info, margin[order], at[order].tolist())
    assert moved.signals.equals(found.signals) and repr(moved.findings) == repr(found.findings)


@pytest.mark.parametrize("seed", range(10))
def test_work_without_a_burst_is_left_alone(seed, build, artifacts):
    examples, info, margin, at = world(build, artifacts, seed)
    found = run(examples, info, margin, at.tolist())
    assert found.findings == () and found.signals["score"].max() == 0


def test_one_who_always_flips_has_no_burst(build, artifacts):
    examples, info, margin, at = world(build, artifacts)
    margin[(examples["annotator"] == "w2").to_numpy()] *= -1
    assert run(examples, info, margin, at.tolist()).findings == ()


def test_haste_is_a_fact_about_times(build, artifacts):
    examples, info, margin, at = world(build, artifacts, text="word " * 100)
    own = np.flatnonzero(examples["annotator"].to_numpy() == "w1")
    at[own[20:80]] = at[own[20]] + 0.3 * np.arange(60)
    found = run(examples, info, margin, at.tolist())
    assert [f.subject for f in found.findings] == ["annotator w1 in haste"]
    finding = found.findings[0]
    assert str(finding.severity) == "low" and finding.details["seconds_each"] == pytest.approx(0.3, abs=0.01)
    assert finding.details["rows"] == 60 and finding.details["others"] == 0
    assert found.signals["score"].max() == 0  # a fact flags no row
    assert run(*world(build, artifacts, text="word " * 100)[:3], at=[written(t) for t in at]).findings == ()  # minutes


def test_times_of_an_export_are_everybody_s(build, artifacts):
    examples, info, margin, at = world(build, artifacts)
    assert run(examples, info, margin, (NOON + 0.001 * np.arange(len(at))).tolist()).findings == ()
    assert run(examples, info, margin, ["2024-01-05"] * len(at)).findings == ()


def test_dates_alone_still_show_a_bad_day(build, artifacts):
    examples, info, margin, _ = world(build, artifacts)
    day = np.arange(len(margin)) // 40
    margin[(examples["annotator"] == "w1").to_numpy() & np.isin(day, (5, 6))] = -2.0
    found = run(examples, info, margin, [f"2024-01-{1 + d:02d}" for d in day])
    assert [f.details["start"] for f in found.findings] == ["2024-01-06 00:00"]


@pytest.mark.parametrize("stamp", [None, "whenever", "03/04/2024"])
def test_without_times_it_is_skipped(stamp, build, artifacts):
    examples, info, margin, at = world(build, artifacts)
    found = run(examples, info, margin, [stamp] * len(at))
    assert found == Skipped("needs times of 40 decisions of an annotator (created_at), and this dataset has none")


def test_rows_without_a_time_abstain(build, artifacts):
    examples, info, margin, at = world(build, artifacts)
    found = run(examples, info, margin, [None if i < 100 else t for i, t in enumerate(at.tolist())])
    assert found.signals["score"].is_nan().sum() == 100
