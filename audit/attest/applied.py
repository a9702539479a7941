"""The record of data that decisions were applied to: OUT.provenance beside OUT, written by `tunevet apply`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from audit.attest.names import WRITTEN
from audit.attest.rows import FATES, DataFile
from audit.attest.write import write
from audit.config import Config
from audit.rundir import RunDir

HOLDS = {"data": ["kept", "edited"], "held": ["held"]}
_FATE = {"keep": "kept", "edit": "edited", "remove": "removed", "hold": "held", "unreadable": "unreadable"}
_SAID = ("undecided", "by_decision", "edited", "unmatched", "conflicts")


def record(
    run: RunDir,
    config: Config,
    staged: Sequence[tuple[Path, Path]],
    places: Mapping[str, Sequence[Path]],
    folder: Path,
    final: Path,
    fates: pl.DataFrame,
    summary: Mapping[str, Any],
) -> list[tuple[Path, Path]]:
    """Writes the record into `folder` and returns its files with their places in `final`, OUT.provenance. `staged`
    pairs each written file with its place; `places` are those of each role, data and held aligned with the input's
    files; `summary` is OUT.applied.json. Raises ConservationError, WriteFailed."""
    files = []
    for path, place in staged:
        role, index = next((role, at) for role, found in places.items() for at, p in enumerate(found) if p == place)
        name = place.relative_to(final.parent).as_posix()
        files.append(DataFile(name, path, role, index if role in HOLDS else None))
    decisions = {
        "files": summary["inputs"]["decisions"],
        **{name: len(summary[name]) if isinstance(summary[name], list) else summary[name] for name in _SAID},
    }
    name = final.name.removesuffix(final.suffix)
    write(folder, name, run, config, files, fates, HOLDS, decisions)
    return [(folder / n, final / n) for n in WRITTEN]


def fates_of(run: RunDir, resolved: pl.DataFrame, refused: Collection[int]) -> pl.DataFrame:
    """FATES of rows that were resolved (resolve.RESOLVED); those `refused` could not be edited and are held."""
    held = pl.col("row").is_in(list(refused)) & (pl.col("outcome") == "edit")
    outcome = pl.when(held).then(pl.lit("hold")).otherwise(pl.col("outcome"))
    frame = resolved.select(
        "row",
        fate=outcome.replace_strict(_FATE, return_dtype=pl.String),
        said=pl.col("rule").fill_null([]),
        person=pl.col("decision").is_not_null(),
    )
    frame = frame.join(run.ledger(["row", "reason"]), on="row", how="left", maintain_order="left")
    frame = frame.hstack([_people(run, frame["row"])])
    by = pl.when(pl.col("person") | pl.col("before")).then(pl.lit("person")).otherwise(pl.lit("rule"))
    why = pl.when(pl.col("reason").is_not_null()).then(pl.concat_list("reason")).otherwise(pl.col("said"))
    return frame.select("row", "fate", reasons=why, decided_by=by).select(FATES)


def _people(run: RunDir, rows: pl.Series) -> pl.Series:
    """Whether a person decided each row before, by the run's own ledger."""
    path = run / "ledger.parquet"
    if not path.exists():
        return pl.Series("before", [False] * len(rows), dtype=pl.Boolean)
    ledger = pl.read_parquet(path, columns=["row", "decided_by"])
    decided = ledger.filter(pl.col("decided_by") == "person")["row"]
    return rows.is_in(decided.implode()).alias("before")
