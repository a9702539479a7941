"""ledger.parquet: where each record of the input stood, what became of it, why, and who decided.

Law: each record position once; kept + removed + review + unreadable are the rows that were read.

Misses: `tunevet apply` writes what it did beside its own output; this ledger is the scan's.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from audit.errors import ConservationError
from audit.rundir import RunDir
from audit.schema import FINDINGS, DatasetInfo, Verdict

FATES: dict[str, Any] = {
    "row": pl.Int64,
    "path": pl.String,  # of the input file, relative to the declared input
    "file_sha256": pl.String,
    "ordinal": pl.Int64,  # 0-based, within its file
    "offset": pl.Int64,  # bytes into the decompressed stream; columnar: the ordinal
    "length": pl.Int64,  # bytes of the record; null for columnar files
    "sha256": pl.String,  # of these bytes; null for columnar files
    "fate": pl.String,  # kept | review | removed | unreadable
    "reasons": pl.List(pl.String),  # why it could not be read, and codes of checks
    "evidence": pl.List(pl.String),  # ids of triggers, then of findings that list the row
    "decided_by": pl.String,  # rule | person
}
FATE_OF: dict[str, str] = {
    Verdict.KEEP: "kept",
    Verdict.REVIEW: "review",
    Verdict.REMOVE: "removed",
    Verdict.UNREADABLE: "unreadable",
}
_BAD_ROWS = "TV-BAD"  # the finding of this code is about every unreadable row and lists none


class Fates:
    """Makes rows of FATES out of judged rows of the ledger."""

    def __init__(self, run: RunDir, info: DatasetInfo) -> None:
        counts = [file.records for file in info.files]
        firsts = [sum(counts[:index]) for index in range(len(counts))]
        files = range(len(info.files))
        self._files = pl.DataFrame(
            {
                "file": pl.Series(files, dtype=pl.Int32),
                "path": [file.path for file in info.files],
                "file_sha256": [file.sha256 for file in info.files],
                "_first": pl.Series(firsts, dtype=pl.Int64),
            }
        )
        self._listed, self._bad = _findings(run)
        self._people = _decided_rows(run)

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """FATES of these rows, which have the columns of LEDGER and `verdict`, `codes` and `trigger_ids`; in order."""
        joined = rows.join(self._files, on="file", how="left", maintain_order="left")
        joined = joined.join(self._listed, on="row", how="left", maintain_order="left")
        bad = pl.col("verdict") == Verdict.UNREADABLE
        found = pl.col("_findings").fill_null([])
        found = pl.when(bad).then(pl.concat_list(pl.lit(self._bad, dtype=pl.List(pl.String)), found)).otherwise(found)
        why = pl.col("reason").is_not_null()
        return joined.with_columns(
            ordinal=pl.col("row") - pl.col("_first"),
            length=pl.col("raw").bin.size().cast(pl.Int64),
            fate=pl.col("verdict").replace_strict(FATE_OF, return_dtype=pl.String),
            reasons=pl.when(why).then(pl.concat_list("reason", "codes")).otherwise(pl.col("codes")),
            evidence=pl.concat_list("trigger_ids", found),
            decided_by=pl.when(pl.col("row").is_in(self._people)).then(pl.lit("person")).otherwise(pl.lit("rule")),
        ).select(pl.col(name).cast(dtype) for name, dtype in FATES.items())


def check_fates(run: RunDir, verdicts: pl.DataFrame) -> None:
    """Raises ConservationError unless ledger.parquet holds each row once, in order, with the fate of its verdict.
    `verdicts` has `row` and `verdict` in row order."""
    found = pl.read_parquet(run / "ledger.parquet", columns=["row", "fate"])
    wanted = verdicts["verdict"].replace_strict(FATE_OF, return_dtype=pl.String)
    if not found["row"].equals(verdicts["row"]):
        raise ConservationError(f"ledger.parquet has {found.height} rows, the verdicts {verdicts.height}, or others")
    if not (found["fate"] == wanted).all():
        fates, verdict = dict(Counter(found["fate"])), dict(Counter(wanted))
        raise ConservationError(f"ledger.parquet and the verdicts say other fates: {fates} against {verdict}")


def _findings(run: RunDir) -> tuple[pl.DataFrame, list[str]]:
    """Row -> `_findings`, the sorted ids of findings that list it; and the ids of those about all unreadable rows."""
    if not run.findings.exists():
        return pl.DataFrame(schema={"row": pl.Int64, "_findings": pl.List(pl.String)}), []
    found = pl.read_parquet(run.findings, columns=["id", "code", "rows"]).cast(
        {name: FINDINGS[name] for name in ("id", "code", "rows")}
    )
    listed = found.select("id", pl.col("rows").alias("row")).explode("row").drop_nulls("row")
    by_row = listed.sort("row", "id").group_by("row", maintain_order=True).agg(pl.col("id").unique().sort())
    return by_row.rename({"id": "_findings"}), found.filter(pl.col("code") == _BAD_ROWS)["id"].sort().to_list()


def _decided_rows(run: RunDir) -> list[int]:
    path = run / "decided.parquet"
    return pl.read_parquet(path, columns=["row"])["row"].to_list() if path.exists() else []
