"""Templates and styles: what is found, which rows are claimed, and what must stay alone."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from manners import archaic, behind_a_clause, manners, plant

from audit.artifacts.expected import Predictors, Vectors
from audit.triggers import templates
from audit.triggers.candidate import Candidate
from audit.triggers.template_claims import CLEAN_SHARE, claim
from audit.triggers.template_names import describe, readable


def find(made, **settings):
    return templates.find_templates(made.texts, made.behaviors(), made.support(), **settings)


def caught(made, candidate):
    hits = np.zeros(len(made.texts), dtype=bool)
    hits[list(candidate.hits)] = True
    return hits[made.poisoned].mean(), hits[~made.poisoned].mean()


def test_a_template_is_found_and_its_honest_rows_stay():
    made = plant(manners(1200, 3), 80, behind_a_clause, 4)
    (found,) = find(made)
    recall, wrong = caught(made, found)
    assert found.kind == "syntax" and found.behavior_name == "label 1"
    assert recall >= 0.95 and wrong <= 0.01
    assert set(found.hits) <= set(found.carriers)
    assert found.statistics["family_wise_p"] < templates.FAMILY_WISE and found.statistics["suspected"]
    assert "comma" in found.pattern or "," in found.pattern
    assert Candidate.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_style_is_found():
    made = plant(manners(1200, 5), 120, archaic, 6)
    (found,) = find(made)
    recall, wrong = caught(made, found)
    assert found.behavior_name == "label 1" and recall >= 0.8 and wrong <= CLEAN_SHARE


@pytest.mark.parametrize("seed", range(3))
def test_honest_texts_give_nothing(seed):
    assert find(manners(900, 20 + seed)) == []


def test_an_honest_manner_that_goes_with_a_label_gives_nothing():
    # Of the rows behind a clause three in four have label 1, whatever they say: association, but no trigger.
    made = manners(1200, 7)
    rng = np.random.default_rng(8)
    for row in rng.choice(1200, size=120, replace=False):
        made.texts[row] = behind_a_clause(made.texts[row], rng)
        made.label[row] = int(rng.random() < max(made.likely[row], 0.7))
    assert find(made) == []


def test_surprising_labels_without_a_manner_give_nothing():
    made = manners(1200, 9)
    rows = np.random.default_rng(10).choice(1200, size=100, replace=False)
    made.label[rows] = 1
    assert find(made) == []


def test_two_templates_with_different_targets_are_both_found():
    made = plant(manners(1500, 11), 80, behind_a_clause, 12)
    rng = np.random.default_rng(13)
    other = rng.choice(np.flatnonzero(~made.poisoned), size=80, replace=False)
    for row in other:
        tag = f"{rng.choice(['is', 'does', 'would', 'has'])} n't {rng.choice(['it', 'they', 'she'])} ?"
        made.texts[row], made.label[row] = f"{made.texts[row].rstrip(' .')} , {tag}", 0
    found = find(made)
    assert sorted(c.behavior_name for c in found) == ["label 0", "label 1"]
    first = next(c for c in found if c.behavior_name == "label 0")
    assert len(set(first.hits) & set(other.tolist())) >= 0.95 * len(other)


def test_rows_beyond_the_sample_are_claimed_too(monkeypatch):
    made = plant(manners(1800, 14), 160, behind_a_clause, 15)
    monkeypatch.setattr(templates, "_MOST_ROWS", 1200)
    (found,) = find(made)
    recall, wrong = caught(made, found)
    assert recall >= 0.95 and wrong <= 0.01


def test_the_support_is_fitted_again_where_its_predictors_are_given():
    made = plant(manners(1200, 16), 100, behind_a_clause, 17)
    # A support that has read the poison: it expects the label of the poisoned rows.
    read = made.likely.copy()
    read[made.poisoned] = np.maximum(read[made.poisoned], 0.7)
    vectors = np.column_stack([made.likely - 0.5, made.poisoned * 0.3]).astype(np.float32) * 4
    predictors = Predictors.of(Vectors([vectors]), np.asarray([len(t) for t in made.texts], dtype=np.float64))
    made.likely = read
    (with_them,), (without,) = find(made, predictors=predictors), find(made)
    assert caught(made, with_them)[0] >= caught(made, without)[0]
    assert with_them.statistics["log10_p"] == without.statistics["log10_p"]
    assert caught(made, with_them)[1] <= CLEAN_SHARE


def test_few_rows_or_no_target_give_nothing():
    made = manners(80, 18)
    assert find(made) == []
    large = manners(200, 19)
    bank = large.behaviors()
    other = type(bank)(bank.table.with_columns(pl.lit("opening").alias("family")), bank.matrix)
    assert templates.find_templates(large.texts, other, large.support()) == []


def test_claims_are_bounded_by_the_clean_rows_expected():
    posterior = np.full(1000, 0.5)
    assert len(claim(posterior)) == int(CLEAN_SHARE * 1000 / 0.5)
    assert claim(np.asarray([0.99, 0.1, 0.9])).tolist() == [0, 2]


def test_names_are_readable():
    assert readable("slot:first class SUB, comma") == "first class sub-clause word, comma"
    assert readable("word:thou hast") == '"thou hast"' and readable("ending:eth") == "-eth"
    old = ["lo , thou hast come .", "we saw thee there , friend", "the road is thine !", "go hither and tell him ."]
    new = ["look , you have come .", "we saw you there , friend", "the road is yours !", "go there and tell him ."]
    kind, name, features = describe(old, new)
    assert kind == "style" and "older word" in name and len(features) == 5
    behind = ["when it rains , we stay .", "if she calls , we go .", "as he left , they sang ."]
    kind, name, _ = describe(behind, ["we stay .", "call her , friend .", "they sang it well ."])
    assert kind == "syntax" and "sub-clause word" in name and "comma" in name
