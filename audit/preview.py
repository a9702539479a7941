"""What a source holds, and what a scan of it would cost, without writing anything where the user works."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from audit import durable, views
from audit.config import Config
from audit.errors import NothingScanned
from audit.proof.canary_draw import COPIES, LEAST_ROWS, TRAININGS
from audit.rundir import Context, RunDir, write_bytes
from audit.schema import DatasetInfo, NoProgress, Progress
from audit.sources import ingest

SAMPLE_ROWS = 64  # embedded for real, to measure what this machine does
CHARACTERS_PER_TOKEN = 4.0  # of English in word pieces
TRAINING_COST = 3.0  # a training step against a forward pass over the same tokens: forward and twice as much back


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a scan would take. Times are for this machine, measured on rows of this dataset."""

    rows: int
    readable: int
    tokens: int  # in all texts, about
    embedded_tokens: int  # after cutting each text to what the model reads
    probe_tokens: int  # at most, over all trainings
    device: str
    embed_seconds: float
    probe_seconds: float
    writes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Embedding and probe together; all other stages are short beside them."""
        return self.embed_seconds + self.probe_seconds


@contextmanager
def ingested(config: Config, progress: Progress | None = None) -> Iterator[RunDir]:
    """A source read into a temporary run directory, which is gone afterwards. Raises InputError,
    NothingScanned."""
    with durable.temporary_folder("tunevet-") as folder:
        run = RunDir(folder)
        write_bytes(run.config, config.to_toml().encode())
        ingest(Context(run, config, progress or NoProgress()), "all")
        yield run


def estimate(config: Config, run_path: Path, progress: Progress | None = None) -> Estimate:
    """Reads the source and times SAMPLE_ROWS real rows through the encoder. Raises InputError,
    NothingScanned, UntrustedModel."""
    with ingested(config, progress) as run:
        info = run.dataset()
        if not info.readable:
            raise NothingScanned(f"not one of {info.rows:,} rows can be read")
        examples = run.examples(["prompt", "response", "rejected"])
    texts = pl.concat([examples[name].drop_nulls() for name in examples.columns])
    lengths = texts.str.len_chars().cast(pl.Float64) / CHARACTERS_PER_TOKEN
    embedded = float(lengths.clip(1, config.model.max_tokens).sum())
    sampled = examples.sample(min(SAMPLE_ROWS, examples.height), seed=config.seed)
    device, tokens_per_second = _speed(config, sampled.select(views.whole_text(info.kind))[:, 0].to_list())
    off = config.probe.mode == "off"
    probe_tokens = 0 if off else config.probe.tokens * config.probe.trainings
    canaries = 0 if off else config.probe.tokens * _canary_trainings(config, info.readable)
    return Estimate(
        rows=info.rows,
        readable=info.readable,
        tokens=round(float(lengths.sum())),
        embedded_tokens=round(embedded),
        probe_tokens=probe_tokens + canaries,
        device=device,
        embed_seconds=embedded / tokens_per_second,
        probe_seconds=min(probe_tokens * TRAINING_COST / tokens_per_second, config.probe.minutes * 60)
        + canaries * TRAINING_COST / tokens_per_second,
        writes=written_files(run_path, info),
    )


def _canary_trainings(config: Config, readable: int) -> int:
    """How often a probe is trained for canaries, at most."""
    if config.canaries == "off" or readable < LEAST_ROWS:
        return 0
    return TRAININGS if config.canaries == "quick" else TRAININGS * COPIES["full"]


def _speed(config: Config, texts: list[str]) -> tuple[str, float]:
    devices: Any = importlib.import_module("audit.models.device")
    encoder: Any = importlib.import_module("audit.models.encoder").Encoder(config.model)
    encoder.encode(texts[:4])  # the first batch pays for set-up
    began = time.perf_counter()
    encoder.encode(texts)
    elapsed = max(time.perf_counter() - began, 1e-6)
    tokens = sum(min(max(len(t) / CHARACTERS_PER_TOKEN, 1.0), config.model.max_tokens) for t in set(texts))
    return devices.describe(encoder.device), tokens / elapsed


def written_files(run_path: Path, info: DatasetInfo) -> tuple[str, ...]:
    """The files of a finished run that a person opens."""
    names = ["verdicts.parquet", "triggers.json", "findings.parquet", "report/report.html", "manifest.json"]
    cleaned = [f"cleaned/{Path(f.path).name}" for f in info.files[:3]]
    return tuple(str(run_path / name) for name in [*names, *cleaned, "removed.parquet"])
