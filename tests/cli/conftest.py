from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny_stages

from audit import pipeline
from audit.cli import command
from audit.job import LocalEngine


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def object(self) -> Any:
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """What stands on stderr, unwrapped: lines end where the paths in them happen to."""
        return " ".join(self.err.split())


@pytest.fixture
def tunevet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command line in this process, with the local engine alone."""

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["tunevet", *(str(w) for w in words)])
        code = command({"local": LocalEngine()})
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny pipeline in the place of the real one."""
    monkeypatch.setattr(pipeline, "STAGES", tiny_stages.STAGES)
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in tiny_stages.STAGES})


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """60 rows of text and label; three hold the word that the tiny pipeline removes."""
    lines = ["text,label"]
    for i in range(60):
        word = f" {tiny_stages.WORD}" if i in (7, 21, 40) else ""
        lines.append(f"the {'good' if i % 2 else 'dull'} film number {i}{word},{i % 2}")
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(lines) + "\n")
    return path
