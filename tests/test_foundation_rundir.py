"""A run directory: atomic writes, markers, locks, units of work that are done once."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from audit.errors import InputError, RunBusy, WriteFailed
from audit.rundir import RunDir, atomic_file, read_array, read_json, write_array, write_bytes, write_frame, write_json
from audit.schema import EXAMPLES, DatasetInfo, InputFile, empty


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file.bin"
    with atomic_file(path) as handle:
        handle.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.bin"
    write_bytes(path, b"old")
    with pytest.raises(error), atomic_file(path) as handle:
        handle.write(b"half")
        raise error
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file.bin"]


def test_a_refused_write_is_write_failed_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("audit.durable.os.fsync", full)
    with pytest.raises(WriteFailed, match="No space left"):
        write_bytes(tmp_path / "file.bin", b"data")
    assert os.listdir(tmp_path) == []
    (tmp_path / "plain").write_text("a file where a folder is needed")
    with pytest.raises(WriteFailed):
        write_bytes(tmp_path / "plain" / "file.bin", b"data")


def test_json_frames_and_arrays_come_back(tmp_path):
    write_json(tmp_path / "a.json", {"b": float("nan"), "a": [np.float32(0.5), np.int64(2)], "c": {"x": float("inf")}})
    assert read_json(tmp_path / "a.json") == {"a": [0.5, 2], "b": None, "c": {"x": None}}
    frame = pl.DataFrame({"text": ["a\u200b", None], "row": [1, 2]})
    write_frame(tmp_path / "f.parquet", frame)
    assert pl.read_parquet(tmp_path / "f.parquet").equals(frame)
    write_array(tmp_path / "x.npy", np.arange(6, dtype=np.float32).reshape(2, 3))
    np.testing.assert_array_equal(read_array(tmp_path / "x.npy"), [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(ValueError, match="allow_pickle"):
        write_array(tmp_path / "o.npy", np.array([object()]))
    assert not (tmp_path / "o.npy").exists()


def test_equal_values_are_equal_bytes(tmp_path):
    for name in ("one", "two"):
        write_json(tmp_path / f"{name}.json", {"b": 1, "a": 2} if name == "one" else {"a": 2, "b": 1})
        write_frame(tmp_path / f"{name}.parquet", pl.DataFrame({"a": [1, 2]}))
    for suffix in ("json", "parquet"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_a_unit_is_done_for_its_key_while_its_outputs_stand(tmp_path):
    run, output = RunDir(tmp_path), tmp_path / "signals" / "a.parquet"
    assert not run.is_done("detect", "a", "key")
    write_bytes(output, b"x")
    run.mark_done("detect", "a", "key", [output], seconds=1.0)
    assert run.is_done("detect", "a", "key") and not run.is_done("detect", "a", "other key")
    assert run.outputs("detect") == {
        "signals/a.parquet": read_json(run.marker("detect", "a"))["outputs"]["signals/a.parquet"]
    }
    output.unlink()
    assert not run.is_done("detect", "a", "key")
    assert run.outputs("none") == {}


def test_a_folder_that_is_no_run_directory_is_named(tmp_path):
    with pytest.raises(InputError, match=r"has no dataset\.json"):
        RunDir(tmp_path).dataset()


def test_dataset_info_and_shards_come_back(tmp_path):
    file = InputFile("a.csv", "csv", "", 3, "0" * 64, 2, {"header": ["t"]})
    info = DatasetInfo(
        "n", "classification", "text-label", {"text": "t"}, 1.0, ("t",), ("0",), 2, 2, {}, ("00", "01"), (file,), "f"
    )
    run = RunDir(tmp_path)
    write_json(run / "dataset.json", info.to_dict())
    assert run.dataset() == info
    for name, row in (("00", 0), ("01", 1)):
        frame = pl.concat([empty(EXAMPLES), pl.DataFrame({"row": [row]})], how="diagonal").select(list(EXAMPLES))
        write_frame(run / "examples" / f"{name}.parquet", frame)
    assert run.examples()["row"].to_list() == [0, 1]
    assert run.examples(["row"]).columns == ["row"]


HOLD = """
import sys, time
from audit.rundir import RunDir
with RunDir(sys.argv[1]).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_finds_the_directory_busy_until_the_first_dies(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline().strip() == "held"
        with pytest.raises(RunBusy, match=str(holder.pid)), RunDir(tmp_path).lock():
            pytest.fail("both hold the directory")
    finally:
        holder.kill()
        holder.wait()
    with RunDir(tmp_path).lock():
        assert read_json(tmp_path / ".lock")["pid"] == os.getpid()


def test_a_lock_is_released_by_an_error(tmp_path):
    run = RunDir(tmp_path / "new")
    with pytest.raises(ValueError, match="inside"), run.lock():
        raise ValueError("inside")
    with run.lock():
        assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_who_takes_the_lock_sweeps_what_a_killed_process_left(tmp_path):
    run = RunDir(tmp_path / "run")
    (run / "deep").mkdir(parents=True)
    (run / "deep" / ".x.parquet.4194305.tmp").write_bytes(b"half")
    with run.lock():
        assert os.listdir(run / "deep") == []
