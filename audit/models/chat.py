"""How a prompt and its response become token ids: by the tokenizer's chat template, or joined by a blank line.

A prompt is one user turn, whatever turns it was joined from, set into the frame that the template gives it
(`audit.models.template`). Without a template it is "prompt, blank line, response". A response ends with the
tokenizer's end-of-sequence token, where it has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer

from audit.errors import InputError
from audit.models.template import Frame, frame_of
from audit.models.weights import ModelFiles, opened

PROMPT_TOKENS = 256
RESPONSE_TOKENS = 128
_TEMPLATE_TOKENS = 64  # kept free for what a template adds
_UNBOUNDED = 1 << 20  # positions of a model that names no bound


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Turns what transformers raises for files that it cannot load into InputError."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().split("\n")[0][:300]
        raise InputError(
            f"the language model {name!r} cannot be loaded: {type(error).__name__}: {first}; "
            "it needs a configuration, a tokenizer and safetensors that transformers loads without code of its own"
        ) from None


def source_of(files: ModelFiles) -> dict[str, Any]:
    """How every part of a model is loaded: from its checked folder alone, never with its own code. Raises InputError,
    UntrustedModel for a hub model that cannot be fetched or is refused."""
    where = opened(files).location
    return {"pretrained_model_name_or_path": where, "local_files_only": True, "trust_remote_code": False}


class Chat:
    """A model's tokenizer. Raises InputError when it cannot be loaded, UntrustedModel when its template cannot be
    used."""

    def __init__(self, files: ModelFiles) -> None:
        with loading(files.name):
            self.tokenizer: Any = AutoTokenizer.from_pretrained(**source_of(files))
            config = AutoConfig.from_pretrained(**source_of(files))
        self.positions = int(getattr(config, "max_position_embeddings", None) or _UNBOUNDED)
        self.response_tokens = max(min(RESPONSE_TOKENS, self.positions // 4), 1)
        room = self.positions - self.response_tokens - _TEMPLATE_TOKENS
        self.prompt_tokens = max(min(PROMPT_TOKENS, room), 1)
        self.end: int | None = self.tokenizer.eos_token_id
        pad = self.tokenizer.pad_token_id
        self.pad: int = pad if pad is not None else self.end if self.end is not None else 0
        self._frame = self._of_template(files.name)
        self._known: dict[str, list[int]] = {}

    def prompts(self, texts: list[str]) -> list[list[int]]:
        """Ids of each prompt up to where its response begins; at least one. The user's text is cut to
        `prompt_tokens`."""
        return [self._prompt(text) for text in texts]

    def responses(self, texts: list[str], tokens: int | None = None) -> list[list[int]]:
        """Ids of each response with its end, cut to `response_tokens`, or fewer."""
        limit = min(tokens or self.response_tokens, self.response_tokens)
        end = [] if self.end is None else [self.end]
        return [(self._plain(text) + end)[:limit] for text in texts]

    def text(self, ids: list[int]) -> str:
        """The text of generated ids, without special tokens."""
        found: str = self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return found.strip()

    def _of_template(self, name: str) -> Frame | None:
        found = self.tokenizer.chat_template
        template = found.get("default") if isinstance(found, dict) else found
        if template is None:
            return None
        named = self.tokenizer.special_tokens_map
        tokens = tuple(sorted((key, value) for key, value in named.items() if isinstance(value, str)))
        return frame_of(template, tokens, name)

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    def _prompt(self, text: str) -> list[int]:
        if text not in self._known:
            short = self._short(text)
            if self._frame is not None:
                made = self.tokenizer(self._frame.around(short), add_special_tokens=False)["input_ids"]
            else:
                made = self.tokenizer(f"{short}\n\n")["input_ids"]
                made = made[:-1] if made and made[-1] == self.end else made
            self._known[text] = list(made) or [self.pad]
        return self._known[text]

    def _short(self, text: str) -> str:
        ids = self._plain(text)
        if len(ids) <= self.prompt_tokens:
            return text
        cut: str = self.tokenizer.decode(ids[: self.prompt_tokens], clean_up_tokenization_spaces=False)
        return cut
