"""What all parts of the harness share: where things lie, what code was measured, and how it speaks."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from audit.provenance import digest, sha256_file
from audit.rundir import read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "runs" / "bench"
PAGE = ROOT / "docs" / "benchmarks.md"

EXIT_OK, EXIT_INCOMPLETE, EXIT_NO_BENCH = 0, 1, 2

# What can change what is mined; report, command line and flows cannot.
_MEASURED = (
    "artifacts bank patterns triggers proof sources attacks models detectors remedies "
    "schema.py text.py stats.py config.py decide.py pipeline.py"
)


class NoBench(Exception):
    """The benchmark cases are not where they were looked for."""


def say(line: str) -> None:
    """One line of progress, with the time, on the error stream."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def check_bench(bench: Path) -> Path:
    """`bench`, when it holds cases and the judge. Raises NoBench with one clear sentence."""
    if not (bench / "cases").is_dir() or not (bench / "score.py").is_file():
        raise NoBench(
            f"{bench} holds no benchmark cases (a folder cases/ and score.py are expected); they are kept beside this "
            "repository and not in it: name their folder with BENCH=..."
        )
    return bench


@cache  # what a process has begun with, it goes on with
def code_digest(names: str = _MEASURED) -> str:
    """Twelve digits over the sources of `audit` that decide what is mined."""
    paths = [p for name in names.split() for p in _sources(ROOT / "audit" / name)]
    return digest([(str(p.relative_to(ROOT)), sha256_file(p)) for p in paths])[:12]


def _sources(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.exists() else []


@cache
def commit() -> str:
    """The short commit that is measured, with a + where `audit` differs from it; "unknown" outside of git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", "audit") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def today() -> str:
    """The date in UTC, as the tables show it."""
    return datetime.now(UTC).date().isoformat()


def stamp() -> dict[str, Any]:
    """What every kept result says of its making."""
    return {"date": today(), "commit": commit(), "code": code_digest()}


def kept(path: Path, key: str, keep: bool = False) -> dict[str, Any] | None:
    """A stored result whose `key` is this one; with `keep` any stored one."""
    if not path.exists():
        return None
    found: dict[str, Any] = read_json(path)
    return found if keep or found.get("key") == key else None


def store(path: Path, key: str, result: dict[str, Any]) -> dict[str, Any]:
    """Writes a result with its key and its making, and returns it."""
    whole = {**result, **stamp(), "key": key}
    write_json(path, whole)
    return whole
