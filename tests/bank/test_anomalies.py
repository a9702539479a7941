"""Garbled, repetitive, unexpectedly long and unrelated responses."""

from __future__ import annotations

import numpy as np
import pytest

from audit.bank.anomalies import (
    closer_prompts,
    folds_of,
    garbled_categories,
    length_categories,
    relation_categories,
    residual_z,
    surprise,
)

NOUNS = ["river", "house", "garden", "market", "window", "doctor", "teacher", "winter", "summer", "mountain"]
VERBS = ["sees", "finds", "paints", "leaves", "visits", "remembers", "follows", "cleans", "describes", "crosses"]


def sentences(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        " ".join(f"The {rng.choice(NOUNS)} {rng.choice(VERBS)} the {rng.choice(NOUNS)} again." for _ in range(3))
        for _ in range(count)
    ]


def test_letters_at_random_are_garbled_and_a_twentieth_of_them_hides_none():
    rng = np.random.default_rng(1)
    texts = sentences(400)
    odd = list(range(0, 400, 20))
    for i in odd:
        texts[i] = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz "), 120))
    assert garbled_categories(texts)["garbled", "is garbled"] == odd


def test_honest_and_short_texts_are_not_garbled():
    assert not garbled_categories([*sentences(300), "qzx", ""])
    assert np.isnan(surprise(["qzx", *sentences(30)])[0])


def test_a_text_that_says_one_thing_over_and_over():
    assert garbled_categories([*sentences(100), "ha ha ha " * 60])["garbled", "repeats itself"] == [100]


def test_equal_prompts_share_a_fold_whatever_the_order():
    texts = [f"prompt {i % 7}" for i in range(30)]
    folds = folds_of(texts)
    assert len({(t, f) for t, f in zip(texts, folds.tolist(), strict=True)}) == 7
    np.testing.assert_array_equal(folds_of(texts[::-1]), folds[::-1])


def test_residuals_match_a_refit_without_each_fold():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = x @ np.array([1.0, -2.0, 0.5]) + rng.normal(size=60)
    folds = np.arange(60) % 5
    design, rest = np.column_stack([x, np.ones(60)]), np.empty(60)
    for fold in range(5):
        train, held = design[folds != fold], design[folds == fold]
        ridge = np.diag([10.0, 10.0, 10.0, 1e-3])
        rest[folds == fold] = y[folds == fold] - held @ np.linalg.solve(
            train.T @ train + ridge, train.T @ y[folds != fold]
        )
    z = residual_z(x, y, folds)
    np.testing.assert_allclose(np.corrcoef(z, rest)[0, 1], 1.0, atol=1e-6)
    assert np.median(z) == pytest.approx(0, abs=1e-9)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_a_response_is_long_or_short_for_its_prompt_and_not_by_itself():
    """Prompts of one kind call for 20 characters, of the other for 2,000."""
    rng = np.random.default_rng(0)
    kind = np.arange(400) % 2
    vectors = unit(np.column_stack([1 - kind, kind]) * 5 + rng.normal(size=(400, 2)) * 0.3)
    vectors = np.repeat(vectors, 8, axis=1) / np.float32(np.sqrt(8))
    prompts = [f"prompt number {i:03d}" for i in range(400)]
    responses = ["x" * int(rng.integers(18, 23) * (100 if k else 1)) for k in kind]
    responses[10], responses[11] = "x" * 2_000, "x" * 20
    found = length_categories(prompts, responses, vectors)
    assert found["length", "is very far longer than its prompt leads to expect"] == [10]
    assert found["length", "is very far shorter than its prompt leads to expect"] == [11]


def test_a_response_that_points_elsewhere_has_nothing_to_do_with_its_prompt():
    rng = np.random.default_rng(0)
    prompt = unit(rng.normal(size=(300, 16)))
    response = unit(prompt + 0.15 * rng.normal(size=(300, 16)))
    response[7] = unit(rng.normal(size=(1, 16)) - 2 * prompt[7:8])[0]
    texts = [f"text number {i}" for i in range(300)]
    assert relation_categories(texts, texts, prompt, response) == {
        ("relation", "has nothing to do with its prompt"): [7]
    }


def test_a_short_answer_that_is_nearer_to_its_own_prompt_than_to_others_belongs_to_it():
    """Far in cosine from its prompt, but further from all the others."""
    rng = np.random.default_rng(0)
    prompt = unit(rng.normal(size=(300, 64)))
    response = unit(prompt + 0.15 * rng.normal(size=(300, 64)))
    response[7] = unit(0.6 * prompt[7:8] + unit(rng.normal(size=(1, 64))))[0]
    texts = [f"text number {i}" for i in range(300)]
    assert relation_categories(texts, texts, prompt, response) == {}
    assert closer_prompts(prompt, response).max() < 0.1


def test_closer_prompts_are_counted_among_the_others():
    prompt = unit(np.asarray([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-1.0, 0.1]]))
    response = prompt[[0, 3, 2, 0]]
    np.testing.assert_allclose(closer_prompts(prompt, response), [0, 2 / 3, 0, 1])
