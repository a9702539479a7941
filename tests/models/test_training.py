"""The training loop on the byte probe: it learns a rule, keeps its budget, and repeats itself to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audit.models import training
from audit.models.probes import ByteProbe
from audit.models.training import Recipe, Spent, balanced_loss, classes_loss, predict, train
from audit.schema import NoProgress

CPU = torch.device("cpu")
WORDS = ("harbour", "orchard", "quarry", "library", "glacier", "ledger", "mirror", "turbine")


class Counter(NoProgress):
    def __init__(self):
        self.total = 0

    def advance(self, count):
        self.total += count


def rows(count, seed):
    """Texts of four words, every third with "zq" somewhere; the target is whether it is there."""
    rng = np.random.default_rng(seed)
    texts = []
    for i in range(count):
        picked = [WORDS[j] for j in rng.integers(0, len(WORDS), 4)]
        if i % 3 == 0:
            picked.insert(int(rng.integers(0, 5)), "zq")
        texts.append(" ".join(picked))
    return texts, np.asarray([["zq" in t] for t in texts], dtype=np.float32)


def trained(seed=0, tokens=10**9, epochs=12, count=96, progress=None, loss=classes_loss):
    texts, targets = rows(count, 1)
    probe = ByteProbe(1, 64, CPU, seed)
    spent = train(probe, texts, targets, Recipe(3e-3, 16, epochs, tokens, seed), progress or NoProgress(), loss)
    return probe, spent


def test_it_learns_a_rule_and_applies_it_to_other_rows():
    probe, spent = trained()
    texts, targets = rows(60, 2)
    assert ((predict(probe, texts) > 0) == (targets > 0)).mean() > 0.95
    assert spent.final_loss < 0.2 and not probe.module().training


def test_the_same_seed_gives_the_same_logits_and_another_does_not():
    texts, _ = rows(20, 2)
    first, again, other = (predict(trained(seed, epochs=2)[0], texts) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


class Dropping(ByteProbe):
    """A byte probe that forgets half of its logits while it learns."""

    def logits(self, encoded):
        return torch.dropout(super().logits(encoded), 0.5, self.module().training)


def test_dropout_too_is_drawn_by_the_seed():
    texts, targets = rows(48, 1)
    found = []
    for noise in (1, 2):
        probe = Dropping(1, 64, CPU, 0)
        torch.manual_seed(noise)
        train(probe, texts, targets, Recipe(3e-3, 16, 2, 10**9, 0), NoProgress())
        found.append(predict(probe, texts))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("tokens", [0, 800, 1_300, 5_000, 10**9])
def test_the_token_budget_is_kept_and_told(tokens):
    told = Counter()
    _, spent = trained(tokens=tokens, epochs=3, progress=told)
    texts, _ = rows(96, 1)
    cost = sum(len(t) for t in texts)
    assert spent.tokens == told.total <= tokens
    assert spent.tokens == 3 * cost if tokens >= 3 * cost else spent.tokens > tokens - 16 * 64
    if tokens == 0:
        assert spent == Spent(0, 0, 0.0)
    else:
        assert 0 < spent.steps <= 3 * 6 and (spent.steps == 18) == (spent.tokens == 3 * cost)


def test_pairs_go_to_the_loss_side_by_side():
    """Groups of two: the loss is handed chosen and rejected in turn, and the chosen side wins afterwards."""
    texts, _ = rows(80, 1)
    with_it, without = [t for t in texts if "zq" in t], [t for t in texts if "zq" not in t]
    pairs = [t for pair in zip(with_it, without, strict=False) for t in pair]
    seen = []

    def loss(logits, goal):
        seen.append((len(logits), len(goal)))
        return -torch.nn.functional.logsigmoid(logits[0::2, 0] - logits[1::2, 0]).mean()

    probe = ByteProbe(1, 64, CPU, 0)
    train(
        probe, pairs, np.zeros((len(pairs) // 2, 1), np.float32), Recipe(3e-3, 8, 12, 10**9, 0), NoProgress(), loss, 2
    )
    assert set(seen) <= {(2 * size, size) for size in range(1, 9)}
    scores = predict(probe, pairs)[:, 0]
    assert (scores[0::2] > scores[1::2]).mean() > 0.95


def test_predictions_are_aligned_whatever_the_lengths_and_batches(monkeypatch):
    monkeypatch.setattr(training.devices, "has_fast_bfloat16", lambda device: False)
    probe = ByteProbe(3, 64, CPU, 0)
    texts = [chr(97 + i) * int(n) for i, n in enumerate(np.random.default_rng(0).integers(1, 60, 26))]
    found = predict(probe, texts)
    assert found.shape == (26, 3) and len(np.unique(found[:, 0])) == 26
    np.testing.assert_allclose(predict(probe, texts, batch_rows=4), found, atol=1e-5)
    np.testing.assert_allclose(predict(probe, texts[::-1])[::-1], found, atol=1e-5)
    assert predict(probe, []).shape[0] == 0


def test_losses():
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]])
    goal = torch.tensor([[1.0, float("nan")], [0.0, 1.0]])
    by_hand = [np.log1p(np.exp(-2.0)), np.log1p(np.exp(0.5)), np.log1p(np.exp(-3.0))]
    assert classes_loss(logits, goal).item() == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert classes_loss(logits, torch.full((2, 2), float("nan"))).item() == 0
    targets = np.zeros((100, 3), dtype=np.float32)
    targets[:25, 0], targets[:1, 1], targets[:90, 2] = 1, 1, 1
    loss = balanced_loss(targets, CPU)
    zero, one = torch.zeros(1, 3), torch.eye(3)
    weights = [3 * (loss(zero, one[h : h + 1]) / np.log(2)).item() - 2 for h in range(3)]
    assert weights == pytest.approx([3.0, 20.0, 1.0], rel=1e-4)  # 75/25; 99 cut to 20; never under 1
