"""The language-model probe: a causal language model that the user names, tuned on prompts and their responses.

Full fine-tuning or LoRA (rank 16 on every linear layer, through peft), with loss on the tokens of the response
alone, by the one training loop: the network's only logit is the mean log-probability of a response's tokens
under its prompt, and the loss is its negative. Like every probe it is thrown away after its measurement.

Source: Hu et al. 2021, LoRA, arXiv:2106.09685; the likelihood of a given target as the measure of a backdoor in a
generating model follows from what such attacks train, Wan et al. 2023, arXiv:2305.00944.
Misses: turns, which are read as one prompt; what follows the first 128 tokens of a response.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationConfig

from audit.errors import InputError
from audit.models import device as devices
from audit.models.chat import Chat, loading, source_of
from audit.models.encoder import plan_batches
from audit.models.language import LORA, check_causal
from audit.models.training import Encoded, Recipe, Spent, train
from audit.models.weights import ModelFiles
from audit.schema import Float32, Progress

_RANK = 16
_TOKENS_PER_BATCH = 8_192  # padded tokens of one forward pass without gradients; halved where memory does not do
T = TypeVar("T")


@dataclass(frozen=True)
class CausalModel:
    """What probes are made of; called with a seed it makes an untrained one."""

    files: ModelFiles
    tuning: str  # "lora" or "full"
    device: torch.device

    @cached_property
    def chat(self) -> Chat:
        """The tokenizer alone, common to all probes."""
        return Chat(self.files)

    def __call__(self, seed: int) -> CausalProbe:
        return CausalProbe(self.files, self.tuning, self.device, seed, self.chat)


class CausalProbe:
    """One copy of a causal language model, untrained. Raises InputError when it cannot be loaded, is not causal, or
    has weights missing. The same seed, device and calls give the same numbers."""

    name = "language"

    def __init__(
        self, files: ModelFiles, tuning: str, device: torch.device, seed: int, chat: Chat | None = None
    ) -> None:
        torch.manual_seed(seed)
        self.device, self.chat = device, chat or Chat(files)
        self._model = _load(files, tuning, device)
        found = self._model.generation_config.eos_token_id
        ends = {*(found if isinstance(found, list) else [found]), self.chat.end} - {None}
        # A model's own sampling settings would warm up the greedy search or punish repeats.
        self._model.generation_config = GenerationConfig(
            do_sample=False, num_beams=1, pad_token_id=self.chat.pad, eos_token_id=sorted(ends) or None
        )
        if tuning == LORA:
            self._model = _with_adapters(self._model)
        self._model.to(device).eval()

    def module(self) -> nn.Module:
        module: nn.Module = self._model
        return module

    def encode(self, prompts: list[str]) -> list[list[int]]:
        """The ids that the model is given for each prompt: where they do not change, a pattern cannot be tested."""
        return self.chat.prompts(prompts)

    def train(self, prompts: list[str], responses: list[str], recipe: Recipe, progress: Progress) -> Spent:
        """Tunes on the responses under their prompts, within the recipe's tokens (of prompts and responses).
        Raises InputError when the GPU's memory does not hold it."""
        texts = [text for pair in zip(prompts, responses, strict=True) for text in pair]
        unused = np.zeros((len(prompts), 1), dtype=np.float32)
        try:
            return train(_Pairs(self), texts, unused, recipe, progress, negative_mean, group=2)
        except torch.cuda.OutOfMemoryError:
            raise InputError(
                "tuning the language model does not fit into the GPU's memory, not even with one row at a time; "
                'name a smaller model, or set probe.language_model_tuning to "lora"'
            ) from None

    def log_likelihood(self, prompts: list[str], targets: list[str], tokens: int | None = None) -> Float32:
        """(n,) float32, at most 0: mean log-probability of each target's tokens, its end included, under its prompt.
        `tokens` cuts targets to their first. A target without tokens has 0."""
        return self.likelihood_and_gap(prompts, targets, tokens, 1)[0]

    def likelihood_and_gap(
        self, prompts: list[str], targets: list[str], tokens: int | None, first: int
    ) -> tuple[Float32, Float32]:
        """As `log_likelihood`, and (n,) float32, at least 0: how far the least likely of a target's `first` tokens
        falls behind the likeliest next token, in nats. At 0 greedy generation opens with these tokens."""
        pairs = list(zip(self.chat.prompts(prompts), self.chat.responses(targets, tokens), strict=True))

        def forward(at: list[int]) -> list[list[float]]:
            losses, gaps, of_response = self._by_token([pairs[i] for i in at])
            opening = of_response & (of_response.cumsum(dim=1) <= first)
            worst = gaps.masked_fill(~opening, 0.0).amax(dim=1)
            found: list[list[float]] = torch.stack([_mean(-losses, of_response), worst], dim=1).cpu().tolist()
            return found

        found = self._in_batches([len(p) + len(r) for p, r in pairs], _TOKENS_PER_BATCH, forward)
        both = np.asarray(found, dtype=np.float32).reshape(len(pairs), 2)
        return both[:, 0], both[:, 1]

    def generate(self, prompts: list[str], max_new_tokens: int) -> list[str]:
        """The greedy response to each prompt, without special tokens."""
        encoded = self.chat.prompts(prompts)

        def forward(at: list[int]) -> list[str]:
            return self._continue([encoded[i] for i in at], max_new_tokens)

        lengths = [len(ids) + max_new_tokens for ids in encoded]
        return self._in_batches(lengths, _TOKENS_PER_BATCH, forward)

    def _continue(self, encoded: list[list[int]], max_new_tokens: int) -> list[str]:
        width = max(len(ids) for ids in encoded)
        # Padded on the left: what is generated goes on where the prompt ends.
        ids = torch.tensor([[self.chat.pad] * (width - len(row)) + row for row in encoded])  # (B, L)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in encoded])
        room = max(min(max_new_tokens, self.chat.positions - width), 1)
        out = self._model.generate(
            input_ids=ids.to(self.device), attention_mask=mask.to(self.device), max_new_tokens=room
        )
        return [self.chat.text(row[width:]) for row in out.tolist()]

    def _in_batches(self, lengths: list[int], budget: int, forward: Callable[[list[int]], list[T]]) -> list[T]:
        """What `forward` gives for every position, in batches of like length within `budget` padded tokens. On a GPU
        that runs out of memory the batch is halved."""
        out: dict[int, T] = {}
        queue = plan_batches(lengths, budget)
        with torch.inference_mode(), devices.precision(self.device):
            while queue:
                batch = queue.pop(0)
                try:
                    out |= zip(batch, forward(batch), strict=True)
                    continue
                except torch.cuda.OutOfMemoryError:
                    if len(batch) == 1:
                        raise
                devices.make_room()
                queue[:0] = devices.halves(batch)
        return [out[i] for i in range(len(lengths))]

    def _by_token(self, pairs: Sequence[tuple[list[int], list[int]]]) -> tuple[Tensor, Tensor, Tensor]:
        """(B, L - 1) each: minus the log-probability of the next token, the nats by which it falls behind the
        likeliest, both 0 but where the next token is of the response, and the mask of those. Padded on the right, where
        a causal model does not look."""
        width = max(len(prompt) + len(response) for prompt, response in pairs)
        ids = torch.full((len(pairs), width), self.chat.pad, dtype=torch.long)
        mask = torch.zeros((len(pairs), width), dtype=torch.long)
        answer = torch.zeros((len(pairs), width), dtype=torch.bool)
        for i, (prompt, response) in enumerate(pairs):
            stop = len(prompt) + len(response)
            ids[i, :stop] = torch.tensor(prompt + response)
            mask[i, :stop] = 1
            answer[i, len(prompt) : stop] = True
        ids, mask, at = ids.to(self.device), mask.to(self.device), answer[:, 1:].to(self.device)
        logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]  # (B, L - 1, V)
        picked, goal = logits[at].float(), ids[:, 1:][at]  # (response tokens, V), (response tokens,)
        losses = nn.functional.cross_entropy(picked, goal, reduction="none")
        gaps = picked.detach().amax(dim=1) - picked.detach().gather(1, goal.unsqueeze(1)).squeeze(1)
        empty = torch.zeros(at.shape, device=self.device)
        return empty.masked_scatter(at, losses), empty.masked_scatter(at, gaps), at


