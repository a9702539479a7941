"""A scan in a process of its own: `python -m determinism.one_scan SOURCE RUN KIND`; no probe, no canaries."""

from __future__ import annotations

import sys
from pathlib import Path

from audit.api import scan


def main(source: str, run: str, kind: str) -> None:
    """Scans SOURCE into RUN. The environment is the variant; nothing of it is read here."""
    scan(Path(source), out=run, kind=kind, probe="off", canaries="off", device="cpu", name="twins")  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
