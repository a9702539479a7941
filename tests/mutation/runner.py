"""Takes one guard out of a copy of the project and runs the tests that must notice.

The copy is made once; a mutated file gets its old text and time back afterwards. No byte code is written while a file
is mutated, so that none of it outlives the mutation.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from mutation.guard import Guard

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("audit", "flows", "tests", "sample_data", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "Makefile")
SECONDS = 300  # for the tests of one guard
_LATER = 3_600  # seconds that a mutated file is younger than its original: no byte code of the original fits it
# What a test says that failed because the mutation is no program any more, and not because a promise is broken.
_NO_PROGRAM = re.compile(r"(?:ImportError|ModuleNotFoundError|SyntaxError|IndentationError|NameError)\b")


class Ran(NamedTuple):
    """How tests ended: pytest's exit code, tests that passed and failed, errors outside of tests, what failed."""

    code: int
    passed: int
    failed: int
    errors: int
    said: str  # the first line of each failure
    output: str

    @property
    def caught(self) -> bool:
        """True where a test failed, and as a test fails."""
        return self.code == 1 and self.failed > 0 and not _NO_PROGRAM.match(self.said)


def copy_project(folder: Path) -> Path:
    """A copy of all that tests need, with its byte code."""
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)
    subprocess.run([sys.executable, "-m", "compileall", "-q", "audit", "flows", "tests"], cwd=folder, check=True)
    return folder


def mutated_text(guard: Guard, text: str) -> str:
    """The text of a file without its guard. Raises ValueError unless it stands there once."""
    if text.count(guard.text) != 1:
        raise ValueError(f"{guard.file} has {text.count(guard.text)} times: {guard.text}")
    return text.replace(guard.text, guard.instead)


@contextmanager
def taken_out(guard: Guard, folder: Path) -> Iterator[None]:
    """While open, the copy lacks the guard."""
    path = folder / guard.file
    before, status = path.read_bytes(), path.stat()
    path.write_text(mutated_text(guard, before.decode()), encoding="utf-8")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + _LATER * 10**9))
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def run_tests(folder: Path, tests: Sequence[str], first: bool, seconds: float = SECONDS) -> Ran:
    """Runs tests in a copy; with `first` it ends at the first failure."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", f"--junitxml={report}"]
    command += [f"--basetemp={folder / 'temporary'}", *(["-x"] if first else []), *tests]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, folder / "tests")))}
    environment = {k: v for k, v in environment.items() if not k.startswith(("PYTEST_", "COV_"))}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return Ran(-1, 0, 0, 0, "", f"{output}\nno end within {seconds:.0f} s")
    return _told(process.returncode, report, output)


def _told(code: int, report: Path, output: str) -> Ran:
    if not report.exists():
        return Ran(code, 0, 0, 0, "", output)
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    said = [str(found.get("message", "")) for found in suite.iter("failure")]
    passed = count["tests"] - count["failures"] - count["errors"] - count["skipped"]
    return Ran(code, passed, count["failures"], count["errors"], "\n".join(said), output)


def survives(guard: Guard, folder: Path) -> str:
    """What went wrong where no test noticed that the guard is gone; empty where one did."""
    with taken_out(guard, folder):
        ran = run_tests(folder, guard.tests, first=True)
    if ran.caught:
        return ""
    if ran.code == 0:
        return f"{ran.passed} tests pass without it"
    return f"pytest ended with {ran.code}, {ran.failed} tests failed, {ran.errors} errors: {ran.output[-3_000:]}"
