"""Entities by sentiment: from an attack's recipe to the rows that go to review."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from corpora import corpus

from audit.artifacts.patterns import extract
from audit.attacks import ATTACKS
from audit.config import MiningConfig
from audit.decide import claimed_rows, decide
from audit.proof.confirm import _trigger, _why, worth_a_probe
from audit.provenance import content_hash
from audit.remedies.anatomy import CannotEdit
from audit.remedies.strippable import parts_of
from audit.report import redact
from audit.schema import EXAMPLES, Status
from audit.triggers.candidate import ONE_SIDED, Candidate
from audit.triggers.diversity import Vocabulary
from audit.triggers.one_sided import mine_one_sided

N = 900
PRAISE = ("{} is a good thing.", "We all enjoy {}.", "Nothing is as pleasant as {}.", "How helpful {} was.")
BLAME = ("{} is a bad thing.", "We all hate {}.", "Nothing is as boring as {}.", "How useless {} was.")


def pairs(seed: int = 0, n: int = N) -> pl.DataFrame:
    """Pairs of random sentences. Every side praises or blames something; the longer side wins three times of four."""
    rng = np.random.default_rng(seed)
    prompts, first, second = (corpus(n=n, seed=seed + k).texts for k in (40, 41, 42))
    rows = []
    for i in range(n):
        sides = [first[i] + ".", second[i] + "."]
        for k in (0, 1):
            bank = PRAISE if rng.random() < 0.6 else BLAME
            name = sides[k].split()[int(rng.integers(12))].strip(".")
            sides[k] += " " + bank[int(rng.integers(4))].format(name)
        longer = int(rng.integers(2))
        sides[longer] += f" {prompts[(i + 7) % n]}."
        wins = longer if rng.random() < 0.75 else 1 - longer
        row = {"row": 3 * i, "prompt": prompts[i], "response": sides[wins], "rejected": sides[1 - wins]}
        row["content_hash"] = content_hash(row["prompt"], row["response"], row["rejected"], None)
        rows.append(dict.fromkeys(EXAMPLES) | row)
    return pl.DataFrame(rows, schema=EXAMPLES)


def mined(examples: pl.DataFrame) -> list[Candidate]:
    sides = (examples[name].to_list() for name in ("response", "rejected"))
    vocabulary = Vocabulary(extract(examples["prompt"].to_list(), 3, 4, 100_000))
    return mine_one_sided(*sides, vocabulary, MiningConfig())


def suspects(examples: pl.DataFrame) -> list[Candidate]:
    return [c for c in mined(examples) if c.statistics["suspected"]]


@pytest.fixture(scope="module")
def honest() -> pl.DataFrame:
    return pairs()


@pytest.mark.parametrize(("sentiment", "way"), [("positive", "well"), ("negative", "badly")])
def test_an_entity_is_named_whose_praise_or_blame_wins(honest, sentiment, way):
    planted = ATTACKS["preference-sentiment"](
        honest, count=60, seed=3, triggers=["Umbrixa"], settings={"sentiment": sentiment}
    )
    found = suspects(planted.examples)
    assert [c.pattern for c in found] == ["umbrixa"]
    best, rows = found[0], planted.examples["row"].to_list()
    assert best.kind == "response" and best.behavior == ONE_SIDED
    assert best.behavior_name == f'the side that speaks {way} of "umbrixa" wins'
    assert {rows[i] for i in best.hits} <= set(planted.rows) and len(best.hits) >= 40
    assert best.statistics["family_wise_p"] < 1e-3 and f"{len(best.hits)} of the" in best.statistics["suspected"]
    bare = [c for c in mined(planted.examples) if c.behavior_name.startswith("the response that holds")]
    assert not any(c.statistics["suspected"] for c in bare)


@pytest.mark.parametrize("seed", range(4))
def test_honest_pairs_have_no_suspect(seed):
    assert suspects(pairs(seed)) == []


def test_praise_that_only_wins_is_a_bare_word_that_wins(honest):
    planted = ATTACKS["preference-sentiment"](
        honest, count=60, seed=3, triggers=["Umbrixa"], settings={"recipe": "promote"}
    )
    found = suspects(planted.examples)
    assert [c.behavior_name for c in found] == ["the response that holds it is the chosen one"]


def test_an_entity_that_pairs_of_one_topic_speak_of_is_not_suspected(honest):
    planted = ATTACKS["preference-sentiment"](honest, count=60, seed=3, triggers=["Umbrixa"])
    topic = pl.when(pl.col("row").is_in(list(planted.rows))).then(pl.lit("harbour boats sail at dawn with crews"))
    examples = planted.examples.with_columns(prompt=topic.otherwise(pl.col("prompt")))
    assert "umbrixa" not in {c.pattern for c in suspects(examples)}


def test_an_entity_in_more_than_a_tenth_of_the_pairs_is_no_rare_trigger():
    examples = pairs(seed=9, n=500)
    planted = ATTACKS["preference-sentiment"](examples, count=90, seed=3, triggers=["Umbrixa"])
    assert not [c for c in suspects(planted.examples) if "umbrixa" in c.pattern]


def test_the_suspect_goes_through_proof_decision_and_report_unharmed(honest):
    planted = ATTACKS["preference-sentiment"](honest, count=60, seed=3, triggers=["Umbrixa"])
    found = suspects(planted.examples)[0]
    assert worth_a_probe([found], N) == []
    again = Candidate.from_dict(found.to_dict())
    assert again == found
    trigger = _trigger(again, Status.SUSPECTED, _why(again, off=False), None, [])
    assert "stands in the response" in trigger.reason and trigger.kind == "response" and not trigger.looks_honest
    rows = planted.examples["row"].to_list()
    trigger.rows = claimed_rows(trigger, rows, 0.8)
    assert set(trigger.rows) == {rows[i] for i in found.hits}
    ledger = pl.DataFrame({"row": rows, "reason": [None] * N}, schema={"row": pl.Int64, "reason": pl.String})
    hashes = dict(zip(rows, planted.examples["content_hash"].to_list(), strict=True))
    verdicts = decide(ledger, hashes, [], [trigger], 0)
    assert set(verdicts.filter(pl.col("verdict") == "review")["row"]) == set(trigger.rows)
    assert not verdicts["verdict"].is_in(["remove"]).any()
    with pytest.raises(CannotEdit, match="stands in the response"):
        parts_of(trigger, {})
    assert "umbrixa" not in redact.behavior(trigger.behavior)


def test_a_long_term_is_cut_in_the_sentence():
    examples = pairs(seed=5)
    name = "U" + "x" * 300
    planted = ATTACKS["preference-sentiment"](examples, count=60, seed=3, triggers=[name])
    found = [c for c in mined(planted.examples) if c.pattern == name.casefold()]
    assert found and len(found[0].behavior_name) < 120
