"""Scans that start at once on one run directory: words FOLDER COUNT SOURCE SETTINGS. All are forked and wait at a gate,
which then opens; the one that holds the directory goes on when the others have ended. Prints one line of JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import crash_server
import crash_stages

from audit import registry

STEP = 12  # beyond what a scan does before it holds its directory


def race(folder: Path, count: int, source: str, settings: str) -> list[int]:
    """The exit codes, in the order of the numbers of the scans."""
    words = ["scan", source, "-o", str(folder / "run"), "--engine", "local", "-c", settings]
    waiting = {"kind": "wait", "arguments": [STEP, str(folder / "go")]}
    gate, opened = os.pipe()
    pids = []
    for number in range(count):
        place = folder / f"scan-{number:02d}"
        place.mkdir()
        pid = os.fork()
        if pid == 0:
            os.close(opened)
            os.read(gate, 1)  # nothing comes: it ends when the other end is closed
            crash_server.child({"words": words, "folder": str(place), "spec": waiting, "checks": ["unicode_anomaly"]})
        pids.append(pid)
    os.close(opened)
    codes: dict[int, int] = {}
    while len(codes) < count:
        pid, status = os.wait()
        codes[pid] = os.waitstatus_to_exitcode(status)
        if len(codes) == count - 1:
            (folder / "go").touch()
    return [codes[pid] for pid in pids]


if __name__ == "__main__":
    crash_stages.install()
    registry.detectors()
    sys.stdout.write(json.dumps(race(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])) + "\n")
