"""The provenance stage of a scan: cleaned.provenance beside cleaned/.

Misses: what people decide later; `tunevet apply` writes a record of its own beside what it writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from audit import durable
from audit.attest import facts
from audit.attest.names import SIGNATURES, SUFFIX
from audit.attest.rows import FATES, DataFile
from audit.attest.write import write
from audit.config import Config
from audit.remedies.clean import review_name
from audit.remedies.fates import FATE_OF
from audit.rundir import Context, RunDir
from audit.schema import Verdict

_NAME = "cleaned"


def build(ctx: Context, unit: str) -> list[Path]:
    """Writes the record of cleaned/. A signature of an earlier record goes. Raises ConservationError, WriteFailed."""
    run = ctx.run
    folder = run / f"{_NAME}{SUFFIX}"
    ctx.progress.start("Writing provenance", run.dataset().rows, "rows")
    for name in SIGNATURES:
        durable.remove(folder / name)
    kept = ctx.config.review.undecided == "keep"
    keep, review = FATE_OF[Verdict.KEEP], FATE_OF[Verdict.REVIEW]
    holds = {"data": [keep, review], "held": []} if kept else {"data": [keep], "held": [review]}
    return write(folder, _NAME, run, ctx.config, data_files(run), fates(run), holds)


def depends_on(config: Config) -> list[Any]:
    """What a record depends on beside the files of the run: the settings and the versions."""
    return [facts.settings(config), facts.versions()]


def data_files(run: RunDir) -> list[DataFile]:
    """The files of cleaned/ with their roles."""
    found = []
    files = run.dataset().files
    for at, file in enumerate(files):
        for role, name in (("data", file.path), ("held", review_name(file.path, len(files)))):
            place = run / _NAME / name
            if place.is_file():
                found.append(DataFile(f"{_NAME}/{name}", place, role, at))
    return found


def fates(run: RunDir) -> pl.DataFrame:
    """FATES of each row, by the run's ledger.parquet: its reasons and its evidence, and whether a rule or a person
    decided."""
    ledger = pl.read_parquet(run / "ledger.parquet", columns=["row", "fate", "reasons", "evidence", "decided_by"])
    both = pl.concat_list(pl.col("reasons").fill_null([]), pl.col("evidence").fill_null([]))
    return ledger.sort("row").with_columns(both.alias("reasons")).select(FATES)
