"""The manifest as an in-toto Statement: what other tools of supply chains read, index and sign.

Its subjects are the manifest, every file of the data and the two Merkle roots; its predicate is the manifest's own
account without what the subjects say already. It is made from the manifest alone, so a check makes it once more and
compares the bytes.
Source: in-toto Attestation Framework, Statement v1 and ResourceDescriptor v1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from audit.attest.names import MANIFEST, SUFFIX

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:tunevet:cleaned-dataset:1"  # ours; a URI that names, not one that is fetched
ROOT_ALGORITHM = "tunevetMerkleSha256"  # audit.attest.merkle: RFC 6962 with the count bound in
_SAID: tuple[str, ...] = (
    *("created", "tool", "python", "libraries", "dataset", "config", "models", "seeds", "device", "batch_plan"),
    *("checks", "decisions", "counts", "holds"),
)


def render(manifest: bytes, facts: Mapping[str, Any]) -> bytes:
    """The statement over a manifest, of which `facts` is the parsed value, as sorted ASCII JSON."""
    trees = facts["trees"]
    subjects = [_subject(f"{facts['name']}{SUFFIX}/{MANIFEST}", "sha256", hashlib.sha256(manifest).hexdigest())]
    subjects += [_subject(file["path"], "sha256", file["sha256"]) for file in facts["files"]]
    subjects += [_subject(f"merkle-root:{name}", ROOT_ALGORITHM, tree["root"]) for name, tree in sorted(trees.items())]
    predicate = {name: facts[name] for name in _SAID if name in facts}
    predicate["inputs"] = [_subject(file["path"], "sha256", file["sha256"]) for file in facts["inputs"]]
    value = {"_type": STATEMENT_TYPE, "subject": subjects, "predicateType": PREDICATE_TYPE, "predicate": predicate}
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _subject(name: str, algorithm: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {algorithm: digest}}
