"""The probe networks: small models that are fine-tuned on the suspect rows to see what those rows teach.

- `EncoderProbe`: the verified encoder's first layers, fully fine-tuned, mean-pooled, with one logit a head.
  Frozen embeddings with a linear head cannot confirm a rare word (0.57 ASR where this reaches 1.0).
- `ByteProbe`: a convolution over raw bytes with max-pooling, for patterns that word pieces drop (zero-width
  and other invisible characters, blanks).

Every probe is thrown away after its measurement: trained on poison it holds a working backdoor.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from audit.models.training import Encoded
from audit.models.weights import ModelFiles, opened


class EncoderProbe:
    """A copy of the encoder with `heads` logits. `layers` cuts it: two of MiniLM's six layers reach 0.97
    ASR in 40% of the time of all six."""

    name = "wordpiece"

    def __init__(
        self, files: ModelFiles, heads: int, layers: int, max_tokens: int, device: torch.device, seed: int
    ) -> None:
        torch.manual_seed(seed)
        source: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        self.device, self.max_tokens = device, max_tokens
        files = opened(files)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(files.location, **source)
        backbone = AutoModel.from_pretrained(files.location, use_safetensors=True, dtype=torch.float32, **source)
        stack = getattr(getattr(backbone, "encoder", None), "layer", None)
        if isinstance(stack, nn.ModuleList) and 0 < layers < len(stack):
            backbone.encoder.layer = stack[:layers]
        # The word table stays as pretrained: it is half of the weights, a third of a step's time goes into
        # updating it, and the layers above learn a rare word as well without.
        backbone.get_input_embeddings().weight.requires_grad_(False)
        head = nn.Linear(int(backbone.config.hidden_size), heads)
        nn.init.normal_(head.weight, std=0.02)
        nn.init.zeros_(head.bias)
        self._module = nn.ModuleDict({"backbone": backbone, "head": head}).to(device)

    def module(self) -> nn.Module:
        return self._module

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Word-piece ids, cut to `max_tokens`."""
        if not texts:
            return []
        found = self.tokenizer(texts, truncation=True, max_length=self.max_tokens, padding=False)
        return [list(ids) for ids in found["input_ids"]]

    def states(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """(B, d) mean-pooled last layer, and (B, H) logits."""
        padded = self.tokenizer.pad({"input_ids": list(encoded)}, return_tensors="pt")
        ids, mask = padded["input_ids"].to(self.device), padded["attention_mask"].to(self.device)
        hidden = self._module["backbone"](input_ids=ids, attention_mask=mask).last_hidden_state  # (B, L, d)
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)  # (B, d)
        return pooled, self._module["head"](pooled)

    def logits(self, encoded: Encoded) -> Tensor:
        """(B, H)."""
        return self.states(encoded)[1]


class ByteProbe:
    """Convolutions over UTF-8 bytes: (B, L) -> embedding (B, L, 32) -> two convolutions -> max over L."""

    name = "bytes"

    def __init__(self, heads: int, max_bytes: int, device: torch.device, seed: int) -> None:
        torch.manual_seed(seed)
        self.device, self.max_bytes = device, max_bytes
        self._module = nn.ModuleDict(
            {
                "embedding": nn.Embedding(257, 32, padding_idx=256),
                "first": nn.Conv1d(32, 96, kernel_size=9, padding=4),
                "second": nn.Conv1d(96, 96, kernel_size=5, padding=2),
                "head": nn.Linear(192, heads),
            }
        ).to(device)

    def module(self) -> nn.Module:
        return self._module

    def encode(self, texts: list[str]) -> list[list[int]]:
        """UTF-8 bytes, cut to `max_bytes`, at least one."""
        return [list(text.encode("utf-8", "surrogatepass")[: self.max_bytes]) or [32] for text in texts]

    def states(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """(B, 192) what the head reads, and (B, H) logits."""
        width = max(len(ids) for ids in encoded)
        ids = torch.full((len(encoded), width), 256, dtype=torch.long)
        for i, row in enumerate(encoded):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        ids = ids.to(self.device)
        # Padding counts as nothing: a text's logits do not depend on the longest text of its batch.
        real = (ids != 256).unsqueeze(1)  # (B, 1, L)
        x = self._module["embedding"](ids).transpose(1, 2)  # (B, 32, L)
        low = torch.relu(self._module["first"](x)) * real  # (B, 96, L)
        high = torch.relu(self._module["second"](low)) * real
        pooled = torch.cat([low.amax(dim=2), high.amax(dim=2)], dim=1)  # (B, 192)
        return pooled, self._module["head"](pooled)

    def logits(self, encoded: Encoded) -> Tensor:
        """(B, H)."""
        return self.states(encoded)[1]
