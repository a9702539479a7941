"""What a person is told of each record, and that whoever changes a ledger, a region or a row is noticed."""

from __future__ import annotations

import polars as pl
import pytest
from conserving import GOOD, scan, write_input
from typer.testing import CliRunner

from audit.cli.app import app
from audit.decide import BAD_ROWS_CODE
from audit.errors import ConservationError, InputError, IntegrityError, UsageError
from audit.job import LocalEngine
from audit.remedies import clean
from audit.remedies.fates import FATES
from audit.remedies.resolve import RESOLVED
from audit.remedies.restore import broken_laws, restore, restored_name
from audit.rundir import Context, read_json, write_frame, write_json
from audit.schema import FINDINGS, NoProgress
from audit.sources.record import Reading
from audit.sources.regions import Coverage, RegionKind

BAD = b'{"text":"a","text":"b","label":"1"}\n\n'


@pytest.fixture
def run(tmp_path):
    return scan(write_input(tmp_path / "in", {"x.jsonl": BAD + GOOD}), tmp_path / "run")


def fates(run):
    return pl.read_parquet(run / "ledger.parquet")


def again(run):
    from audit.config import build

    clean.build(Context(run, build({}), NoProgress()), "all")


def test_the_ledger_says_where_each_record_stood_and_what_became_of_it(run, tmp_path):
    found, ledger = fates(run), run.ledger()
    assert dict(found.schema) == FATES
    assert found["row"].to_list() == list(range(43)) and found["ordinal"].to_list() == [*range(21), *range(22)]
    for row in found.iter_rows(named=True):
        data = (tmp_path / "in" / row["path"]).read_bytes()
        assert data[row["offset"] : row["offset"] + row["length"]] == ledger["raw"][row["row"]]
    assert found["sha256"].equals(ledger["sha256"])
    hashes = {file.path: file.sha256 for file in run.dataset().files}
    assert found["file_sha256"].to_list() == [hashes[path] for path in found["path"]]
    counts = dict(found["fate"].value_counts().rows())
    assert counts == {"kept": 14, "review": 14, "removed": 14, "unreadable": 1}


def test_reasons_and_evidence_are_those_of_the_verdicts(run):
    found = fates(run)
    bad = found.row(21, named=True)
    assert bad["reasons"] == ["duplicate_key", BAD_ROWS_CODE] and bad["evidence"] == []
    removed = found.filter(pl.col("fate") == "removed")
    assert removed["evidence"].to_list() == [["T-1"]] * 14 and removed["reasons"].to_list() == [["TV-TRG"]] * 14
    assert found.filter(pl.col("fate") == "kept")["evidence"].to_list() == [[]] * 14
    assert set(found["decided_by"]) == {"rule"}


def test_findings_that_list_a_row_are_its_evidence_and_a_reviewers_word_is_a_persons(run):
    blank = dict.fromkeys(FINDINGS)
    findings = [
        {**blank, "id": "f-2", "code": "TV-DUP", "rows": [2, 5, 2]},
        {**blank, "id": "f-1", "code": "TV-DUP", "rows": [2]},
        {**blank, "id": "bad-1", "code": BAD_ROWS_CODE, "rows": []},
    ]
    write_frame(run.findings, pl.DataFrame(findings, schema=FINDINGS))
    write_frame(run / "decided.parquet", pl.DataFrame([{"row": 5}], schema_overrides=RESOLVED, schema=["row"]))
    again(run)
    found = fates(run)
    assert found["evidence"][2].to_list() == ["f-1", "f-2"] and found["evidence"][5].to_list() == ["f-2"]
    assert found["evidence"][21].to_list() == ["bad-1"]
    assert [row for row, by in found.select("row", "decided_by").rows() if by == "person"] == [5]


def test_columnar_rows_are_in_the_ledger_and_are_not_rebuilt(tmp_path):
    folder = write_input(tmp_path / "in", {})
    pl.DataFrame({"text": ["a zzq", "b"], "label": ["1", "0"]}).write_parquet(folder / "t.parquet")
    made = scan(folder, tmp_path / "run")
    rows = fates(made).filter(pl.col("path") == "t.parquet")
    assert rows["fate"].to_list() == ["removed", "kept"] and rows["length"].null_count() == 2
    done = {file.path: file for file in restore(made, tmp_path / "out")}
    assert done["good.jsonl"].whole and not done["t.parquet"].whole
    assert done["t.parquet"].written is None and "not rebuilt" in done["t.parquet"].note
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.jsonl"]


def change(path, **columns):
    frame = pl.read_parquet(path)
    write_frame(path, frame.with_columns(**columns))


