from __future__ import annotations

import gzip
import json
import os

import datasets
import polars as pl
import pytest

from audit.config import build
from audit.errors import InputError
from audit.rundir import Context, RunDir
from audit.sources import fingerprint, hub, ingest, preview
from audit.sources.files import enumerate_input, recognise

ROW = '{"text": "a", "label": 1}\n'


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data set"
    (root / "sub").mkdir(parents=True)
    (root / "train.jsonl").write_text(ROW)
    (root / "test_x.jsonl").write_text(ROW * 2)
    (root / "UPPER.JSONL").write_text(ROW)
    (root / "sub" / "more.csv").write_text("text,label\nb,0\n")
    (root / "README.md").write_text("a card")
    (root / ".hidden.jsonl").write_text(ROW)
    (root / "empty.jsonl").write_text("")
    (root / "stats.json").write_text('{"rows": 5}')
    outside = tmp_path / "secret.jsonl"
    outside.write_text('{"text": "secret", "label": 1}\n')
    (root / "link.jsonl").symlink_to(outside)
    (root / "inner.jsonl").symlink_to(root / "train.jsonl")
    (root / "linked").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.jsonl")
    return root


def test_every_file_of_a_folder_is_read_or_named(folder, read):
    found = enumerate_input(str(folder))
    assert [s.relative for s in found.sources] == [
        "UPPER.JSONL",
        "stats.json",
        "sub/more.csv",
        "test_x.jsonl",
        "train.jsonl",
    ]
    assert dict(found.skipped) == {
        ".hidden.jsonl": "hidden",
        "README.md": "no known format",
        "empty.jsonl": "empty",
        "inner.jsonl": "a link",
        "link.jsonl": "a link",
        "linked": "a link",
        "pipe.jsonl": "not a regular file",
    }
    got = read(folder)
    assert got.info.rows == 5 and got.bad == {}
    assert [f.path for f in got.info.files] == ["UPPER.JSONL", "sub/more.csv", "test_x.jsonl", "train.jsonl"]
    assert "stats.json holds no rows" in got.info.note and "link.jsonl (a link)" in got.info.note
    assert "secret" not in str(got.examples["prompt"].to_list())
    assert got.ledger["file"].to_list() == [0, 1, 2, 2, 3]
    assert got.info.fingerprint == fingerprint(build({"source": str(folder)}))


def test_a_link_put_in_place_after_the_listing_is_refused(folder):
    source = next(s for s in enumerate_input(str(folder)).sources if s.relative == "train.jsonl")
    (folder / "train.jsonl").unlink()
    (folder / "train.jsonl").symlink_to(folder.parent / "secret.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        source.open()


def test_a_glob_takes_what_matches_and_nothing_outside(folder, read):
    got = read(folder / "*.jsonl")
    assert [f.path for f in got.info.files] == ["test_x.jsonl", "train.jsonl"]
    assert [f.path for f in read(str(folder / "**" / "*.csv")).info.files] == ["sub/more.csv"]
    with pytest.raises(InputError, match="no file matches"):
        enumerate_input(str(folder / "*.tsv"))


def test_a_glob_whose_wildcard_meets_a_link_reads_nothing_behind_it(folder, read):
    """A wildcard in the middle of a pattern does go through a link; only "**" does not."""
    got = read(str(folder / "*" / "*"))
    assert [f.path for f in got.info.files] == ["sub/more.csv"]
    assert "linked/secret.jsonl (outside of the glob's folder)" in got.info.note
    assert "secret" not in str(got.examples["prompt"].to_list())


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("a.jsonl", ("jsonl", "")),
        ("a.NDJSON.GZ", ("jsonl", "gz")),
        ("a.b.csv.zst", ("csv", "zst")),
        ("a.parquet", ("parquet", "")),
        ("a.parquet.gz", None),
        ("a.txt", None),
        ("a.gz", None),
        ("jsonl", None),
        ("a.pkl", None),
    ],
)
def test_formats_are_known_by_name(name, known):
    assert recognise(name) == known


def test_missing_empty_and_unknown_inputs_are_usage_errors(tmp_path, read):
    for source, message in [
        (tmp_path / "nope.jsonl", "does not exist"),
        (tmp_path, "holds no file of a known format"),
        ("", "no input was named"),
        ("owner/name@main", "40 hexadecimal digits"),
    ]:
        config = build({"source": str(source) if source else ""})
        for call in (fingerprint, preview):
            with pytest.raises(InputError, match=message) as caught:
                call(config)
            assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    for name, content, message in [
        ("d.txt", "x", "no known format"),
        ("d.jsonl", "", "is empty"),
        ("e.csv", "text,label\n", "is empty"),
        ("f.jsonl", "\n \n", "is empty"),
    ]:
        with pytest.raises(InputError, match=message):
            read(name, content)


