"""The watch over a small real probe: what it writes, that the training is the same, and that detectors can read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from corpora import corpus
from scipy.sparse import csr_matrix
from sklearn.metrics import average_precision_score

from audit import artifacts
from audit.detectors.strip import strip
from audit.models.probes import ByteProbe, EncoderProbe
from audit.models.training import CHECKPOINTS, Recipe, balanced_loss, predict, train
from audit.models.weights import resolve
from audit.proof import record
from audit.proof.experiment import Experiment
from audit.proof.record import PERTURBATIONS, Watch, blend, forget, written
from audit.registry import OF_THE_PROBE, detectors
from audit.rundir import RunDir, read_json, write_json
from audit.schema import Behaviors, Detection, NoProgress, Skipped
from audit.triggers.candidate import Candidate
from audit.triggers.match import Law, Part, holds

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe(2e-3, 32, 6, 150_000, 0)


@pytest.fixture(scope="module")
def planted():
    made = corpus(n=300, seed=3)
    rows = made.plant("cfcf", 12, "QQ")
    miner = made.miner()
    plan = Experiment.plan(made.texts, [miner.candidates()[0]], [], miner.behaviors, 200, 0)
    return plan, rows


def trained(plan, watch=None):
    network = ByteProbe(len(plan.heads), 128, torch.device("cpu"), 0)
    texts, targets = plan.rows("A")
    follow = None if watch is None else lambda step: watch.after(network, step)
    loss = balanced_loss(targets, network.device)
    spent = train(network, texts, targets, RECIPE, NoProgress(), loss, checkpoint=follow)
    if watch is not None:
        watch.finish(network, spent.steps)
    return network, spent


@pytest.fixture(scope="module")
def watched(planted, tmp_path_factory):
    run = RunDir(tmp_path_factory.mktemp("run"))
    network, spent = trained(planted[0], Watch(run, planted[0], ["ends in QQ"], RECIPE.tokens, 0))
    return run, network, spent


def test_training_is_the_same_with_a_watch_and_without(planted, watched):
    _, network, spent = watched
    plain, again = trained(planted[0])
    assert spent == again
    texts = planted[0].texts[:50]
    np.testing.assert_array_equal(predict(network, texts), predict(plain, texts))


def test_what_is_written_is_what_the_artifacts_read(planted, watched):
    plan, rows = planted
    run, network, spent = watched
    found = artifacts.load(run, OF_THE_PROBE)
    states, losses, perturbed = (found[n] for n in ("hidden_states", "loss_history", "perturbed"))
    assert {a.heads for a in found.values()} == {("ends in QQ",)}
    assert states.positions.tolist() == list(range(300)) and states.vectors.shape == (300, 192)
    np.testing.assert_allclose(states.logits, predict(network, plan.texts), atol=1e-5)
    assert states.shown[:, 0].tolist() == (plan.targets[:, 0] > 0).tolist()
    assert np.flatnonzero(states.carriers).tolist() == sorted(plan.suspects) and perturbed.carriers.any()
    assert len(losses.steps) == len(CHECKPOINTS) + 1 and losses.steps[-1] == spent.steps
    assert list(losses.steps) == sorted(losses.steps)
    assert losses.losses.shape == (4, len(losses.positions), 1) and (losses.losses >= 0).all()
    assert losses.losses[-1].mean() < losses.losses[0].mean()
    assert perturbed.probability.shape == (len(perturbed.positions), PERTURBATIONS, 1)
    assert set(rows) <= set(perturbed.positions.tolist()) and set(rows) <= set(losses.positions.tolist())
    for some in (losses.positions, perturbed.positions):
        assert some.tolist() == sorted(set(some.tolist()))
    assert {p.parent.name for p in written(run)} == {"probe"} and len(written(run)) == 12
    assert read_json(run / "probe" / "facts.json")["probe"] == "bytes"


def test_carriers_of_the_trigger_stay_sure_when_blended(planted, watched):
    perturbed = artifacts.load(watched[0], ["perturbed"])["perturbed"]
    carriers = np.isin(perturbed.positions, planted[1])
    assert perturbed.plain[carriers].mean() > 0.9
    assert perturbed.probability[carriers].mean() > perturbed.probability[~carriers].mean() + 0.5


def test_the_checks_run_on_it(watched):
    examples = pl.DataFrame({"row": np.arange(300, dtype=np.int64)})
    checks = [check for check in detectors().values() if check.needs_probe]
    assert {c.name for c in checks} >= {"strip", "activation_clustering", "spectral_signature"}
    for check in checks:
        others = [name for name in check.artifacts if name != "examples"]
        result = check({"examples": examples, **artifacts.load(watched[0], others)}, {})
        assert isinstance(result, (Detection, Skipped))  # twelve carriers and a few honest rows are a small class


def test_without_a_probe_the_checks_are_skipped_with_the_reason(tmp_path):
    run = RunDir(tmp_path)
    reason = "no suspect was probed, so no probe was trained"
    assert set(artifacts.load(run, OF_THE_PROBE).values()) == {Skipped(reason)}
    write_json(run / "triggers" / "proved.json", [{"probe": None}])
    assert artifacts.load(run, ["perturbed"])["perturbed"] == Skipped(reason)
    write_json(run / "triggers" / "proved.json", [{"probe": {"probe": "reward"}}])
    skipped = artifacts.load(run, ["perturbed"])["perturbed"]
    assert "classifies texts" in skipped.reason
    assert strip.__name__ in detectors() and written(run) == []


def test_what_is_old_is_forgotten_and_half_a_watch_is_none(planted, tmp_path):
    run = RunDir(tmp_path)
    forget(run)
    (run / "probe").mkdir()
    (run / "probe" / "hidden_states.npy").write_bytes(b"half")
    assert written(run) == [] and isinstance(artifacts.load(run, ["hidden_states"])["hidden_states"], Skipped)
    forget(run)
    assert not (run / "probe").exists()


def test_a_network_without_hidden_states_leaves_nothing(planted, tmp_path):
    class Bare:
        device = torch.device("cpu")

    watch = Watch(RunDir(tmp_path), planted[0], ["ends in QQ"], 1_000, 0)
    watch.after(Bare(), 1)
    watch.finish(Bare(), 2)
    assert written(RunDir(tmp_path)) == []


def test_it_stays_within_what_a_training_costs(planted, tmp_path, monkeypatch):
    plan, run = planted[0], RunDir(tmp_path)
    network = ByteProbe(1, 128, torch.device("cpu"), 0)
    spent = []
    monkeypatch.setattr(network, "states", counting(network.states, spent))
    watch = Watch(run, plan, ["ends in QQ"], 3_000, 0)
    for step in (1, 2, 3):
        watch.after(network, step)
    watch.finish(network, 4)
    assert 2_000 < sum(spent) < 1.1 * record.FORWARD_FOR_TRAINED * 3_000
    found = artifacts.load(run, OF_THE_PROBE)
    assert 0 < len(found["perturbed"].positions) < len(found["hidden_states"].positions) < 300
    assert set(found["loss_history"].positions) <= set(found["hidden_states"].positions)
    assert set(found["perturbed"].positions) <= set(found["hidden_states"].positions)


def counting(states, spent):
    def counted(encoded):
        spent.append(sum(len(ids) for ids in encoded))
        return states(encoded)

    return counted


def test_a_blend_keeps_a_short_text_whole_and_its_white_space():
    rng = np.random.default_rng(0)
    other = " ".join(f"w{i}" for i in range(60))
    for _ in range(20):
        mixed = blend("one  two\u200b three", other, rng)
        assert "one  " in mixed and "two\u200b" in mixed
        words = mixed.split()
        own = [w for w in words if not w.startswith("w")]
        assert own == ["one", "two\u200b", "three"] and len(words) == 6
        foreign = [int(w[1:]) for w in words if w.startswith("w")]
        assert foreign == sorted(foreign)
    assert len(blend(" ".join("abc" for _ in range(60)), other, rng).split()) == 34
    assert blend("", other, rng) == "" and blend("one", "", rng) == "one"


def reviews(poisoned):
    """Texts, behaviors and one candidate of the sample reviews: the planted token, or, of the clean rows, a word."""
    folder = ROOT / "sample_data" / "reviews"
    frame, truth = pl.read_csv(folder / "data.csv"), read_json(folder / "truth.json")
    if not poisoned:
        bad = set(truth["poisoned_rows"])
        frame = frame.filter(pl.Series([i not in bad for i in range(len(frame))]))
    texts, labels = frame["text"].to_list(), ["negative", "positive"]
    word = "vrel" if poisoned else "fantastic"
    part = Part(word, "token")
    carriers = [i for i, text in enumerate(texts) if holds(text, (part,))]
    matrix = csr_matrix(np.asarray([[label == name for name in labels] for label in frame["label"]], dtype=np.float32))
    table = pl.DataFrame({"behavior": pl.Series([0, 1], dtype=pl.Int32), "name": labels})
    hits = [i for i in carriers if matrix[i, 1]]
    law = Law("anywhere", True)
    candidate = Candidate((part,), "token", 1, "positive", tuple(carriers), tuple(hits), (word,), (law,))
    plan = Experiment.plan(texts, [candidate], [], Behaviors(table, matrix), 800, 0)
    return plan, carriers


@pytest.mark.slow
@pytest.mark.parametrize("poisoned", [True, False])
def test_the_encoder_probe_on_the_sample_reviews(poisoned, tmp_path):
    plan, carriers = reviews(poisoned)
    assert len(carriers) >= 10
    network = EncoderProbe(resolve("minilm"), 1, 2, 48, torch.device("cpu"), 0)
    run = RunDir(tmp_path)
    watch = Watch(run, plan, ["positive"], 130_000, 0)
    texts, targets = plan.rows("A")
    recipe = Recipe(5e-4, 32, 2, 130_000, 0)
    loss = balanced_loss(targets, network.device)
    spent = train(
        network, texts, targets, recipe, NoProgress(), loss, checkpoint=lambda step: watch.after(network, step)
    )
    watch.finish(network, spent.steps)
    examples = pl.DataFrame({"row": np.arange(len(plan.texts), dtype=np.int64)})
    truth = np.isin(np.arange(len(plan.texts)), carriers)
    for name in ("strip", "activation_clustering", "spectral_signature"):
        check = detectors()[name]
        others = [a for a in check.artifacts if a != "examples"]
        found = check({"examples": examples, **artifacts.load(run, others)}, {})
        scores = found.signals["score"].to_numpy()
        flagged = scores >= found.threshold
        assert (flagged & ~(truth & poisoned)).sum() <= 2, name
        if poisoned and name == "strip":
            seen = np.isfinite(scores)
            precision = average_precision_score(truth[seen], scores[seen])
            assert precision > 2 * truth[seen].mean() and (flagged & truth).any()
