from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tiny_stages
from text_sinks.hostile_places import at, hostile_run, write_input

from audit import pipeline
from audit.cli import command
from audit.job import LocalEngine
from audit.rundir import RunDir


@dataclass(frozen=True)
class Kit:
    """What a sink is fed with."""

    folder: Path
    source: Path  # the hostile input
    run: RunDir  # of that input, with verdicts, triggers and findings of hostile words
    pairs: RunDir  # the same of preference data
    scanned: Path  # a run directory of `tunevet scan` over the input, by the tiny pipeline

    def tunevet(self, *words: object, typed: str = "") -> str:
        """What a command says, stdout and stderr together. Its exit code does not matter here."""
        return "".join(said(words, typed))


def said(words: tuple[object, ...], typed: str = "", width: int | None = None) -> tuple[str, str]:
    """stdout and stderr of a command in this process, with lines typed into it."""
    out, err, before = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8"), sys.argv
    stdin, sys.stdin = sys.stdin, io.StringIO(typed)
    sys.argv = ["tunevet", *(str(w) for w in words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            command({"local": LocalEngine()})
    finally:
        sys.argv, sys.stdin = before, stdin
    for stream in (out, err):
        stream.flush()
    return out.buffer.getvalue().decode(), err.buffer.getvalue().decode()  # type: ignore[attr-defined]


@contextlib.contextmanager
def tiny() -> Iterator[None]:
    """The tiny pipeline in the place of the real one."""
    stages, names = pipeline.STAGES, dict(pipeline.BY_NAME)
    tiny_stages.install()
    try:
        yield
    finally:
        pipeline.STAGES = stages
        pipeline.BY_NAME.clear()
        pipeline.BY_NAME.update(names)


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    folder = tmp_path_factory.mktemp("sinks")
    run, pairs = hostile_run(folder / "labels"), hostile_run(folder / "pairs", "preference")
    source = write_input(folder / "scan")
    home = Path.cwd()
    os.chdir(folder)
    with tiny():
        said(("scan", source, "-o", folder / "scanned", "--map", "text=text", "--map", "label=label", "--name", at(2)))
        yield Kit(folder, source, run, pairs, folder / "scanned")
    os.chdir(home)


Sink = Callable[[Kit], str]
Sinks = dict[str, Sink]
AnySink = Callable[..., Any]
