"""The Python API: `from audit import scan`.

    result = scan("train.jsonl")
    result.outcome.verdict, result.triggers, result.verdicts
    result.save_cleaned("train.clean.jsonl")

Runs in this process, without Prefect and without a server. Nothing is fetched unless the source or the model
is a hub id.
"""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from audit import config as configuration
from audit.config import Config
from audit.errors import InputError, UsageError
from audit.job import Listener, LocalEngine, Silent, audit_run, dataset_name, default_run_path, located
from audit.outcome import Outcome
from audit.provenance import digest
from audit.remedies.clean import outputs
from audit.rundir import RunDir, atomic_file, read_json, write_frame
from audit.schema import Trigger

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True)
class Result:
    """A finished audit. The frames are read from the run directory each time they are asked for."""

    run: RunDir
    outcome: Outcome

    @property
    def verdicts(self) -> pl.DataFrame:
        """One row a record position of the input; schema.VERDICTS."""
        return pl.read_parquet(self.run.verdicts)

    @property
    def findings(self) -> pl.DataFrame:
        """What was found about anything but single rows; schema.FINDINGS."""
        return pl.read_parquet(self.run.findings)

    @property
    def triggers(self) -> pl.DataFrame:
        """One row a trigger: the fields of schema.Trigger, `parts` and `rows` as lists, `statistics` and
        `probe` as JSON text."""
        records = [
            {
                **t,
                "statistics": json.dumps(t["statistics"]),
                "probe": None if t["probe"] is None else json.dumps(t["probe"]),
            }
            for t in read_json(self.run.triggers)
        ]
        types: dict[str, Any] = {"parts": pl.List(pl.String), "rows": pl.List(pl.Int64), "behavior_id": pl.Int64}
        schema: dict[str, Any] = {name: types.get(name, pl.String) for name in Trigger.__dataclass_fields__}
        return pl.DataFrame(records, schema=schema)

    def save_cleaned(self, path: str | Path) -> Path:
        """Copies the cleaned dataset to `path`: a file for an input of one file, else a folder. Rows kept
        without a fix are the input's, byte for byte. Raises UsageError when `path` exists."""
        target = Path(path)
        if target.exists():
            raise UsageError(f"{target} exists; choose another path")
        folder = self.run / "cleaned"
        written, _ = outputs(self.run)
        if not written:
            raise InputError(f"{self.run.path} holds no cleaned dataset")
        for source in written:
            place = target if len(written) == 1 else target / source.relative_to(folder)
            with source.open("rb") as opened, atomic_file(place) as handle:
                shutil.copyfileobj(opened, handle)
        return target


def scan(
    data: str | Path | pl.DataFrame | Dataset,
    *,
    out: str | Path | None = None,
    config: Config | str | Path | None = None,
    name: str | None = None,
    kind: Literal["auto", "classification", "instruction", "preference"] | None = None,
    mapping: Mapping[str, str] | None = None,
    model: str | None = None,
    device: Literal["auto", "cpu", "cuda"] | None = None,
    seed: int | None = None,
    limit: int | None = None,
    probe: Literal["off", "quick", "full"] | None = None,
    language_model: str | None = None,
    canaries: Literal["off", "quick", "full"] | None = None,
    undecided: Literal["hold", "keep"] | None = None,
    decisions: tuple[str | Path, ...] | None = None,
    redact: bool | None = None,
    max_bad_rows: int | None = None,
    skip: tuple[str, ...] | None = None,
    progress: Listener | None = None,
) -> Result:
    """Audits a file, folder, glob or hub id, a polars frame, or a `datasets.Dataset`. Parameters given here
    overrule `config`; `mapping` is role -> column. A frame is written to OUT/input/data.parquet and read from
    there. Raises UsageError, InputError, NothingScanned, RunBusy, WriteFailed; findings are no error, see
    `Result.outcome`."""
    frame = None if isinstance(data, (str, Path)) else as_frame(data)
    settings = _settings(
        config,
        {
            ("name",): name,
            ("ingest", "kind"): kind,
            ("ingest", "map"): dict(mapping) if mapping is not None else None,
            ("ingest", "limit"): limit,
            ("model", "name"): model,
            ("model", "device"): device,
            ("seed",): seed,
            ("probe", "mode"): probe,
            ("probe", "language_model"): language_model,
            ("canaries",): canaries,
            ("review", "undecided"): undecided,
            ("review", "decisions"): tuple(str(Path(p).resolve()) for p in decisions) if decisions else None,
            ("report", "redact"): redact,
            ("max_bad_rows",): max_bad_rows,
            ("skip",): skip,
        },
    )
    if frame is None:
        settings = settings.model_copy(update={"source": located(str(data))})
        run = RunDir(out or default_run_path(settings, dataset_name(settings)))
        return _run(run, settings, progress, None)
    settings = settings.model_copy(update={"name": settings.name or "frame"})
    run = RunDir(out or default_run_path(settings, f"{settings.name}-{digest(frame.columns, frame.height)[:8]}"))
    path = (run / "input" / "data.parquet").absolute()
    return _run(run, settings.model_copy(update={"source": str(path)}), progress, frame)


def as_frame(data: Any) -> pl.DataFrame:
    """A polars frame of a polars frame or a `datasets.Dataset`. Raises InputError for anything else, and for
    a frame without columns."""
    if isinstance(data, pl.DataFrame):
        frame = data
    elif type(data).__module__.split(".")[0] == "datasets" and hasattr(data, "with_format"):
        if not hasattr(data, "num_rows") or isinstance(data.num_rows, dict):
            raise InputError("scan takes one split of a dataset, such as dataset['train'], not a DatasetDict")
        arrow: Any = importlib.import_module("pyarrow")
        table = data.with_format("arrow")[:]
        frame = pl.DataFrame(pl.from_arrow(arrow.table(table)))
    else:
        raise InputError(f"scan takes a path, a polars DataFrame or a datasets.Dataset, not {type(data).__name__}")
    if not frame.width:
        raise InputError("the frame has no columns")
    return frame


def _settings(config: Config | str | Path | None, options: dict[tuple[str, ...], Any]) -> Config:
    loaded = configuration.load(Path(config)) if isinstance(config, (str, Path)) else config or Config()
    values = loaded.model_dump()
    for path, value in options.items():
        if value is not None:
            table = values
            for part in path[:-1]:
                table = table[part]
            table[path[-1]] = value
    return configuration.build(values)


def _run(run: RunDir, settings: Config, progress: Listener | None, frame: pl.DataFrame | None) -> Result:
    def write() -> None:
        if frame is not None:
            write_frame(run / "input" / "data.parquet", frame)

    finished = audit_run(run, settings, LocalEngine(), progress or Silent(), prepared=write)
    return Result(finished.run, finished.outcome)
