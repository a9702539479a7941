"""The language model that a user names for the proof: whether it is there, and what identifies it.

Loads neither torch nor the model, so that a scan can end before it begins. The files come through
`audit.models.weights.resolve`: a folder of safetensors, or a hub id at a 40-digit revision. A hub id is not
looked up here; what is missing of it shows when it is first loaded.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

from audit.errors import InputError, UntrustedModel
from audit.models.weights import ModelFiles, resolve
from audit.provenance import digest

LORA, FULL = "lora", "full"
_ADAPTER = "adapter_config.json"
_CAUSAL = ("ForCausalLM", "LMHeadModel")


def find(name: str, tuning: str, lock: str = "") -> ModelFiles:
    """The model's files, held against the models lock at path `lock`. Raises InputError when the model, or peft for
    `tuning` "lora", is missing or when it is no causal language model; UntrustedModel when its folder is refused."""
    if tuning == LORA and importlib.util.find_spec("peft") is None:
        raise InputError(
            f"the language model {name!r} is tuned with LoRA, which needs peft: pip install 'tunevet[lm]', "
            'or set probe.language_model_tuning to "full"'
        )
    files = resolve(name, lock)
    if files.revision is None:
        _check_folder(Path(files.location), name)
    return files


def identity(name: str, tuning: str, lock: str = "") -> dict[str, str]:
    """What a proof depends on besides its settings: a digest of the files' hashes; empty without a model. Raises as
    `find` does."""
    return {"files": digest(sorted(find(name, tuning, lock).hashes.items()))} if name else {}


def check_causal(name: str, architectures: Sequence[str] | None) -> None:
    """Raises InputError unless one of the architectures that a model's configuration names predicts the next
    token; an encoder sees the answer that it is asked for."""
    if not any(architecture.endswith(_CAUSAL) for architecture in architectures or ()):
        named = ", ".join(architectures or ()) or "no architecture"
        raise InputError(f"{name!r} is no causal language model: its config.json names {named}; name one that is")


def _check_folder(folder: Path, name: str) -> None:
    if (folder / _ADAPTER).exists():
        # transformers would load the base model that the adapter names, whatever and wherever it is.
        raise UntrustedModel(f"model folder {folder} holds {_ADAPTER}: merge the adapter into its base model first")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the language model {name!r} has no config.json that can be read: {error}") from None
    check_causal(name, config.get("architectures") if isinstance(config, dict) else None)