TAMPERED = {
    "a changed byte of a record": lambda p: change(
        p / "ledger/part-00000.parquet",
        raw=pl.when(pl.col("row") == 3).then(pl.lit(b"{}")).otherwise(pl.col("raw")),
    ),
    "a changed hash of a record": lambda p: change(p / "ledger/part-00000.parquet", sha256=pl.lit("0" * 64)),
    "a record dropped": lambda p: write_frame(
        p / "ledger/part-00000.parquet", pl.read_parquet(p / "ledger/part-00000.parquet").filter(pl.col("row") != 3)
    ),
    "records in another order": lambda p: write_frame(
        p / "ledger/part-00000.parquet", pl.read_parquet(p / "ledger/part-00000.parquet").reverse()
    ),
    "a record added": lambda p: write_frame(
        p / "ledger/part-00000.parquet",
        pl.concat(
            [
                frame := pl.read_parquet(p / "ledger/part-00000.parquet"),
                frame.tail(1).with_columns(pl.lit(9, pl.Int32).alias("file")),
            ]
        ),
    ),
    "a region changed": lambda p: change(p / "regions/part-00000.parquet", data=pl.lit(b" ")),
    "a region counted once less": lambda p: change(p / "regions/part-00000.parquet", times=pl.col("times") - 1),
    "a region dropped": lambda p: write_frame(
        p / "regions/part-00000.parquet", pl.read_parquet(p / "regions/part-00000.parquet").head(0)
    ),
    "a region moved": lambda p: change(p / "regions/part-00000.parquet", offset=pl.col("offset") + 1),
    "a region of no file": lambda p: change(p / "regions/part-00000.parquet", file=pl.lit(7, pl.Int32)),
    "a part that is no parquet": lambda p: (p / "regions/part-00000.parquet").write_bytes(b"PAR1"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_tampered_with_is_not_restored(run, tmp_path, how):
    TAMPERED[how](run.path)
    with pytest.raises(IntegrityError):
        restore(run, tmp_path / "out")
    for name in ("good.jsonl", "x.jsonl"):  # a file stands whole or not at all
        path = tmp_path / "out" / name
        assert not path.exists() or path.read_bytes() == (tmp_path / "in" / name).read_bytes()
    assert broken_laws(run)


def test_a_fate_that_is_not_the_verdicts_is_told(run):
    change(run / "ledger.parquet", fate=pl.lit("kept"))
    assert any("ledger" in sentence for sentence in broken_laws(run))
    write_frame(run / "ledger.parquet", fates(run).head(5))
    assert any("5 rows" in sentence for sentence in broken_laws(run))


def test_clean_refuses_verdicts_that_do_not_add_up(run):
    write_frame(run.verdicts, pl.read_parquet(run.verdicts).head(42))
    with pytest.raises(ConservationError):
        again(run)


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ""])
def test_a_run_cannot_make_restore_write_outside_of_its_folder(run, tmp_path, path):
    with pytest.raises(IntegrityError):
        restored_name(path, set())
    info = read_json(run / "dataset.json")
    info["files"][0]["path"] = path
    write_json(run / "dataset.json", info)
    with pytest.raises(IntegrityError):
        restore(run, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists()


def test_names_do_not_collide():
    assert restored_name("x.jsonl.gz", {"x.jsonl.gz"}) == "x.jsonl"
    assert restored_name("x.jsonl.gz", {"x.jsonl.gz", "x.jsonl"}) == "x.jsonl.gz.decompressed"


def test_restore_fills_only_an_empty_folder_and_needs_regions(run, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UsageError):
        restore(run, tmp_path / "full")
    for path in (run / "regions").iterdir():
        path.unlink()
    (run / "regions").rmdir()
    with pytest.raises(InputError):
        restore(run, None)


def call(*words):
    engines = {"local": LocalEngine()}
    return CliRunner().invoke(app(engines), [str(word) for word in words])


def test_the_command_says_what_it_rebuilt_and_what_not(run, tmp_path):
    done = call("restore", run.path)
    assert done.exit_code == 0 and "2 of 2 files rebuilt whole" in done.output
    assert (tmp_path / "run.restored" / "x.jsonl").read_bytes() == BAD + GOOD
    assert call("restore", run.path).exit_code == 2
    assert call("restore", run.path, "-o", run / "inside").exit_code == 2
    TAMPERED["a region moved"](run.path)
    assert call("restore", run.path, "-o", tmp_path / "other").exit_code == 1


def test_the_command_ends_with_3_where_a_file_is_not_rebuilt(tmp_path):
    pl.DataFrame({"text": ["a zzq", "b"], "label": ["1", "0"]}).write_parquet(tmp_path / "t.parquet")
    made = scan(tmp_path / "t.parquet", tmp_path / "run")
    done = call("restore", made.path, "-o", tmp_path / "out")
    assert done.exit_code == 3 and "not rebuilt" in done.output


def covered(*records, data=b"abc\ndef\n"):
    found = []
    coverage = Coverage(Reading(0, "jsonl"), found.append, hashed=True)
    coverage.feed(data)
    for offset, raw in records:
        coverage.claim(offset, raw)
    coverage.end()
    return [(region.offset, region.data) for region in found], coverage.position


def test_a_reader_that_says_other_bytes_breaks_the_run():
    assert covered((0, b"abc"), (4, b"def")) == ([(3, b"\n")], 8)
    assert covered()[1] == 8
    for wrong in ([(0, b"abd")], [(1, b"abc")], [(0, b"abc"), (2, b"c\nd")], [(4, b"def\nx")]):
        with pytest.raises(ConservationError):
            covered(*wrong)


def test_what_no_record_can_claim_any_more_is_not_held():
    sizes, found = [], []
    coverage = Coverage(
        Reading(0, "jsonl"), lambda region: sizes.append(len(region.data)) or found.append(region), False
    )
    for number in range(40):
        coverage.feed(b"\n" * (1 << 20))
        coverage.release(number << 20)
        assert len(coverage._window) <= 3 << 20
    coverage.end()
    assert sum(sizes) == 40 << 20 and max(sizes) <= 1 << 20 and {r.kind for r in found} == {RegionKind.BLANK}


def test_the_rest_of_a_long_line_is_not_held():
    sizes = []
    coverage = Coverage(Reading(0, "jsonl"), lambda region: sizes.append(len(region.data)), False)
    coverage.feed(b"x" * (1 << 20))
    coverage.cut(1024, (1 << 20) - 1024)
    for number in range(1, 40):
        coverage.feed(b"x" * (1 << 20))
        coverage.cut(number << 20, 1 << 20)
        assert len(coverage._window) <= 2 << 20
    coverage.claim(0, b"x" * 1024)
    coverage.end()
    assert sum(sizes) == (40 << 20) - 1024 and coverage.position == 40 << 20