def test_the_fingerprint_is_of_names_and_contents(folder):
    config = build({"source": str(folder)})
    first = fingerprint(config)
    assert fingerprint(config) == first
    stamp = (folder / "train.jsonl").stat()
    (folder / "train.jsonl").write_text(ROW.replace("a", "b"))
    os.utime(folder / "train.jsonl", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    second = fingerprint(config)
    (folder / "train.jsonl").rename(folder / "trainer.jsonl")
    assert len({first, second, fingerprint(config)}) == 3


def test_a_saved_dataset_is_read_by_our_own_reader(tmp_path, read):
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    data = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, 1]}, features=features)
    datasets.DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(str(tmp_path / "saved"))
    got = read(tmp_path / "saved")
    assert got.examples["prompt"].to_list() == ["a", "a", "b", "c"] and got.bad == {}
    assert "0 = no, 1 = yes" in got.info.note
    (tmp_path / "saved" / "train" / "data-00000-of-00001.arrow").rename(tmp_path / "elsewhere.arrow")
    with pytest.raises(InputError, match="names the data file"):
        read(tmp_path / "saved")
    state = tmp_path / "saved" / "train" / "state.json"
    state.write_text(json.dumps({"_data_files": [{"filename": "../../elsewhere.arrow"}]}))
    with pytest.raises(InputError, match="which is not there"):
        read(tmp_path / "saved")


REVISION = "0123456789abcdef0123456789abcdef01234567"


def test_a_hub_dataset_needs_a_pinned_revision_and_no_network_for_its_fingerprint(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("network used")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    for source in ("owner/name", "owner/name@main", f"owner/name@{REVISION[:-1]}"):
        with pytest.raises(InputError, match="owner/name@REVISION"):
            fingerprint(build({"source": source}))
    one = fingerprint(build({"source": f"owner/name@{REVISION}"}))
    assert one != fingerprint(build({"source": f"owner/name@{REVISION[:-1]}8"}))


def test_a_hub_dataset_is_fetched_as_files_and_read_by_our_own_readers(monkeypatch, tmp_path, read):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    calls = []

    def snapshot(name, *, repo_type, revision, local_dir, allow_patterns):
        calls.append((name, repo_type, revision))
        assert not any(pattern.endswith(".py") for pattern in allow_patterns)
        local_dir.mkdir(parents=True, exist_ok=True)
        (local_dir / "train.jsonl").write_text(ROW)
        (local_dir / ".cache").mkdir(exist_ok=True)
        return str(local_dir)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    source = f"owner/name@{REVISION}"
    got = read(source)
    assert calls == [("owner/name", "dataset", REVISION)]
    assert got.info.rows == 1 and got.info.fingerprint == fingerprint(build({"source": source}))
    assert got.info.name == f"name@{REVISION}"

    def fail(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(InputError, match="cannot be fetched"):
        hub.download(source)


def test_ingest_needs_no_torch(tmp_path):
    import subprocess
    import sys

    heavy = "{'torch', 'prefect', 'datasets'} & set(sys.modules)"
    code = f"import audit.sources, audit.remedies.clean, sys; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_preview_reads_a_large_input_in_part(tmp_path, monkeypatch):
    path = tmp_path / "d.jsonl"
    path.write_text("".join(f'{{"text": "t{i}", "label": {i % 2}}}\n' for i in range(9_000)) + "broken\n")
    info, head = preview(build({"source": str(path)}), rows=2)
    assert (info.rows, info.readable, info.bad) == (9_001, 9_000, {"not_json": 1})
    assert head["prompt"].to_list() == ["t0", "t1"]
    monkeypatch.setattr("audit.sources.reading._PREVIEW_BYTES", 1_000)
    info, head = preview(build({"source": str(path)}), rows=3)
    assert (info.rows, info.readable, info.kind) == (-1, -1, "classification") and head.height == 3
    assert info.files[0].sha256 == ""


def test_an_input_that_changes_while_it_is_read_is_refused(tmp_path, read, monkeypatch):
    path = tmp_path / "d.jsonl"
    path.write_text(ROW * 10)
    from audit.sources.readers import FileReader

    finish = FileReader.finish

    def append_and_finish(self, whole=True):
        with path.open("a") as handle:
            handle.write(ROW)
        return finish(self, whole)

    monkeypatch.setattr(FileReader, "finish", append_and_finish)
    with pytest.raises(InputError, match="changed while it was read"):
        read(path)


class Told:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.total, self.unit, self.done = 0, "", 0

    def start(self, label: str, total: int, unit: str) -> None:
        self.total, self.unit = total, unit

    def advance(self, count: int) -> None:
        self.done += count

    def note(self, text: str) -> None:
        raise AssertionError(text)


@pytest.mark.parametrize("ending", ["", ".gz", ".json", ".parquet"])
def test_progress_knows_about_how_many_rows_there_will_be(tmp_path, ending):
    rows = [f'{{"text": "t{i:05d}", "label": {i % 2}}}' for i in range(20_000)]
    path = tmp_path / (f"d.jsonl{ending}" if ending in ("", ".gz") else f"d{ending}")
    if ending == ".parquet":
        pl.DataFrame({"text": rows, "label": ["a"] * len(rows)}).write_parquet(path)
    else:
        text = "[" + ",".join(rows) + "]" if ending == ".json" else "\n".join(rows)
        path.write_bytes(gzip.compress(text.encode()) if ending == ".gz" else text.encode())
    told = Told()
    ingest(Context(RunDir(tmp_path / "run"), build({"source": str(path)}), told), "all")
    assert told.done == 20_000 and told.unit == "rows"
    assert 18_000 < told.total < 22_000
