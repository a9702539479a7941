"""Booby-trapped datasets: nothing of them runs, nothing beside them is read, and every honest row is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from canary import data_traps, traps
from confinement.watch import watching

from audit.config import build
from audit.errors import InputError
from audit.rundir import Context, RunDir
from audit.schema import NoProgress
from audit.sources import ingest


@pytest.fixture
def place(tmp_path):
    return (
        data_traps.honest_data(tmp_path / "dataset"),
        tmp_path / "canary",
        data_traps.make_outside(tmp_path / "outside"),
    )


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("name", data_traps.DATASET_TRAPS)
def test_a_trapped_dataset_runs_nothing_and_reads_nothing_beside_it(name, place, tmp_path):
    folder, canary, outside = place
    trap, rows = data_traps.DATASET_TRAPS[name]
    trap(folder, canary, outside)
    run = RunDir(tmp_path / "run")
    with watching() as seen:
        if rows is None:
            refused = None
            try:
                ingest(
                    Context(run, build({"source": str(folder), "ingest": {"kind": "classification"}}), NoProgress()),
                    "all",
                )
            except InputError as error:
                refused = str(error)
            assert refused is None or traps.SECRET not in refused
            if refused is None:  # read as far as it goes, and the rest said to be unreadable
                assert any(reason for reason in run.ledger()["reason"].to_list())
        else:
            ingest(Context(run, build({"source": str(folder)}), NoProgress()), "all")
            assert len(run.ledger()) == len(data_traps.ROWS) + rows
    assert not canary.exists() and not (folder / canary.name).exists()
    assert not [path for path in seen.below(outside) if Path(path).is_file()]
    assert not seen.connected and not [call for call in seen.unpickled if "polars" not in call]
    assert not run.path.exists() or traps.SECRET.encode() not in everything(run.path)


def test_a_glob_does_not_go_through_a_link(place, tmp_path):
    folder, _, outside = place
    (folder / "more").symlink_to(outside)
    run = RunDir(tmp_path / "run")
    with watching() as seen:
        ingest(Context(run, build({"source": f"{folder}/**/*.jsonl"}), NoProgress()), "all")
    assert len(run.ledger()) == len(data_traps.ROWS)
    assert not [path for path in seen.below(outside) if Path(path).is_file()]


def test_a_link_put_in_place_after_the_listing_is_not_followed(place):
    from audit.sources.files import enumerate_input

    folder, _, outside = place
    source = enumerate_input(str(folder)).sources[0]
    source.path.unlink()
    source.path.symlink_to(outside / "secret.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        source.open()


def test_a_program_beside_the_data_is_not_imported(place, tmp_path):
    """A scan started in the dataset's own folder does not pick up modules that lie there."""
    folder, canary, _ = place
    for name in ("polars.py", "json.py", "audit.py", "sitecustomize.py"):
        data_traps._script(name)(folder, canary, folder)
    root = Path(__file__).resolve().parents[2]
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r}); from audit.config import build;"
        f"from audit.schema import NoProgress;"
        f"from audit.rundir import Context, RunDir; from audit.sources import ingest;"
        f"ingest(Context(RunDir({str(tmp_path / 'run')!r}), build({{'source': '.'}}), NoProgress()), 'all')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not canary.exists()


def test_there_are_enough_traps():
    assert len(data_traps.DATASET_TRAPS) >= 30
