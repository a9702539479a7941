"""Takes one guard out of a copy of the project and runs the tests that must notice.

The copy is made once; a mutated file gets its old text and time back afterwards. No byte code is written once the copy
stands, so that none of it outlives a mutation.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
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
    """How tests ended: pytest's exit code (-1: not in time), tests that passed and failed, errors outside of tests."""

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


class Copy:
    """A copy of all that tests need, and the process that runs them in it. Used as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._report, self._log = folder / "report.xml", folder / "log.txt"

    def __enter__(self) -> Copy:
        self.folder.mkdir(parents=True)
        ignored = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=ignored)
            else:
                shutil.copy2(source, self.folder / name)
        command = [sys.executable, "-m", "compileall", "-q", "audit", "flows", "tests"]
        subprocess.run(command, cwd=self.folder, check=True)
        command = [sys.executable, "-m", "mutation.forks"]
        self._server = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(60)
        shutil.rmtree(self.folder)

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
        paths = os.pathsep.join(map(str, (self.folder, self.folder / "tests")))
        single = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        return {**kept, **single, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, tests: Sequence[str], first: bool = False, seconds: float = SECONDS) -> Ran:
        """Runs tests, slow ones too; with `first` up to the first failure."""
        self._report.unlink(missing_ok=True)
        words = ["-q", "-p", "no:cacheprovider", "-m", "", f"--junitxml={self._report}"]
        words += [f"--basetemp={self.folder / 'temporary'}", *(["-x"] if first else []), *tests]
        request = {"words": words, "log": str(self._log), "seconds": seconds}
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        code = json.loads(self._server.stdout.readline())["code"]
        return _told(code, self._report, self._log.read_text(encoding="utf-8", errors="replace"))

    @contextmanager
    def without(self, guard: Guard) -> Iterator[None]:
        """While open, the copy lacks the guard."""
        path = self.folder / guard.file
        before, status = path.read_bytes(), path.stat()
        path.write_text(mutated_text(guard, before.decode()), encoding="utf-8")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + _LATER * 10**9))
        try:
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def survives(self, guard: Guard) -> str:
        """What went wrong where no test noticed that the guard is gone; empty where one did."""
        with self.without(guard):
            ran = self.run(guard.tests, first=True)
        if ran.caught:
            return ""
        if ran.code == 0:
            return f"{ran.passed} tests pass without it"
        return f"pytest ended with {ran.code}, {ran.failed} tests failed, {ran.errors} errors: {ran.output[-3_000:]}"


def mutated_text(guard: Guard, text: str) -> str:
    """The text of a file without its guard. Raises ValueError unless it stands there once."""
    if text.count(guard.text) != 1:
        raise ValueError(f"{guard.file} has {text.count(guard.text)} times: {guard.text}")
    return text.replace(guard.text, guard.instead)


def _told(code: int, report: Path, output: str) -> Ran:
    if not report.exists():
        return Ran(code, 0, 0, 0, "", output)
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    said = [str(found.get("message", "")) for found in suite.iter("failure")]
    passed = count["tests"] - count["failures"] - count["errors"] - count["skipped"]
    return Ran(code, passed, count["failures"], count["errors"], "\n".join(said), output)
