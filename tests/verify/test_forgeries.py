"""Forgeries that agree with themselves but for one thing: what catches each of them, and nothing else does."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
import tampering

from audit.attest import rows
from audit.attest.check import check
from audit.attest.manifest import Malformed, parse
from audit.attest.names import LEDGER, find, opened
from audit.attest.write import described


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "pub", symlinks=True))


def problems(folder: Path, allow=()) -> list[tuple[str, str]]:
    """(name, sentence) of each problem of the folder's one record."""
    return [(found.name, found.text) for found in check(find(folder)[0], None, allow).problems]


def test_the_folder_itself_has_no_problem(folder):
    assert problems(folder) == []


def test_a_count_of_rows_that_the_ledger_does_not_give(folder):
    tampering.edit_manifest(folder, lambda facts: facts["files"][0].update(rows=facts["files"][0]["rows"] + 1))
    [(name, text)] = problems(folder)
    assert name == "cleaned/d.jsonl" and "rows, the ledger has" in text


def test_a_ledger_that_does_not_hold_each_row_once(folder):
    """Two rows are called by one number; the trees and hashes are made anew over it."""
    path = folder / "cleaned.provenance" / LEDGER
    ledger = pl.read_parquet(path).with_columns(pl.when(pl.col("row") == 1).then(0).otherwise("row").alias("row"))
    ledger.write_parquet(path)

    def change(facts):
        facts["documents"][LEDGER] = described(path)
        facts["trees"] = rows.roots(ledger)

    tampering.edit_manifest(folder, change)
    assert [text for _, text in problems(folder)] == ["The ledger does not hold each row once and in order."]


def test_fewer_records_than_were_read(folder):
    tampering.edit_manifest(folder, lambda facts: facts["inputs"][0].update(records=facts["inputs"][0]["records"] + 2))
    assert [text for _, text in problems(folder)] == ["43 records were read, the ledger holds 41."]


def test_rows_whose_file_is_left_out_of_the_manifest(folder):
    """All kept rows are gone, and the manifest no longer names the file that they stood in."""
    tampering.edit_manifest(folder, lambda facts: facts.update(files=[]))
    shutil.rmtree(folder / "cleaned")
    texts = [text for _, text in problems(folder)]
    assert texts == ["Rows of input 0 belong into a file of role data, which there is not."]


def test_a_link_in_the_place_of_an_allowed_file_is_named(folder):
    (folder / "README.md").write_text("about the data")
    assert problems(folder, ["README.md"]) == []
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/passwd")
    assert problems(folder, ["README.md"]) == [("README.md", "A link stands there.")]


def test_no_folder_is_entered_through_a_link(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"directory|link"):
        opened(root, "a/x").close()


def test_a_key_that_stands_twice_in_a_manifest(folder):
    """Two readers may take another one of the two."""
    content = (folder / "cleaned.provenance" / "manifest.json").read_bytes()
    assert parse(content, "cleaned")["name"] == "cleaned"
    with pytest.raises(Malformed, match="a key stands twice"):
        parse(content.replace(b"{", b'{"name": "other", ', 1), "cleaned")
