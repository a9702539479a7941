"""The parts of the harness about preference data, on made results and small made pairs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from benchmarks.pairs import body as pairs_body
from benchmarks.pairs import encoded
from benchmarks.preference import bag_of_words, page, plain_margins
from benchmarks.scans import Settings


def drawn(count, draw, status, probe="off", **facts):
    known = {"score": 6.0, "p": 0.01, "flagged": 1.0, "precision": 1.0, "accuracy": 0.64, "words": 0.61, "others": 0}
    return {"count": count, "draw": draw, "status": status, "probe": probe, "error": "", **known, **facts}


def test_the_curve_counts_draws_and_shows_medians():
    curve = [drawn(60, 0, "confirmed", "quick"), drawn(60, 1, "suspected", others=2, score=7.0)]
    curve += [drawn(5, d, "not found", score=None, p=None, precision=None, flagged=0.0) for d in range(3)]
    curve.append(drawn(5, 3, "not found", error="disk full"))
    flips = [{"case": "x", "pairs": 100, "swapped": 9, "precision": {"tunevet": 0.9, "plain": 0.6}, "rate": "{}"}]
    told = [{"case": "x", "ids": "as given", "runs": 1, "accused": ["annotator w3"], "q": [1e-9]}]
    told += [{"case": "x", "ids": "5 dealt out", "runs": 20, "accused": [], "q": []}]
    lines = page({"curve": curve, "flips": flips, "annotators": told}, Settings()).splitlines()
    sixty = next(line for line in lines if line.startswith("| 60 "))
    assert "| 2 of 2 | 1 of 1 | 6.5 | 0.01 | 1 | 1 | 0.64 | 0.61 | 1 of 2 |" in sixty
    five = next(line for line in lines if line.startswith("| 5 "))
    assert "| 3 | 0 of 3 | - | - | - | 0 | - |" in five
    assert "| 0.9 | 0.6 |" in lines and any("annotator w3 (1e-09)" in line for line in lines)
    assert any(line.endswith("| 20 | 0 | nobody |") for line in lines)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_plain_margins_never_see_their_own_fold(make):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    x[:, 0] += 0.8
    folds = np.arange(200) % 5
    found = plain_margins(make(x), folds)
    assert (found > 0).mean() > 0.65
    turned = x.copy()
    turned[7] *= -1
    assert plain_margins(make(turned), folds)[7] == pytest.approx(-found[7], abs=1e-6)


def test_a_bag_of_words_learns_a_word():
    pairs = pl.DataFrame({"response": ["good it is", "a good one"] * 20, "rejected": ["it is", "a one"] * 20})
    assert (bag_of_words(pairs, np.arange(40) % 4) > 0).all()


def test_made_vectors_are_unit_rows_and_the_table_names_the_dearest_checks():
    made = encoded(None, ["one two three", "one two three", "four"])
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, rtol=1e-5)
    assert (made[0] == made[1]).all() and (made[0] != made[2]).any()
    units = [{"stage": "ingest", "unit": "all", "seconds": 1.0, "peak_bytes": 2**30, "error": ""}]
    units += [
        {"stage": "detect", "unit": f"c{i}", "seconds": 1.0, "peak_bytes": i * 2**20, "error": ""} for i in range(9)
    ]
    text = pairs_body(units, 10)
    assert "| ingest | 1 | 1.00 |" in text and "check c8" in text and "check c2" not in text and "Failed: 0" in text
