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


def halves(batch: list[int]) -> list[list[int]]:
    """A batch of two or more in two parts, in order."""
    half = len(batch) // 2
    return [batch[:half], batch[half:]]


def make_room() -> None:
    """Gives memory back that a computation which did not fit has left. Called outside of the handler of its error,
    which still holds on to it."""
    torch.cuda.empty_cache()  # without a GPU nothing happens


def random_state(device: torch.device) -> list[torch.Tensor]:
    """Where the random numbers of the CPU and of a device stand."""
    own = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *own]


def restore(device: torch.device, state: list[torch.Tensor]) -> None:
    """Sets the random numbers back to a `random_state`."""
    torch.set_rng_state(state[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)


def describe(device: torch.device) -> str:
    """The device in words, for manifests and `doctor`."""
    kind = "bfloat16" if has_fast_bfloat16(device) else "float32"
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({kind})"
    return f"CPU, {torch.get_num_threads()} threads ({kind})"
