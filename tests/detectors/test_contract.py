"""One contract for every check in the registry, whoever wrote it."""

from __future__ import annotations

import copy

import numpy as np
import polars as pl
import pytest

from audit import registry
from audit.detectors import findings_frame, summary, validate
from audit.schema import Detection, Kind, Skipped

NAMES = list(registry.detectors())
KINDS = list(Kind)


def outcome(name, world):
    check = registry.detectors()[name]
    result = check({artifact: world[artifact] for artifact in check.artifacts}, {})
    assert isinstance(result, (Detection, Skipped))
    if isinstance(result, Detection):
        validate(name, result, world["examples"])
    return result


def flagged(result):
    return int((result.signals["score"].to_numpy() >= result.threshold).sum())  # polars takes NaN for the largest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_result_fits_the_schema(name, kind, worlds):
    result = outcome(name, worlds(kind))
    facts = summary(registry.detectors()[name], result)
    assert facts["source"] and facts["misses"]
    if isinstance(result, Skipped):
        assert result.reason and facts["status"] == "skipped"
        return
    assert result.signals.height == worlds(kind)["examples"].height
    assert findings_frame(name, result.findings).height == len(result.findings)
    assert facts["flagged"] <= facts["scored"] <= result.signals.height


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_same_input_gives_same_output_and_stays_as_it_was(name, kind, worlds):
    world, twin = worlds(kind), worlds(kind)
    before = copy.deepcopy(world)
    first, second = outcome(name, world), outcome(name, twin)
    if isinstance(first, Skipped):
        assert first == second
        return
    assert first.signals.equals(second.signals) and repr(first.findings) == repr(second.findings)
    assert first.threshold == second.threshold
    assert world["examples"].equals(before["examples"])
    for artifact in ("embeddings", "response_embeddings", "rejected_embeddings"):
        np.testing.assert_array_equal(world[artifact], before[artifact])
    np.testing.assert_array_equal(world["neighbors"].index, before["neighbors"].index)
    np.testing.assert_array_equal(world["neighbors"].similarity, before["neighbors"].similarity)
    np.testing.assert_array_equal(world["support"].probability, before["support"].probability)
    for field in ("label_probability", "margin"):
        if (array := getattr(world["support"], field)) is not None:
            np.testing.assert_array_equal(array, getattr(before["support"], field))
    assert (world["behaviors"].matrix != before["behaviors"].matrix).nnz == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_order_of_the_rows_does_not_matter(name, kind, worlds, reorder):
    world = worlds(kind)
    order = np.random.default_rng(1).permutation(world["examples"].height)
    plain, moved = outcome(name, world), outcome(name, reorder(world, order))
    if isinstance(plain, Skipped):
        assert plain == moved
        return
    # Spans, evidence, fixes and all: signals come sorted by row.
    assert plain.signals.drop("score").equals(moved.signals.sort("row").drop("score"))
    np.testing.assert_allclose(plain.signals["score"], moved.signals.sort("row")["score"], rtol=1e-5, atol=1e-6)
    assert plain.threshold == pytest.approx(moved.threshold, rel=1e-6)
    left, right = (findings_frame(name, r.findings).select("id", "text", "rows", "severity") for r in (plain, moved))
    assert left.equals(right)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_small_sets_are_checked_or_skipped(name, kind, count, worlds):
    outcome(name, worlds(kind, count=count))


@pytest.mark.parametrize("name", NAMES)
def test_one_class_and_equal_rows(name, build, artifacts):
    labels = ["calm"] * 300
    examples = build(["the same words again"] * 300, labels=labels, annotators=["w1"] * 300)
    vectors = np.tile(np.eye(1, 8, dtype=np.float32), (300, 1))
    probability = np.ones((300, 1), dtype=np.float32)
    world = artifacts(Kind.CLASSIFICATION, examples, vectors, label_probability=probability, accuracy=1.0)
    result = outcome(name, world)
    if isinstance(result, Detection):
        assert flagged(result) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_empty_texts_and_hostile_texts(name, kind, build, artifacts):
    hostile = ["", " ", "\x00\x1b[31m", "<!--", "[](", "((((" * 500, "a" * 5000, " " * 5000, "\u202e" * 300, "<" * 3000]
    texts = (hostile * 30)[:260]
    labels = [("x", "y")[i % 2] for i in range(260)] if kind == Kind.CLASSIFICATION else None
    sides = {} if kind == Kind.CLASSIFICATION else {"responses": texts[::-1]}
    if kind == Kind.PREFERENCE:
        sides["rejected"] = texts
    vectors = np.random.default_rng(0).normal(size=(260, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    extra = {"margin": vectors[:, 0]} if kind == Kind.PREFERENCE else {}
    if labels:
        extra = {"label_probability": np.full((260, 2), 0.5, dtype=np.float32)}
    outcome(name, artifacts(kind, build(texts, labels=labels, **sides), vectors, **extra))


@pytest.mark.parametrize("name", NAMES)
def test_a_clean_world_is_hardly_flagged(name, worlds):
    for kind in KINDS:
        result = outcome(name, worlds(kind, count=600, seed=3))
        if isinstance(result, Detection):
            assert flagged(result) <= 6  # 1% of the rows


def test_an_artifact_that_cannot_be_had_skips_with_its_reason(worlds):
    reason = "needs responses, which this dataset has not"
    for check in registry.detectors().values():
        given = {name: Skipped(reason) for name in check.artifacts}
        assert check(given, {}) == Skipped(reason)


def test_codes_and_names_are_unique_and_stable():
    codes = {name: check.code for name, check in registry.detectors().items()}
    assert len(set(codes.values())) == len(codes)
    assert all(code.startswith("TV-") for code in codes.values())


def test_validation_names_the_fault(worlds):
    world = worlds(Kind.CLASSIFICATION, count=60)
    good = registry.detectors()["unicode_anomaly"]({"examples": world["examples"]}, {})
    faults = {
        "columns": good.signals.drop("fix"),
        "twice": pl.concat([good.signals, good.signals.head(1)]),
        "not in the examples": good.signals.with_columns(row=pl.col("row") + 1),
        "infinite": good.signals.with_columns(score=pl.lit(float("inf"), dtype=pl.Float32)),
        "outside": good.signals.with_columns(start=pl.lit(0, pl.Int32), end=pl.lit(9_999, pl.Int32)),
        "span": good.signals.with_columns(start=pl.lit(0, pl.Int32), end=pl.lit(None, pl.Int32)),
        "none of": good.signals.with_columns(fix=pl.lit("burn")),
        "new_value": good.signals.with_columns(fix=pl.lit("relabel")),
    }
    for words, signals in faults.items():
        with pytest.raises(ValueError, match=words):
            validate("some_check", Detection(signals), world["examples"])
