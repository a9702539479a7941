"""What stands beside the manifest: bill of materials, statement, the field of time, `apply`, and what is loaded."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import attested
import pytest
from decided_runs import on_row, write_decisions

from audit.errors import InputError
from audit.remedies.apply import apply
from audit.rundir import read_json
from audit.verify import verify_path


def test_the_bill_names_data_input_and_libraries_with_their_hashes(made: Path):
    bill = read_json(made / "cleaned.provenance" / "bom.cdx.json")
    manifest = read_json(made / "cleaned.provenance" / "manifest.json")
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    hashes = {c["name"]: c["hashes"] for c in bill["components"] if c["type"] == "data"}
    wanted = {f["path"]: f["sha256"] for f in (*manifest["files"], *manifest["inputs"])}
    assert hashes == {name: [{"alg": "SHA-256", "content": sha}] for name, sha in wanted.items()}
    refs = [c["bom-ref"] for c in bill["components"]]
    refs += [bill["metadata"]["component"]["bom-ref"], bill["metadata"]["tools"]["components"][0]["bom-ref"]]
    assert len(set(refs)) == len(refs)
    assert {r for d in bill["dependencies"] for r in (d["ref"], *d["dependsOn"])} <= set(refs)


def test_the_statement_is_of_the_manifest_the_files_and_the_roots(made: Path):
    said = read_json(made / "cleaned.provenance" / "statement.intoto.json")
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    subjects = {s["name"]: s["digest"] for s in said["subject"]}
    for name in ("cleaned.provenance/manifest.json", "cleaned/d.jsonl"):
        assert subjects[name] == {"sha256": hashlib.sha256((made / name).read_bytes()).hexdigest()}
    assert {name for name in subjects if name.startswith("merkle-root:")} == {"merkle-root:rows", "merkle-root:ledger"}


@pytest.mark.parametrize("name", ["d.csv", "d.json", "d.jsonl.gz", "d.parquet"])
def test_each_format_is_published_and_stands(tiny, tmp_path: Path, name: str):
    folder = attested.published(attested.scanned(tmp_path, name), tmp_path / "pub")
    found = verify_path(folder)
    assert found.ok and found.records[0].ledger.height == 40
    (data,) = (folder / "cleaned").iterdir()
    data.write_bytes(data.read_bytes()[:-9])
    assert not verify_path(folder).ok


def test_two_runs_give_the_same_bytes_but_for_the_time(tiny, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    names = ("ledger.parquet", "manifest.json", "statement.intoto.json", "bom.cdx.json", "croissant.json")
    runs = [attested.scanned(tmp_path / at) for at in ("x", "y/deeper")]
    one, two = ([(run / "cleaned.provenance" / name).read_bytes() for name in names] for run in runs)
    assert one == two
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000001")
    other = read_json(attested.scanned(tmp_path / "z") / "cleaned.provenance" / "manifest.json")
    first = json.loads(one[1])
    assert {name for name in first if first[name] != other[name]} == {"created", "documents"}
    assert {n for n, d in first["documents"].items() if d != other["documents"][n]} == {"bom.cdx.json"}


def test_a_run_directory_with_a_file_too_many_is_not_as_written(tiny, tmp_path: Path):
    run = attested.scanned(tmp_path)
    assert verify_path(run.path).ok
    (run / ".git").mkdir()
    (run / ".git" / "x").write_text("x")
    assert verify_path(run.path).extra == (".git", ".git/x")


def test_what_was_decided_is_recorded_and_its_edits_are_checked(tiny, tmp_path: Path):
    run = attested.scanned(tmp_path)
    decisions = write_decisions(tmp_path / "d", on_row(run, 3, "edit", "label", "0"), on_row(run, 4, "reject"))
    out = tmp_path / "out" / "clean.jsonl"
    apply(run, [decisions], out)
    found = verify_path(out.parent)
    assert found.ok and verify_path(out).ok
    ledger = found.records[0].ledger
    edited = ledger.filter(ledger["fate"] == "edited")
    assert edited["row"].to_list() == [3] and edited["written"].null_count() == 0
    assert edited["decided_by"].to_list() == ["person"]
    assert found.records[0].facts["counts"] == {"rows": 41, "edited": 1, "kept": 36, "removed": 3, "unreadable": 1}
    (out.parent / "clean.jsonl.removed.jsonl").unlink()
    assert verify_path(out.parent).ok
    (out.parent / "clean.jsonl.removed.jsonl").write_text("{}")
    assert verify_path(out.parent).changed == ("clean.jsonl.removed.jsonl",)


def test_a_folder_without_a_record_is_an_error(tmp_path: Path):
    with pytest.raises(InputError, match="nothing to check"):
        verify_path(tmp_path)


def test_a_check_loads_neither_torch_nor_prefect(made: Path):
    code = f"import sys, pathlib; from audit import verify; ok = verify.verify_path(pathlib.Path({str(made)!r})).ok"
    code += "; print(ok, [m for m in ('torch', 'prefect', 'sklearn', 'flows', 'cryptography') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "True []", done.stderr
