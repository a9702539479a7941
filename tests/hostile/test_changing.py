"""Files that change while they are read: what is hashed is what was read, or the run ends and says so."""

from __future__ import annotations

import hashlib
import os

import pytest

from audit.config import IngestConfig
from audit.errors import InputError
from audit.sources.files import enumerate_input
from audit.sources.readers import FileReader
from audit.sources.record import Budget
from hostile.cases import PACKINGS, good, pack
from hostile.columns import TABLE, arrow, parquet

DATA = b"\n".join(good(60_000)) + b"\n"  # more than a block of the reader


def files():
    yield from ((f"d.jsonl{packing}", pack(DATA, packing), good(1)) for packing in PACKINGS)
    yield "d.csv", b"text,label\n" + b"row,1\n" * 400_000, None
    yield "d.parquet", parquet(TABLE, row_group_size=5), None
    yield "d.arrow", arrow(TABLE), None


FILES = [pytest.param(name, data, id=name) for name, data, _ in files()]


def begun(path):
    """A reader that has handed out its first record."""
    (source,) = enumerate_input(str(path)).sources
    reader = FileReader(source, 0, IngestConfig(), Budget(1 << 34))
    records = reader.records()
    return reader, next(records), records


@pytest.mark.parametrize(("name", "data"), FILES)
def test_a_file_that_another_takes_the_place_of_is_read_to_its_end(tmp_path, name, data):
    """The open file is read, whatever the name says by now; never half of one and half of the other."""
    path = tmp_path / name
    path.write_bytes(data)
    reader, _, records = begun(path)
    with reader:
        (tmp_path / "other").write_bytes(b'{"text": "swapped", "label": 1}\n' * 9)
        os.replace(tmp_path / "other", path)
        assert all("swapped" not in str(record.fields) for record in records)
        assert reader.finish().sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("name", "data"), FILES)
@pytest.mark.parametrize("change", ["append", "truncate", "overwrite"])
def test_a_file_that_changes_in_its_place_ends_the_run(tmp_path, name, data, change):
    path = tmp_path / name
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    reader, _, records = begun(path)
    with reader:
        with path.open("r+b") as handle:
            if change == "truncate":
                handle.truncate(len(data) // 2)
            else:
                handle.seek(0, os.SEEK_END if change == "append" else os.SEEK_SET)
                handle.write(b'{"text": "new", "label": 1}\n')
        for _ in records:  # no crash, whatever the bytes are by now
            pass
        with pytest.raises(InputError, match="changed while it was read"):
            reader.finish()


@pytest.mark.parametrize(("name", "data"), FILES)
def test_a_change_whose_time_was_set_back_ends_the_run(tmp_path, name, data):
    """Of the same size, with the time of writing of before."""
    path = tmp_path / name
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    reader, _, records = begun(path)
    with reader:
        with path.open("r+b") as handle:
            handle.write(bytes(255 - byte for byte in data[:4]))  # which were read by now
        os.utime(path, ns=(1, 1))
        for _ in records:
            pass
        with pytest.raises(InputError, match="changed while it was read"):
            reader.finish()


def test_a_right_or_a_name_that_changes_is_no_change_of_the_file(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_bytes(DATA)
    reader, _, records = begun(path)
    with reader:
        for _ in records:
            pass
        path.chmod(0o600)
        path.rename(tmp_path / "e.jsonl")
        assert reader.finish().sha256 == hashlib.sha256(DATA).hexdigest()


def test_a_link_put_in_the_place_of_a_listed_file_is_refused(tmp_path):
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"\n".join(good(2)))
    (source,) = enumerate_input(str(folder)).sources
    (tmp_path / "secret.jsonl").write_bytes(b"\n".join(good(2)))
    (folder / "a.jsonl").unlink()
    (folder / "a.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        FileReader(source, 0, IngestConfig(), Budget(1 << 30))
