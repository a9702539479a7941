"""A GPU that runs out of memory: the batch is halved and the findings stay the same. The error is made on a CPU, at
the Kth batch of the real encoder and at the Kth step of a training."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest
from crash_runs import fresh, rows

from audit import config as configuration
from audit import pipeline, registry
from audit.errors import InputError, UnitFailed
from audit.rundir import RunDir

torch = pytest.importorskip("torch")

from audit.models import encoder as encoders
from audit.models.training import Recipe, predict, train
from audit.schema import NoProgress

BATCHES = range(1, 21)
TOKENS = 64  # in a batch: more than twenty of them
CHECKS = ("near_duplicates", "outliers", "label_noise")


class Full:
    """Stands in for a method that computes a batch: has no memory at the Kth call, and none for more than `most` rows
    from then on."""

    def __init__(self, inner, at, size, most=10**9):
        self.inner, self.at, self.size, self.most, self.calls, self.refused = inner, at, size, most, 0, 0

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls == self.at or (self.calls > self.at and self.size(*arguments) > self.most):
            self.refused += 1
            raise torch.cuda.OutOfMemoryError("CUDA out of memory, as far as this test goes")
        return self.inner(*arguments)


@pytest.fixture(autouse=True, scope="module")
def float32():
    """Where bfloat16 is fast, rounding is three digits long; what is tested here is arithmetic."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audit.models.device.has_fast_bfloat16", lambda device: False)
        yield


@pytest.fixture(scope="module")
def model(float32):
    settings = configuration.build({"source": ".", "model": {"device": "cpu", "tokens_per_batch": TOKENS}}).model
    return encoders.Encoder(settings)


def _texts():
    return [f"{text} {'and so on ' * (i % 7)}" for i, (text, _) in enumerate(rows(120))]


@pytest.mark.parametrize("most", [10**9, 1], ids=["once", "from then on row by row"])
@pytest.mark.parametrize("at", [1, 7, 20])
def test_embeddings_are_the_same_when_a_batch_does_not_fit(model, monkeypatch, at, most):
    wanted = model.encode(_texts())
    full = Full(model._forward, at, len, most)
    monkeypatch.setattr(model, "_forward", full)
    found = model.encode(_texts())
    assert full.refused >= 1 and full.calls > 20
    np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_a_text_that_does_not_fit_alone_is_named(model, monkeypatch):
    monkeypatch.setattr(model, "_forward", Full(model._forward, 1, len, 0))
    with pytest.raises(InputError, match=r"one text of \d+ tokens does not fit into the GPU's memory; lower model"):
        model.encode(["one text alone"])


def _stages(run, config, names):
    """Runs stages, of `detect` the CHECKS alone."""
    for name in names:
        for unit in CHECKS if name == "detect" else pipeline.units(str(run), name):
            result = pipeline.run_unit(str(run), name, unit)
            assert result.status == "done", result


def _found(run):
    """What is found: the findings, and by check the flagged rows and the scores."""
    found = {}
    for name in CHECKS:
        signals = pl.read_parquet(RunDir(run) / "signals" / f"{name}.parquet")
        found[name] = signals.select("row", pl.col("score").round(3), "fix", "new_value").rows()
        findings = pl.read_parquet(RunDir(run) / "findings" / f"{name}.parquet")
        found[f"findings of {name}"] = findings.select("id", "code", "subject", "severity", "rows").rows()
    return found


@pytest.mark.slow
@pytest.mark.crash
def test_findings_are_the_same_whichever_batch_does_not_fit(tmp_path, monkeypatch):
    lines = ["text,label", *(f"{text},{label}" for text, (_, label) in zip(_texts(), rows(120), strict=True))]
    (tmp_path / "data.csv").write_text("\n".join(lines) + "\n")
    assert set(CHECKS) <= set(registry.detectors())
    values = {"model": {"device": "cpu", "tokens_per_batch": TOKENS}, "probe": {"mode": "off"}}
    config = configuration.build({"source": str(tmp_path / "data.csv"), **values})
    base = pipeline.prepare(tmp_path / "base", config).path
    _stages(base, config, ["ingest"])
    later = ["embeddings", "neighbors", "behaviors", "patterns", "support", "detect"]
    real = encoders.Encoder._forward
    wanted = None
    for at in (0, *BATCHES):
        run = tmp_path / f"run-{at}"
        shutil.copytree(base, run)
        full = Full(lambda model, ids: real(model, ids), at, lambda model, ids: len(ids))
        monkeypatch.setattr(encoders.Encoder, "_forward", lambda self, ids, full=full: full(self, ids))
        _stages(run, config, later)
        assert full.refused == (at > 0) and full.calls > 20
        found = _found(run)
        wanted = wanted or found
        assert found == wanted, f"batch {at}"
        fresh(run)


