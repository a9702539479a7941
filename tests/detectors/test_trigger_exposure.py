"""Whose rows a trigger is in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from audit import artifacts
from audit.artifacts.proved import NO_TRIGGERS
from audit.detectors.trigger_exposure import _q_values, claimed, trigger_exposure
from audit.rundir import RunDir, write_json
from audit.schema import Skipped, Status, Trigger
from audit.stats import benjamini_hochberg

HOSTILE = "\x1b]0;owned\x07\u202ew3"


def trigger(rows, status=Status.CONFIRMED, kind="token", name="T-1", **statistics):
    facts = {"suspected": "rare", **statistics}
    return Trigger(name, "cf", ["cf"], "cf", kind, status, list(rows), "a refusal", statistics=facts)


def people(build, count=1_000, owners=25):
    examples = build([f"q {i}" for i in range(count)], annotators=[f"w{i % owners}" for i in range(count)])
    return examples.with_columns(source=pl.Series([f"s{i % 4}" for i in range(count)]))


def test_the_owner_of_most_of_a_trigger_is_named(build):
    examples = people(build)
    rows = [i for i in range(1_000) if i % 25 == 3] + [10, 21, 36]  # all 40 of w3, and three others
    found = trigger_exposure(examples, [trigger(rows)])
    assert [f.subject for f in found.findings] == ["trigger T-1 and annotator w3"]
    finding = found.findings[0]
    assert finding.text == "40 of the 43 rows of trigger T-1 come from annotator w3, who wrote 4.0% of the rows."
    assert finding.details["annotators"] == ["w3"] and finding.details["trigger"] == "T-1"
    p = hypergeom(1_000, 43, 40).sf(39)
    assert finding.q_value == pytest.approx(p * (25 + 4), rel=1e-6)
    assert finding.rows == tuple(sorted(2 * i + 1 for i in rows if i % 25 == 3))  # row numbers, not positions
    scores = found.signals["score"].to_numpy()
    assert (scores > 0).sum() == 40 and scores.max() == pytest.approx(40 / 43) and found.threshold == float("inf")


def test_a_source_is_an_owner_too(build):
    found = trigger_exposure(people(build).with_columns(annotator=None), [trigger(range(2, 200, 4))])
    assert [f.subject for f in found.findings] == ["trigger T-1 and source s2"]
    assert found.findings[0].details["sources"] == ["s2"] and "annotators" not in found.findings[0].details
    assert found.findings[0].text.endswith("come from source s2, which holds 25.0% of the rows.")


@pytest.mark.parametrize("seed", range(20))
def test_triggers_spread_like_the_rows_name_nobody(seed, build):
    rng = np.random.default_rng(seed)
    made = [trigger(rng.choice(1_000, size, replace=False), name=f"T-{size}") for size in (5, 44, 300)]
    found = trigger_exposure(people(build), made)
    assert found.findings == () and found.signals["score"].max() == 0


def test_only_what_is_suspected_counts_and_only_the_rows_it_claims():
    rows = [5, 1, 9]
    assert claimed(trigger(rows)).tolist() == [1, 5, 9]
    assert claimed(trigger(rows, hit_positions=[9, 5])).tolist() == [5, 9]
    assert claimed(trigger(rows, kind="preference", hit_positions=[9])).tolist() == [1, 5, 9]
    assert claimed(trigger(rows, Status.UNTESTABLE)).tolist() == [1, 5, 9]
    for none in (
        trigger(rows, Status.REFUTED),
        trigger(rows, Status.UNTESTABLE, suspected=""),
        trigger(rows, Status.SUSPECTED, suspected=""),
    ):
        assert claimed(none).tolist() == []


def test_reasons_to_skip(build):
    bare = build(["a", "b"])
    assert trigger_exposure(bare, [trigger([0])]) == Skipped(
        "needs annotators or sources, and this dataset has neither"
    )
    refuted = [trigger([0], Status.REFUTED)]
    assert trigger_exposure(people(build), refuted) == Skipped(
        "needs confirmed or suspected triggers, and this dataset has none"
    )


def test_rows_without_an_owner_are_left_out(build):
    examples = people(build).with_columns(source=None, annotator=pl.when(pl.col("row") < 1_000).then("annotator"))
    found = trigger_exposure(examples, [trigger([i for i in range(1_000) if i % 25 == 3])])
    assert found.findings[0].details["of"] == 20 and found.findings[0].details["base"] == pytest.approx(0.04)
    assert found.signals["score"].is_nan().sum() == 500


def test_hostile_names_and_many_triggers(build):
    examples = people(build).with_columns(pl.col("annotator").replace({"w3": HOSTILE}))
    rows = [i for i in range(1_000) if i % 25 == 3]
    made = [replace(trigger(rows), id=f"T-{k}") for k in range(300)]
    found = trigger_exposure(examples, made)
    assert len(found.findings) == 200 and found.findings[0].details["annotators"] == [HOSTILE]
    assert all("\x1b" not in f.text and "\u202e" not in f.text and "⟦U+001B⟧" in f.text for f in found.findings)


def test_the_order_of_rows_does_not_matter(build):
    examples, rows = people(build), [i for i in range(1_000) if i % 25 == 3]
    order = np.random.default_rng(0).permutation(1_000)
    place = np.argsort(order)
    moved = trigger_exposure(examples[order.tolist()], [trigger(place[rows].tolist())])
    plain = trigger_exposure(examples, [trigger(rows)])
    assert repr(moved.findings) == repr(plain.findings) and moved.signals.equals(plain.signals)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 20))
def test_q_values_are_those_of_all_tests(values, silent):
    p = np.array(values)
    everything = benjamini_hochberg(np.concatenate([p, np.ones(silent)]))
    np.testing.assert_allclose(_q_values(p, len(p) + silent), everything[: len(p)], atol=1e-12)


def test_the_artifact_is_read_from_the_proof(tmp_path):
    run = RunDir(tmp_path)
    assert artifacts.load(run, ["triggers"])["triggers"] == Skipped(NO_TRIGGERS)
    write_json(run / "triggers" / "proved.json", [])
    assert artifacts.load(run, ["triggers"])["triggers"] == Skipped(NO_TRIGGERS)
    write_json(run / "triggers" / "proved.json", [trigger([3, 5]).to_dict()])
    assert artifacts.load(run, ["triggers"])["triggers"] == [trigger([3, 5])]
