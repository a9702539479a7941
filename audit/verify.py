"""Is a run directory what it was when it was written? Hashes every output that a done marker names, and
counts the rows once more.

Misses: someone who rewrites a file and its marker. Keep the manifest's hash elsewhere to notice that.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from audit.errors import InputError
from audit.provenance import sha256_file
from audit.rundir import RunDir, read_json
from audit.schema import Verdict


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. `checked` files were hashed; paths are relative to the run directory."""

    checked: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    broken: tuple[str, ...]  # laws that do not hold, one sentence each

    @property
    def ok(self) -> bool:
        """True when nothing is missing, changed or broken."""
        return not (self.missing or self.changed or self.broken)


def verify(run: RunDir) -> Verification:
    """Checks a run directory. Raises InputError when it is none."""
    markers = sorted((run / "done").glob("*/*.json"))
    if not markers:
        raise InputError(f"{run.path} is not a run directory: nothing in it is marked as done")
    expected: dict[str, str] = {}
    for path in markers:
        expected.update(read_json(path)["outputs"])
    missing = [name for name in expected if not (run / name).is_file()]
    changed = [name for name, hashed in expected.items() if name not in missing and sha256_file(run / name) != hashed]
    broken = [] if missing or changed else _conservation(run)
    return Verification(len(expected), tuple(sorted(missing)), tuple(sorted(changed)), tuple(broken))


def _conservation(run: RunDir) -> list[str]:
    """Rows read = keep + review + remove + unreadable, each position once, unreadable as in the ledger."""
    if not run.manifest.exists():
        return ["There is no manifest.json: the run did not come to its end."]
    if not run.verdicts.exists():
        return ["There is no verdicts.parquet: the run stopped before its verdicts."]
    rows = run.dataset().rows
    verdicts = pl.read_parquet(run.verdicts, columns=["row", "verdict"])
    broken = []
    if verdicts["row"].sort().to_list() != list(range(rows)):
        broken.append(f"verdicts.parquet does not hold each of the {rows:,} rows once.")
    if not verdicts["verdict"].is_in(list(Verdict)).all():
        broken.append("verdicts.parquet holds a verdict that there is not.")
    bad = run.ledger(["row", "reason"]).filter(pl.col("reason").is_not_null())["row"].sort().to_list()
    unreadable = verdicts.filter(pl.col("verdict") == Verdict.UNREADABLE)["row"].sort().to_list()
    if bad != unreadable:
        broken.append(f"The ledger has {len(bad):,} unreadable rows, the verdicts have {len(unreadable):,}.")
    return broken
