"""Embeddings of each example: of the prompt, of the response, of the rejected response.

Files: `embeddings/FIELD-SHARD.npy`, (rows of the shard, d) float32, unit rows, aligned with the examples
table. Prompt and response are separate fields, since both repeat much: equal texts are computed once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from audit.rundir import Context, RunDir, read_array, write_array, write_json
from audit.schema import Float32, Kind, Skipped

FIELDS = {"prompt": "prompt", "response": "response", "rejected": "rejected"}

# Of the token limit: the opening of a response is enough for duplicates and outliers.
SHARE = {"prompt": 1.0, "response": 0.5, "rejected": 0.5}

_encoders: dict[str, object] = {}


def fields(kind: str, has_rejected: bool = True) -> tuple[str, ...]:
    """The fields that a kind of dataset has."""
    if kind == Kind.CLASSIFICATION:
        return ("prompt",)
    return ("prompt", "response", "rejected") if kind == Kind.PREFERENCE and has_rejected else ("prompt", "response")


def build(ctx: Context, unit: str) -> list[Path]:
    """Embeds one shard."""
    # Imported here: torch takes seconds to import, and `load` needs none of it.
    from audit.models import device as devices
    from audit.models.encoder import Encoder

    info = ctx.run.dataset()
    names = fields(info.kind, info.shape != "kto")
    table = pl.read_parquet(ctx.run / "examples" / f"{unit}.parquet", columns=list(names))
    ctx.progress.start(f"embedding {unit}", len(table) * len(names), "texts")
    key = ctx.config.model.model_dump_json()
    encoder = _encoders.get(key)
    if not isinstance(encoder, Encoder):
        _encoders.clear()
        encoder = Encoder(ctx.config.model)
        _encoders[key] = encoder
    paths = []
    for name in names:
        path = ctx.run / "embeddings" / f"{name}-{unit}.npy"
        write_array(path, encoder.encode(table[name].fill_null("").to_list(), ctx.progress, SHARE[name]))
        paths.append(path)
    write_json(
        ctx.run / "models.json",
        {
            "embedding": {
                "name": encoder.files.name,
                "revision": encoder.files.revision,
                "sha256": encoder.files.hashes,
                "device": devices.describe(encoder.device),
            },
        },
    )
    return paths


def load(run: RunDir, field: str) -> Float32 | Skipped:
    """(n, d) float32 of a field, aligned with examples; Skipped where the dataset has no such field."""
    info = run.dataset()
    if field not in fields(info.kind, info.shape != "kto"):
        return Skipped(f"needs {field} texts, which a {info.kind} dataset of this shape has not")
    parts = [read_array(run / "embeddings" / f"{field}-{shard}.npy") for shard in info.shards]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def load_whole(run: RunDir) -> Float32:
    """(n, d) float32, unit rows: the example as a whole, the mean of prompt and response directions."""
    prompt = load(run, "prompt")
    response = load(run, "response")
    assert not isinstance(prompt, Skipped)
    if isinstance(response, Skipped):
        return prompt
    both = prompt + response
    return np.asarray(both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-9), dtype=np.float32)