class Net:
    """A small network without dropout: a bag of token vectors, and a head."""

    def __init__(self):
        torch.manual_seed(3)
        self.device = torch.device("cpu")
        self.net = torch.nn.ModuleDict({"bag": torch.nn.Embedding(64, 8), "head": torch.nn.Linear(8, 2)})
        self.logits = self._logits

    def encode(self, texts):
        return [[ord(c) % 64 for c in text] for text in texts]

    def _logits(self, encoded):
        pooled = [self.net["bag"](torch.tensor(ids)).mean(dim=0) for ids in encoded]
        return self.net["head"](torch.stack(pooled))

    def module(self):
        return self.net


RECIPE = Recipe(learning_rate=1e-2, batch_rows=8, epochs=2, tokens=10**6, seed=5)


def _trained(at, most=10**9, holes=False, full=Full):
    network, texts = Net(), [text for text, _ in rows(40)]
    targets = np.asarray([[i % 2, i % 3 == 0] for i in range(40)], dtype=np.float32)
    if holes:
        targets[::3, 1] = np.nan
        targets[5:11] = np.nan
    network.logits = full = full(network.logits, at, len, most)
    spent = train(network, texts, targets, RECIPE, NoProgress())
    network.logits = network._logits
    return predict(network, texts), spent, full.refused


@pytest.mark.parametrize("holes", [False, True], ids=["all targets known", "some unknown"])
@pytest.mark.parametrize("most", [10**9, 3, 1])
def test_a_training_is_the_same_when_a_step_does_not_fit(most, holes):
    wanted, spent, _ = _trained(0, holes=holes)
    for at in (1, 4, 10) if most < 10**9 else BATCHES:
        found, again, refused = _trained(at, most, holes)
        assert (refused > 0) == (at <= spent.steps) and again.steps == spent.steps
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_half_a_step_that_did_not_fit_leaves_no_gradient():
    """Memory may run out after some parts of a batch were already counted: here at the second half of the first."""
    wanted, _, _ = _trained(0)
    sizes = []

    class Shrinking(Full):
        def __call__(self, encoded):
            sizes.append(len(encoded))
            self.most = 4 if len(sizes) < 3 else 2
            return super().__call__(encoded)

    found, _, refused = _trained(1, full=Shrinking)
    assert refused == 2 and sizes[:4] == [8, 4, 4, 2]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_step_that_does_not_fit_row_by_row_is_an_error():
    with pytest.raises(torch.cuda.OutOfMemoryError):
        _trained(1, most=0)


def test_predictions_are_the_same_when_a_batch_does_not_fit():
    network, texts = Net(), [text for text, _ in rows(40)]
    wanted = predict(network, texts, batch_rows=8)
    for at in range(1, 6):
        network.logits = Full(network._logits, at, len, 2)
        np.testing.assert_allclose(predict(network, texts, batch_rows=8), wanted, atol=1e-6)


def test_a_unit_that_has_no_memory_at_all_says_what_to_change(tmp_path, monkeypatch, model):
    (tmp_path / "data.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows(20)))
    run = pipeline.prepare(tmp_path / "run", configuration.build({"source": str(tmp_path / "data.csv")})).path
    pipeline.run_unit(str(run), "ingest", "all")

    def none(self, ids):
        raise torch.cuda.OutOfMemoryError("none")

    monkeypatch.setattr(encoders.Encoder, "_forward", none)
    with pytest.raises((InputError, UnitFailed), match=r"does not fit into the GPU's memory; lower model.max_tokens"):
        pipeline.run_unit(str(run), "embeddings", pipeline.units(str(run), "embeddings")[0])
