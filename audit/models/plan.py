"""What decides which texts are computed together: the batch plan, a part of the key of every stage that embeds.

A text's vector changes in its last bits with the batch that it is padded in, with the device and with the precision.
So all of these are in the key: the same key means the same batches, and the same bytes on the same machine. Stages that
read the embeddings depend on the plan through them.

Misses: a GPU that runs out of memory halves a batch, and its vectors differ in the last bits; scores are rounded before
thresholds for that.
"""

from __future__ import annotations

from typing import Any

from audit.config import ModelConfig

# Batches hold texts of about one length, shortest first, ties by position, each text once (`encoder.plan_batches`).
ORDER = "distinct texts by tokens, then position"


def batch_plan(settings: ModelConfig) -> dict[str, Any]:
    """What the batches of an encoder depend on but for the texts. Raises InputError where the device is absent."""
    # Imported here: the plan is asked for by the table of stages, which must load without torch.
    from audit.models import device as devices

    device = devices.pick(settings.device)
    return {
        "order": ORDER,
        "tokens_per_batch": settings.tokens_per_batch,
        "max_tokens": settings.max_tokens,
        "device": device.type,
        "precision": "bfloat16" if devices.has_fast_bfloat16(device) else "float32",
    }
