"""A file system that is really full: a tmpfs of its own, mounted in a namespace of the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from crash_runs import ROOT, SERVER, fresh, write_csv, write_settings
from crash_scenarios import COUNTS

SCRIPT = """
import os, subprocess, sys
sys.path[:0] = [{crash!r}]
from crash_runs import fresh, scan_words, served, temporaries, tree
from pathlib import Path

source, place = Path(sys.argv[1]), Path(sys.argv[2])
with served() as server:
    wanted = server.run(scan_words(source), place / "whole")
    size = sum(path.stat().st_blocks * 512 for path in (place / "whole" / "run").rglob("*"))
    refused = 0
    for share in map(int, sys.argv[3].split()):
        disk = fresh(place / "disk")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={{size * share // 10}}", "tmpfs", str(disk)], check=True)
        words = [*scan_words(source), "-o", disk / "run"]
        first = server.run(words, place / f"first-{{share}}")
        said = " ".join(first.err.split())
        if first.code == 74:
            refused += 1
            assert "No space left on device; make room on the disk and run the same command again" in said, said
            assert not temporaries(disk) and "Traceback" not in said, (temporaries(disk), said)
        else:
            assert first.code == wanted.code, first.err
        subprocess.run(["mount", "-o", f"remount,size={{size * 4}}", str(disk)], check=True)
        again = server.run(words, place / f"again-{{share}}")
        assert again.code == wanted.code and tree(disk / "run") == tree(place / "whole" / "run"), again.err
        subprocess.run(["umount", str(disk)], check=True)
    print("refused", refused)
"""


def _own_mounts() -> str:
    """Why no file system can be mounted here; "" where one can."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    probe = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    ran = subprocess.run(probe, capture_output=True, text=True)
    return ran.stderr.strip()


@pytest.mark.parametrize(
    ("shares", "least"), [("5", 1), pytest.param("1 2 3 4 5 6 7 8 9", 6, marks=pytest.mark.crash)], ids=["one", "nine"]
)
def test_a_full_disk_is_said_and_room_lets_the_scan_end(tmp_path, shares, least):
    """Of sizes that are so many tenths of what a scan takes."""
    if why := _own_mounts():
        pytest.skip(f"no file system of its own here: {why}")
    source = write_csv(fresh(tmp_path / "source"))
    write_settings(tmp_path / "source")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(crash=str(SERVER.parent)))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(SERVER.parent)])}
    command = ["unshare", "-rm", sys.executable, str(script), str(source), str(tmp_path / "place"), shares]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    refused = int(ran.stdout.split()[-1])
    COUNTS["full file systems survived"] += len(shares.split())
    assert refused >= least