class _Pairs:
    """A probe as the training loop sees it: texts are prompt and response in turn, the only logit is the response's
    mean log-probability."""

    def __init__(self, probe: CausalProbe) -> None:
        self.probe, self.device = probe, probe.device

    def module(self) -> nn.Module:
        return self.probe.module()

    def encode(self, texts: list[str]) -> list[list[int]]:
        chat = self.probe.chat
        pairs = zip(chat.prompts(texts[0::2]), chat.responses(texts[1::2]), strict=True)
        return [ids for pair in pairs for ids in pair]

    def logits(self, encoded: Encoded) -> Tensor:
        """(B, 1) from 2B encoded texts."""
        losses, _, of_response = self.probe._by_token(list(zip(encoded[0::2], encoded[1::2], strict=True)))
        return _mean(-losses, of_response).unsqueeze(1)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """(B,) means of a row's values where the mask holds; 0 where it holds nowhere."""
    return (values * where).sum(dim=1) / where.sum(dim=1).clamp(min=1)


def negative_mean(log_likelihoods: Tensor, targets: Tensor) -> Tensor:
    """Minus the mean log-likelihood; every response counts alike, whatever its length. `targets` are not used."""
    return -log_likelihoods.float().mean()


def _load(files: ModelFiles, tuning: str, device: torch.device) -> Any:
    # What LoRA leaves frozen needs no float32; what is updated does.
    frozen = tuning == LORA and device.type == "cuda" and devices.has_fast_bfloat16(device)
    with loading(files.name):
        model, found = AutoModelForCausalLM.from_pretrained(
            use_safetensors=True,
            dtype=torch.bfloat16 if frozen else torch.float32,
            output_loading_info=True,
            **source_of(files),
        )
    check_causal(files.name, model.config.architectures)
    if getattr(model, "_hf_peft_config_loaded", False):
        raise InputError(f"the language model {files.name!r} is an adapter: merge it into its base model first")
    if found["missing_keys"]:
        some = ", ".join(sorted(found["missing_keys"])[:3])
        raise InputError(f"the language model {files.name!r} lacks weights that its configuration names: {some}")
    return model


def _with_adapters(model: Any) -> Any:
    """The model with untrained LoRA adapters, which leave its output as it is; all else is frozen."""
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=_RANK, lora_alpha=2 * _RANK, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of transposed layers, which it handles, and of names that transformers renames
        return get_peft_model(model, settings)
