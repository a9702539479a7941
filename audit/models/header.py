"""The header of a safetensors file, read and checked by ourselves before any library opens the file.

A file is 8 bytes with the header's length, the header as JSON, and the tensors' bytes. A header may lie: about its own
length, about bytes that are not there, about two tensors in one place. Everything it claims is checked against the
file's size, which the system knows; no claim costs memory before it is checked.

Source: the format's description, huggingface/safetensors, README, "Format".
Misses: what the numbers do. A backdoored model has an honest header.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

from audit.errors import UntrustedModel
from audit.text import safe_text

MAX_HEADER_BYTES = 100_000_000  # the bound of the reference reader
MAX_TENSORS = 200_000
MAX_RANK = 8
MAX_NAME = 512
MAX_FILE_BYTES = 64 << 30  # published models are cut into files of 5 GB

# Bytes of one element. Packed types of less than a byte are not read.
DTYPES: Mapping[str, int] = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: bytes `begin` to `end` of the file's data, which starts behind the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. Raises UntrustedModel when the header is longer than the file or than
    MAX_HEADER_BYTES, is no JSON object, names something twice or of an unknown type, or when the tensors do not fill
    the rest of the file from its first byte to its last, in turn and without overlap."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise UntrustedModel(f"{path} cannot be read: {error.strerror}") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        _refuse(path, "is not a regular file")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > MAX_FILE_BYTES:
            _refuse(path, f"has {status.st_size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
        if status.st_size < _LENGTH + 2:
            _refuse(path, f"has {status.st_size} bytes, too few for a header")
        length = int.from_bytes(file.read(_LENGTH), "little")
        if length > MAX_HEADER_BYTES:
            _refuse(path, f"claims a header of {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read")
        if length > status.st_size - _LENGTH:
            _refuse(path, f"claims a header of {length:,} bytes, more than the file has")
        raw = file.read(length)
    tensors = _tensors(path, _parsed(path, raw))
    _check_places(path, tensors, status.st_size - _LENGTH - length)
    return tensors


def _refuse(path: Path, why: str) -> NoReturn:
    raise UntrustedModel(f"safetensors file {safe_text(str(path))} {why}; fetch it again from whom you trust")


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    def pairs(listed: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(listed)
        if len(found) != len(listed):
            _refuse(path, "names a tensor or a field twice")
        return found

    def constant(name: str) -> NoReturn:
        _refuse(path, f"holds {name} in its header")

    if not raw.startswith(b"{"):
        _refuse(path, "has a header that is no JSON object")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError):
        _refuse(path, "has a header that is not valid JSON in UTF-8")
    assert isinstance(value, dict)  # it begins with a brace and parses
    return value


def _tensors(path: Path, header: dict[str, Any]) -> dict[str, Tensor]:
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        _refuse(path, "has metadata that is not text")
    if not header:
        _refuse(path, "holds no tensor")
    if len(header) > MAX_TENSORS:
        _refuse(path, f"names {len(header):,} tensors; at most {MAX_TENSORS:,} are read")
    return {name: _tensor(path, name, value) for name, value in header.items()}


def _tensor(path: Path, name: str, value: Any) -> Tensor:
    shown = safe_text(name, 80)
    if not name or len(name) > MAX_NAME:
        _refuse(path, f"has a tensor name of {len(name)} characters; 1 to {MAX_NAME} are read")
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f"does not give dtype, shape and data_offsets alone for {shown}")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _refuse(path, f"has a tensor {shown} of type {safe_text(str(dtype), 40)}; known are {', '.join(DTYPES)}")
    if not _are_sizes(shape) or len(shape) > MAX_RANK:
        _refuse(path, f"has a tensor {shown} whose shape is no list of at most {MAX_RANK} sizes")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        _refuse(path, f"has a tensor {shown} whose data_offsets are no begin and end")
    begin, end = offsets
    if prod(shape) * DTYPES[dtype] != end - begin:
        _refuse(path, f"has a tensor {shown} whose shape needs other than its {end - begin:,} bytes")
    return Tensor(dtype, tuple(shape), begin, end)


def _are_sizes(value: Any) -> bool:
    """True for a list of whole numbers from 0 to 2^48."""
    return isinstance(value, list) and all(type(v) is int and 0 <= v <= 1 << 48 for v in value)


def _check_places(path: Path, tensors: dict[str, Tensor], data_bytes: int) -> None:
    """The tensors lie one behind the other over the whole of the data."""
    at = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != at:
            what = "overlaps another" if tensor.begin < at else "leaves bytes before it that no tensor names"
            _refuse(path, f"has a tensor {safe_text(name, 80)} that {what}")
        at = tensor.end
    if at != data_bytes:
        _refuse(path, f"claims {at:,} bytes of tensors, but holds {data_bytes:,}")
