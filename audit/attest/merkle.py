"""Merkle trees over rows: one hash that stands for all of them in their order, and a short proof for each.

A leaf is SHA-256(0x00 || data), an inner node SHA-256(0x01 || left || right); the left subtree of n leaves holds the
largest power of two below n. The root is SHA-256(0x02 || n as 8 bytes, big endian || top node), so a tree of another
size has another root.

Source: RFC 6962, section 2.1 (the tree and its audit paths); the count in the root is ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

_EMPTY = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Step:
    """A sibling on the way from a leaf to the top. `left`: it stands to the left of the path."""

    hash: bytes  # 32 bytes
    left: bool


def leaf(data: bytes) -> bytes:
    """The 32 bytes of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The 32 bytes of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def bind(count: int, top: bytes) -> bytes:
    """The root of a tree of `count` leaves."""
    return hashlib.sha256(b"\x02" + count.to_bytes(8, "big") + top).digest()


def root(data: Iterable[bytes]) -> bytes:
    """The root over these leaves' data, in order, holding one hash a level."""
    count, stack = 0, list[bytes]()
    for item in data:
        count += 1
        top = leaf(item)
        for _ in range((count & -count).bit_length() - 1):  # as many carries as there are trailing zeros
            top = node(stack.pop(), top)
        stack.append(top)
    top = stack.pop() if stack else _EMPTY
    while stack:
        top = node(stack.pop(), top)
    return bind(count, top)


def path(data: Iterable[bytes], index: int) -> list[Step]:
    """The siblings of leaf `index`, from the leaf upwards. Raises IndexError for a leaf that there is not."""
    level = [leaf(item) for item in data]
    if not 0 <= index < len(level):
        raise IndexError(f"leaf {index} of {len(level)}")
    steps: list[Step] = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            steps.append(Step(level[sibling], sibling < index))
        pairs = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level, index = pairs + level[len(pairs) * 2 :], index // 2
    return steps


def climb(data: bytes, steps: Iterable[Step], count: int) -> bytes:
    """The root that a leaf and its siblings come to in a tree of `count` leaves."""
    top = leaf(data)
    for step in steps:
        top = node(step.hash, top) if step.left else node(top, step.hash)
    return bind(count, top)


def proves(data: bytes, index: int, steps: list[Step], count: int, expected: bytes) -> bool:
    """True when these siblings show that leaf `index` of `count` holds this data. The sides follow from the index, so
    a path that belongs to another place does not pass."""
    return (
        0 <= index < count and [s.left for s in steps] == _sides(index, count) and climb(data, steps, count) == expected
    )


def _sides(index: int, count: int) -> list[bool]:
    """Whether each sibling of a leaf stands to its left, from the leaf upwards."""
    sides = []
    while count > 1:
        if index ^ 1 < count:
            sides.append(bool(index & 1))
        index, count = index // 2, (count + 1) // 2
    return sides
