"""One row and the siblings on its way to a Merkle root: shows that the row is in the ledger, without the other rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from audit.attest import merkle, rows
from audit.attest.check import Checked
from audit.errors import InputError


@dataclass(frozen=True, slots=True)
class Proof:
    """The way of one leaf to one root."""

    tree: str  # rows or ledger
    index: int
    leaves: int
    data: bytes  # what the leaf is the hash of
    steps: tuple[merkle.Step, ...]
    root: str  # hex, the manifest's
    holds: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON: hashes in hex, each step with the side that the sibling stands on."""
        steps = [{"side": "left" if step.left else "right", "sha256": step.hash.hex()} for step in self.steps]
        facts = {"tree": self.tree, "index": self.index, "leaves": self.leaves, "data": self.data.hex()}
        return {**facts, "leaf": merkle.leaf(self.data).hex(), "path": steps, "root": self.root, "holds": self.holds}


def prove(checked: Checked, row: int) -> tuple[dict[str, Any], tuple[Proof, ...]]:
    """The ledger's entry of a row of the input and its proofs in both trees. Raises InputError where the ledger cannot
    be read or has no such row."""
    ledger = checked.ledger
    if ledger is None:
        raise InputError("the ledger cannot be read, so no row of it can be proved")
    if not 0 <= row < ledger.height:
        raise InputError(f"there is no row {row}; the input has rows 0 to {ledger.height - 1}")
    entry = dict(ledger.row(row, named=True))
    found = []
    for tree, leaves in (("rows", list(rows.row_leaves(ledger))), ("ledger", list(rows.ledger_leaves(ledger)))):
        said = checked.facts["trees"][tree]
        steps = merkle.path(leaves, row)
        holds = merkle.proves(leaves[row], row, steps, said["leaves"], _bytes(said["root"]))
        found.append(Proof(tree, row, said["leaves"], leaves[row], tuple(steps), said["root"], holds))
    return entry, tuple(found)


def _bytes(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        return b""
