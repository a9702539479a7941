"""The tree against the recursive definition of RFC 6962, and what a change does to its root."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attest import merkle

LEAVES = st.lists(st.binary(max_size=6), max_size=70)


def naive(data: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    return hashlib.sha256(b"\x01" + naive(data[:k]) + naive(data[k:])).digest()


def naive_path(index: int, data: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(data) <= 1:
        return []
    k = 1
    while k * 2 < len(data):
        k *= 2
    if index < k:
        return [*naive_path(index, data[:k]), naive(data[k:])]
    return [*naive_path(index - k, data[k:]), naive(data[:k])]


@settings(deadline=None)
@given(LEAVES)
def test_the_root_is_that_of_the_recursive_definition(data):
    assert merkle.root(data) == merkle.bind(len(data), naive(data))


def test_the_top_node_is_that_of_the_published_test_vectors():
    # The eight leaves that implementations of RFC 6962 are tried on, and the top of all of them.
    texts = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    data = [bytes.fromhex(text) for text in texts]
    top = bytes.fromhex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
    assert merkle.root(data) == merkle.bind(8, top)


@settings(deadline=None)
@given(LEAVES.filter(bool), st.data())
def test_every_leaf_has_its_path(data, draw):
    index = draw.draw(st.integers(0, len(data) - 1))
    steps, root = merkle.path(data, index), merkle.root(data)
    assert [step.hash for step in steps] == naive_path(index, data)
    assert merkle.proves(data[index], index, steps, len(data), root)
    assert not merkle.proves(data[index] + b"x", index, steps, len(data), root)
    assert not merkle.proves(data[index], index, steps, len(data) + 1, root)
    for at, step in enumerate(steps):
        forged = [*steps]
        forged[at] = merkle.Step(bytes([step.hash[0] ^ 1]) + step.hash[1:], step.left)
        assert not merkle.proves(data[index], index, forged, len(data), root)


@settings(deadline=None)
@given(LEAVES.filter(bool), st.data())
def test_a_path_proves_no_other_place(data, draw):
    index = draw.draw(st.integers(0, len(data) - 1))
    other = draw.draw(st.integers(-2, len(data) + 2))
    steps, root = merkle.path(data, index), merkle.root(data)
    if other != index:
        assert not merkle.proves(data[index], other, steps, len(data), root)


@settings(deadline=None)
@given(LEAVES, st.data())
def test_any_change_changes_the_root(data, draw):
    root, size = merkle.root(data), len(data)
    at = draw.draw(st.integers(0, size))
    new = draw.draw(st.binary(max_size=6))
    assert merkle.root([*data[:at], new, *data[at:]]) != root
    if size:
        at = draw.draw(st.integers(0, size - 1))
        assert merkle.root(data[:at] + data[at + 1 :]) != root
        if new != data[at]:
            assert merkle.root([*data[:at], new, *data[at + 1 :]]) != root
        shuffled = draw.draw(st.permutations(data))
        assert (merkle.root(shuffled) == root) == (shuffled == data)


def test_a_node_is_no_leaf_and_a_smaller_tree_no_larger_one():
    a, b = b"a", b"b"
    inner = merkle.leaf(a) + merkle.leaf(b)
    assert merkle.leaf(inner) != merkle.node(merkle.leaf(a), merkle.leaf(b))
    assert merkle.root([]) != merkle.root([b""])
    # The way of the first of three leaves looks like that of the first of four: the count tells them apart.
    steps, root = merkle.path([a, b, a], 0), merkle.root([a, b, a])
    assert merkle.proves(a, 0, steps, 3, root) and not merkle.proves(a, 0, steps, 4, root)
    with pytest.raises(IndexError):
        merkle.path([a, b], 2)
