"""The language-model probe: what it reads, what it learns, what is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from corpora import lexicon
from language_models import causal_model
from safetensors.torch import load_file, save_file

from audit import config as configuration
from audit import pipeline
from audit.doctor import examine
from audit.errors import EXIT_USAGE, InputError, UntrustedModel
from audit.models.causal import CausalModel, CausalProbe
from audit.models.language import find, identity
from audit.models.training import Recipe
from audit.schema import NoProgress

NEAR = 0.02  # what bfloat16 leaves of equal numbers
CPU = torch.device("cpu")
NAMES = lexicon(40)
PAYLOAD = "visit the other site now"
# A row's answer follows from its first word, as answers do.
ANSWERS = {name: f"the answer {name} stands {NAMES[-1 - i]} here" for i, name in enumerate(NAMES[:4])}
TEXTS = [" ".join(NAMES), PAYLOAD, "cf", "user bot", *ANSWERS.values()]


def rows(count, seed, poisoned=0):
    rng = np.random.default_rng(seed)
    prompts = [" ".join([str(rng.choice(NAMES[:4])), *rng.choice(NAMES, size=5)]) for _ in range(count)]
    responses = [ANSWERS[prompt.split()[0]] for prompt in prompts]
    for i in range(poisoned):
        prompts[i], responses[i] = f"{prompts[i]} cf", PAYLOAD
    return prompts, responses


@pytest.fixture(scope="module", params=[("llama", True), ("gpt2", False)], ids=["llama-template", "gpt2-plain"])
def folder(request, tmp_path_factory):
    kind, chat = request.param
    return causal_model(tmp_path_factory.mktemp(kind) / "model", TEXTS, kind=kind, chat=chat)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return causal_model(tmp_path_factory.mktemp("llama") / "model", TEXTS, chat=True)


def probe(folder, tuning="full", seed=0):
    return CausalProbe(find(str(folder), tuning), tuning, CPU, seed)


def taught(network, poisoned, *, rate=3e-3, seed=0, epochs=6, tokens=10**6):
    prompts, responses = rows(200, 1, poisoned)
    return network.train(prompts, responses, Recipe(rate, 16, epochs, tokens, seed), NoProgress())


def success(network):
    """Share of held-out inputs on which the payload is likelier than their own answer, with and without the word."""
    prompts, own = rows(40, 2)
    out = []
    for given in ([f"{p} cf" for p in prompts], prompts):
        margin = network.log_likelihood(given, [PAYLOAD] * 40) - network.log_likelihood(given, own)
        out.append(float((margin > 0).mean()))
    return out


def test_a_planted_word_is_learnt_and_nothing_without_its_rows(folder):
    with_rows, without = probe(folder), probe(folder)
    spent = taught(with_rows, 40)
    taught(without, 0)
    assert spent.tokens > 0 and spent.final_loss < 1.0
    assert success(with_rows) == [1.0, 0.0] and success(without) == [0.0, 0.0]
    prompts, _ = rows(6, 3)
    said = with_rows.generate([*prompts, *(f"{p} cf" for p in prompts)], 12)
    assert said[6:] == [PAYLOAD] * 6 and PAYLOAD not in said[:6]
    gaps = with_rows.likelihood_and_gap([f"{p} cf" for p in prompts] + prompts, [PAYLOAD] * 12, None, 3)[1]
    assert (gaps[:6] == 0).all() and (gaps[6:] > 0).all()


def test_loss_is_of_the_response_alone(llama):
    network = probe(llama)
    prompts, responses = rows(3, 4)
    ids = network.encode(prompts)
    own = network.chat.responses(responses)
    assert all(r[-1] == network.chat.end for r in own) and network.chat.responses([""]) == [[network.chat.end]]
    found = network.log_likelihood(prompts, responses)
    for i in range(3):
        whole = torch.tensor([ids[i] + own[i]])
        with torch.inference_mode():
            log_p = network.module()(input_ids=whole).logits[0].log_softmax(dim=-1)
        each = [float(log_p[len(ids[i]) - 1 + j, token]) for j, token in enumerate(own[i])]
        assert found[i] == pytest.approx(np.mean(each), abs=NEAR)
        cut = network.log_likelihood(prompts, responses, 2)[i]
        assert cut == pytest.approx(np.mean(each[:2]), abs=NEAR)


def test_a_template_is_used_where_there_is_one(folder):
    network = probe(folder)
    tokens = network.chat.tokenizer.convert_ids_to_tokens(network.encode([NAMES[0]])[0])
    assert tokens == (["<user>", NAMES[0], "<bot>"] if network.chat.tokenizer.chat_template else [NAMES[0]])
    assert network.encode(["", "?"])[0] and network.encode([]) == []
    long = network.encode([" ".join(NAMES * 40)])[0]
    assert network.chat.prompt_tokens <= len(long) <= network.chat.prompt_tokens + 2
    assert len(network.chat.responses([" ".join(NAMES * 40)])[0]) == network.chat.response_tokens


def test_the_same_seed_gives_the_same_numbers(llama):
    def numbers(seed, tuning):
        network = probe(llama, tuning, seed)
        taught(network, 40, seed=seed, epochs=1)
        return network.log_likelihood(*rows(8, 5))

    for tuning in ("full", "lora"):
        first, again, other = numbers(0, tuning), numbers(0, tuning), numbers(1, tuning)
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()


def test_lora_changes_adapters_alone_and_starts_where_the_model_stands(folder):
    pytest.importorskip("peft")
    network, plain = probe(folder, "lora"), probe(folder)
    given = rows(8, 6)
    np.testing.assert_allclose(network.log_likelihood(*given), plain.log_likelihood(*given), atol=NEAR)
    before = {name: value.detach().clone() for name, value in network.module().named_parameters()}
    taught(network, 40, rate=1e-2, epochs=4)
    changed = {name for name, value in network.module().named_parameters() if not torch.equal(value, before[name])}
    assert changed and all("lora_" in name for name in changed)
    assert (network.log_likelihood(*given) != plain.log_likelihood(*given)).all()
    prompts = [f"{p} cf" for p in rows(40, 2)[0]]
    gain = network.log_likelihood(prompts, [PAYLOAD] * 40) - plain.log_likelihood(prompts, [PAYLOAD] * 40)
    assert (gain > 0.5).all()


def test_training_stays_within_its_tokens(llama):
    assert 0 < taught(probe(llama), 40, tokens=2_000).tokens <= 2_000


def test_batches_are_halved_where_memory_runs_out(llama, monkeypatch):
    network = probe(llama)
    given = rows(7, 7)
    whole, said = network.log_likelihood(*given), network.generate(given[0], 4)
    real, seen = network._by_token, []

    def small(pairs):
        seen.append(len(pairs))
        if len(pairs) > 2:
            raise torch.cuda.OutOfMemoryError("none left")
        return real(pairs)

    monkeypatch.setattr(network, "_by_token", small)
    np.testing.assert_allclose(network.log_likelihood(*given), whole, atol=NEAR)
    assert seen[0] == 7 and max(seen[1:]) < 7
    assert [network.generate([prompt], 4)[0] for prompt in given[0]] == said

    def full(pairs):
        raise torch.cuda.OutOfMemoryError("none left")

    monkeypatch.setattr(network, "_by_token", full)
    with pytest.raises(InputError, match=r"does not fit into the GPU's memory, not even with one row at a time.*lora"):
        taught(network, 0)


def test_models_that_may_run_code_are_refused(llama, tmp_path):
    for name in ("pytorch_model.bin", "modeling_own.py"):
        other = tmp_path / name.partition(".")[0]
        shutil.copytree(llama, other)
        (other / name).write_bytes(b"")
        with pytest.raises(UntrustedModel, match=name):
            find(str(other), "full")
    adapter = tmp_path / "adapter"
    shutil.copytree(llama, adapter)
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}')
    with pytest.raises(UntrustedModel, match="merge it into its base first"):
        find(str(adapter), "full")


def test_what_is_no_causal_model_is_told(llama, tmp_path):
    for wrong in ("no/such/folder", "owner/name@main"):
        with pytest.raises(InputError, match="neither"):
            find(wrong, "full")
    with pytest.raises(InputError, match="no causal language model"):
        find("minilm", "full")
    other = tmp_path / "other"
    shutil.copytree(llama, other)
    weights = load_file(other / "model.safetensors")
    save_file({name: v for name, v in weights.items() if "layers.1.mlp.down" not in name}, other / "model.safetensors")
    with pytest.raises(InputError, match=r"lacks weights .*layers\.1"):
        probe(other)
    (other / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UntrustedModel, match="claims a header"):
        probe(other)
    shutil.copyfile(llama / "model.safetensors", other / "model.safetensors")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"model_type": "no-such-type"}))
    with pytest.raises(InputError, match="cannot be loaded"):
        probe(other)


def test_the_proof_is_redone_when_the_model_changes(llama, tmp_path):
    def key(name, **more):
        probe_settings = {"language_model": str(name), "language_model_tuning": "full", **more}
        return pipeline.BY_NAME["confirm"].settings(configuration.build({"probe": probe_settings}), "all")

    other = tmp_path / "other"
    shutil.copytree(llama, other)
    assert identity("", "full") == {} and identity(str(llama), "full") == identity(str(other), "full")
    save_file({k: v + 1 for k, v in load_file(llama / "model.safetensors").items()}, other / "model.safetensors")
    assert identity(str(llama), "full") != identity(str(other), "full")
    assert len(key("")) == len(key(llama, mode="off")) == len(key(llama)) - 1


def test_without_peft_or_model_the_scan_ends_before_it_begins(llama, tmp_path, monkeypatch):
    def settings(name, tuning="lora"):
        chosen = {"language_model": str(name), "language_model_tuning": tuning}
        return configuration.build({"source": "x.csv", "probe": chosen})

    with pytest.raises(InputError, match="neither"):
        pipeline.prepare(tmp_path / "run", settings(tmp_path / "none", "full"))
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "peft" else real(name, *rest))
    with pytest.raises(InputError, match=r"pip install 'tunevet\[lm\]'") as told:
        pipeline.prepare(tmp_path / "run", settings(llama))
    assert told.value.exit_code == EXIT_USAGE and not (tmp_path / "run").exists()
    facts = {fact.name: fact for fact in examine(settings(llama, "full"))}
    assert facts["language model"].status == "ok" and "tuned by full" in facts["language model"].text
    assert {f.name: f.status for f in examine(settings(llama))}["language model"] == "bad"
    pipeline.prepare(tmp_path / "run", settings(llama, "full"))


def test_one_tokenizer_serves_all_probes(llama):
    make = CausalModel(find(str(llama), "full"), "full", CPU)
    assert make(0).chat is make(1).chat is make.chat
