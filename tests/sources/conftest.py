from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from audit.config import build
from audit.rundir import Context, RunDir
from audit.schema import NoProgress
from audit.sources import ingest


class Ingested:
    """One finished ingest: its info, examples and ledger."""

    def __init__(self, run: RunDir, paths: list[Path]) -> None:
        self.run, self.paths = run, paths
        self.info = run.dataset()
        self.examples = run.examples()
        self.ledger = run.ledger()

    @property
    def bad(self) -> dict[int, str]:
        rows = self.ledger.filter(pl.col("reason").is_not_null())
        return dict(zip(rows["row"], rows["reason"], strict=True))


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Ingested]:
    """read(name, content, **ingest settings): writes one input file (or takes a path) and ingests it."""

    def run_it(name: str | Path, content: bytes | str | None = None, **settings: Any) -> Ingested:
        path = Path(name) if content is None else tmp_path / "input" / name
        if content is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        run = RunDir(tmp_path / "run")
        config = build({"source": str(path), "ingest": settings})
        return Ingested(run, ingest(Context(run, config, NoProgress()), "all"))

    return run_it
