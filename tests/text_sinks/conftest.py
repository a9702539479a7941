from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from text_sinks.hostile_places import COUNT, at, file_name, hostile_run, write_input
from verify import attested

from audit import pipeline
from audit.cli import command
from audit.job import LocalEngine
from audit.rundir import RunDir

_made: dict[Hashable, Any] = {}


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
        return said(words, typed)

    def applied(self, *more: object) -> str:
        """What `apply` says of decisions of hostile words, some of which cannot be carried out."""
        place = self.folder / "applied"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        decisions = self.folder / f"d{file_name(at(61))}.jsonl"
        decisions.write_text("".join(json.dumps(line) + "\n" for line in _decisions(self.run)))
        return self.tunevet("apply", self.run.path, decisions, "-o", place / "out", "--undecided", "keep", *more)


def _decisions(run: RunDir) -> list[dict[str, Any]]:
    """Edits, conflicts and decisions on rows that there are not, by reviewers with hostile names."""
    hashes = dict(run.examples(["row", "content_hash"]).iter_rows())
    base = {"schema": "tunevet.decision/1", "subject": "row", "decided_at": "2025-01-31T12:00:00Z"}
    made = []
    for i, key in enumerate(hashes.values()):
        told = {**base, "key": key, "reviewer": at(i), "why": at(i + 1).replace("\n", " ")}
        edit = {"decision": "edit", "field": ("label", "prompt", "response")[i % 3], "value": at(i + 2)}
        made.append({**told, **(edit if i % 4 else {"decision": "reject"})})
        if i % 8 == 0:
            made.append({**told, "decision": "accept", "reviewer": at(i + 3)})
    return [*made, *({**base, "key": f"{i:032x}", "decision": "reject", "reviewer": at(i)} for i in range(COUNT))]


def once(key: Hashable, make: Callable[[], Any]) -> Any:
    """What `make` returns, made once a session."""
    if key not in _made:
        _made[key] = make()
    return _made[key]


def said(words: tuple[object, ...], typed: str = "") -> str:
    """stdout and stderr of a command in this process, with lines typed into it."""
    before, stdin, sys.stdin = sys.argv, sys.stdin, io.StringIO(typed)
    sys.argv = ["tunevet", *(str(w) for w in words)]
    try:
        return captured(lambda: command({"local": LocalEngine()}))
    finally:
        sys.argv, sys.stdin = before, stdin


def captured(call: Callable[[], object]) -> str:
    """stdout and stderr of a call, as the bytes that a terminal or a log would get."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        call()
    return "".join(stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]


@contextlib.contextmanager
def tiny() -> Iterator[None]:
    """The tiny pipeline with provenance in the place of the real one."""
    stages, names = pipeline.STAGES, dict(pipeline.BY_NAME)
    pipeline.STAGES = attested.STAGES
    pipeline.BY_NAME.clear()
    pipeline.BY_NAME.update({stage.name: stage for stage in attested.STAGES})
    try:
        yield
    finally:
        pipeline.STAGES = stages
        pipeline.BY_NAME.clear()
        pipeline.BY_NAME.update(names)


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    folder = tmp_path_factory.mktemp("sinks")
    run, pairs = hostile_run(folder / "labels"), hostile_run(folder / "pairs", "preference")
    source, home = write_input(folder / "scan"), Path.cwd()
    os.chdir(folder)
    words = ("scan", source, "-o", folder / "scanned", "--map", "text=text", "--map", "label=label", "--name", at(2))
    try:
        with tiny():
            said(words)
    finally:
        os.chdir(home)
    return Kit(folder, source, run, pairs, folder / "scanned")


@pytest.fixture(autouse=True)
def _tiny_pipeline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For the length of one test: tests of other folders may run between two of this one."""
    if "kit" not in request.fixturenames:
        yield
        return
    monkeypatch.chdir(request.getfixturevalue("kit").folder)
    with tiny():
        yield


Sink = Callable[[Kit], str]
Sinks = dict[str, Sink]
