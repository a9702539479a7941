"""Every case of tampering is caught by the command, and what it says names the place."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import tampering
from tampering import CASES, Case, Keys

from audit.attest.names import find
from audit.attest.sign import sign

# Fields that say how the data came about: nothing in the folder can contradict them, only a signature protects them.
STATED_ONLY = {"batch_plan", "checks", "created", "dataset", "device", "libraries", "models", "python", "seeds", "tool"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tampering_is_caught_and_named(case: Case, folder: Path, keys: Keys, tunevet):
    options = []
    if case.signed:
        sign(find(folder)[0], keys.private)
        options = ["--key", keys.public]
    case.tamper(folder, keys)
    code, said, _ = tunevet("verify", folder, *options)
    assert code == 1
    assert case.said.casefold() in said.casefold()


def test_there_are_cases_enough(folder: Path, keys: Keys, tunevet):
    """And nothing of it is said of a folder that nobody touched. The number that was caught is printed at the end."""
    assert len(CASES) >= 12
    sign(find(folder)[0], keys.private)
    assert tunevet("verify", folder, "--key", keys.public)[0] == 0


def test_without_a_key_somebody_who_rewrites_everything_is_not_seen(folder: Path, keys: Keys, tunevet):
    """The limit that docs/provenance.md states."""
    tampering.forge(folder, keys)
    code, said, _ = tunevet("verify", folder)
    assert code == 0 and "not signed" in said


def test_a_path_of_the_manifest_leads_nowhere_else(folder: Path, tunevet):
    secret = folder.parent / "secret"
    secret.write_text("x")
    for path in ("../secret", "/etc/passwd", "cleaned/../../secret", "cleaned//d.jsonl", "", "cleaned.provenance/x"):
        tampering.edit_manifest(folder, lambda facts, path=path: facts["files"][0].update(path=path))
        code, said, _ = tunevet("verify", folder)
        assert code == 1 and "cannot be used" in said


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"[" * 100_000, b"\xff", b"null"])
def test_a_manifest_of_another_form_is_refused(folder: Path, tunevet, content: bytes):
    (folder / "cleaned.provenance" / "manifest.json").write_bytes(content)
    code, said, _ = tunevet("verify", folder)
    assert code == 1 and "cannot be used" in said


def test_every_field_that_is_used_may_be_forged(folder: Path, tunevet):
    """A missing or odd field of a manifest is a finding, never a traceback."""
    path = folder / "cleaned.provenance" / "manifest.json"
    good = json.loads(path.read_bytes())
    odd = [None, True, -1, 10**30, "x", [], {}, ["x"], {"x": 1}]
    wrong = {name: odd[at % len(odd)] for at, name in enumerate(good)}
    changes = [{name: value} for name, value in wrong.items() if name not in STATED_ONLY]
    for place in ("files", "inputs"):
        for at, name in enumerate(good[place][0]):
            for value in (odd[at % len(odd)], odd[(at + 4) % len(odd)]):
                if value != good[place][0][name]:
                    changes.append({place: [{**good[place][0], name: value}, *good[place][1:]]})
    assert len(changes) > 30
    for change in changes:
        path.write_text(json.dumps({**good, **change}))
        assert tunevet("verify", folder)[0] == 1, change


def test_a_ledger_that_is_no_parquet_is_a_finding(folder: Path, tunevet):
    path = folder / "cleaned.provenance" / "ledger.parquet"
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[: len(whole) // 2], whole[:-8] + b"\xff" * 8, b"\x00" * 4000):
        path.write_bytes(content)
        code, said, _ = tunevet("verify", folder)
        assert code == 1 and "The ledger cannot be read" in said


def test_openssl_checks_the_same_signature(folder: Path, keys: Keys):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    record = find(folder)[0]
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys.public, "-rawin"]
    words += ["-in", record / "manifest.json", "-sigfile", sign(record, keys.private)]
    assert subprocess.run(words, capture_output=True, text=True).returncode == 0
