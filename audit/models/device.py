"""Which device computes, in what precision, with how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from audit.errors import InputError


def pick(name: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda". Raises InputError when CUDA is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but torch sees no GPU; use --device auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def has_fast_bfloat16(device: torch.device) -> bool:
    """True where bfloat16 is computed by the hardware. On a CPU without AVX512-BF16 or AMX it is emulated,
    and slower than float32; with it the encoder runs 2.6 to 4.4 times faster at cosine 0.9999."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@contextmanager
def precision(device: torch.device) -> Iterator[None]:
    """Autocast to bfloat16 where that is fast; float32 elsewhere."""
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_fast_bfloat16(device)):
        yield


def describe(device: torch.device) -> str:
    """The device in words, for manifests and `doctor`."""
    kind = "bfloat16" if has_fast_bfloat16(device) else "float32"
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({kind})"
    return f"CPU, {torch.get_num_threads()} threads ({kind})"
