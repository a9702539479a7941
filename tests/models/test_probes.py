"""The probe networks: shapes, what each sees, and that a row's logits are its own."""

from __future__ import annotations

import pytest
import torch

from audit.models.probes import ByteProbe, EncoderProbe
from audit.models.weights import resolve

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def encoder_probe():
    torch.manual_seed(0)
    return EncoderProbe(resolve("minilm"), 3, 1, 16, CPU, 0)


def logits(probe, texts):
    with torch.inference_mode():
        return probe.logits(probe.encode(texts))


def test_shapes(encoder_probe):
    for probe, heads in ((encoder_probe, 3), (ByteProbe(5, 64, CPU, 0), 5)):
        assert logits(probe, ["one", "two words", "three short words"]).shape == (3, heads)
    assert encoder_probe.encode([]) == []


def test_word_pieces_do_not_see_a_zero_width_character_and_bytes_do(encoder_probe):
    plain, hidden = "the harbour is calm", "the har\u200bbour is calm"
    assert encoder_probe.encode([plain]) == encoder_probe.encode([hidden])
    assert encoder_probe.encode([plain]) != encoder_probe.encode(["the harbour cf is calm"])
    probe = ByteProbe(2, 64, CPU, 0)
    assert probe.encode([plain]) != probe.encode([hidden])
    assert (logits(probe, [plain]) != logits(probe, [hidden])).all()
    assert probe.encode(["a b"]) != probe.encode(["a  b"]) and encoder_probe.encode(["a b"]) == encoder_probe.encode(
        ["a  b"]
    )


def test_texts_are_cut_and_never_empty(encoder_probe):
    probe = ByteProbe(1, 64, CPU, 0)
    assert [len(ids) for ids in probe.encode(["", "é", "x" * 99, "\ud800"])] == [1, 2, 64, 3]
    assert len(encoder_probe.encode(["word " * 99])[0]) == 16


@pytest.mark.parametrize("name", ["bytes", "wordpiece"])
def test_a_texts_logits_do_not_depend_on_the_texts_beside_it(encoder_probe, name):
    probe = ByteProbe(3, 192, CPU, 0) if name == "bytes" else encoder_probe
    assert probe.name == name
    texts = ["short", "a longer text of eight or nine words here", "x" * 150]
    together = logits(probe, texts)
    for i, text in enumerate(texts):
        torch.testing.assert_close(together[i], logits(probe, [text])[0], atol=2e-4, rtol=1e-4)


def test_the_seed_makes_the_byte_probe():
    first, again, other = (logits(ByteProbe(2, 64, CPU, seed), ["text"]) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_layers_are_cut_and_the_word_table_is_not_trained(encoder_probe):
    backbone = encoder_probe.module()["backbone"]
    assert len(backbone.encoder.layer) == 1
    assert not backbone.get_input_embeddings().weight.requires_grad
    assert backbone.encoder.layer[0].output.dense.weight.requires_grad
    assert encoder_probe.module()["head"].weight.requires_grad
