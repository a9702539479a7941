"""The sample datasets against their truth.json: which planted triggers were named, how many poisoned rows were
caught, how many clean rows were taken away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from audit.errors import InputError
from audit.rundir import RunDir, read_json
from audit.schema import Status, Verdict

_TOKEN = re.compile(r"\w+|[^\w\s]")
MIN_CAUGHT = 0.9  # share of the trigger's carriers removed, for the demo to call itself a success
MAX_CLEAN_REMOVED = 0.005


@dataclass(frozen=True, slots=True)
class Case:
    """One sample dataset and what was planted in it."""

    name: str
    data: Path
    truth: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a run found, beside the truth."""

    case: Case
    run: RunDir
    named: tuple[str, ...]  # true triggers that a confirmed trigger names
    missed: tuple[str, ...]
    false: int  # confirmed triggers of whose rows fewer than half are poisoned
    poisoned: int
    removed: int  # of the poisoned rows
    reviewed: int  # of the poisoned rows
    clean: int
    clean_removed: int
    others: tuple[
        tuple[str, int, int], ...
    ]  # what else was planted: its kind, rows that a check flagged or a finding names, rows

    @property
    def ok(self) -> bool:
        """True when the run found what the truth says."""
        caught = not self.case.truth["triggers"] or self.removed >= MIN_CAUGHT * self.poisoned
        return caught and not self.missed and not self.false and self.clean_removed <= MAX_CLEAN_REMOVED * self.clean


def cases(folder: Path | None = None) -> list[Case]:
    """The sample datasets, by name: beside the package, else in the working directory. Raises InputError
    when there are none."""
    tried = [folder] if folder else [Path(__file__).resolve().parent.parent / "sample_data", Path("sample_data")]
    for place in tried:
        found = [_case(path.parent) for path in sorted(place.glob("*/truth.json"))]
        if found:
            return found
    where = " or ".join(str(place) for place in tried)
    raise InputError(f"no sample data under {where}; run the demo from a checkout of the repository")


def _case(folder: Path) -> Case:
    truth = read_json(folder / "truth.json")
    return Case(folder.name, folder / truth["data"], truth)


def compare(case: Case, run: RunDir) -> Comparison:
    """Reads a finished run of a case beside its truth."""
    poisoned = set(case.truth["poisoned_rows"])
    verdicts = pl.read_parquet(run.verdicts, columns=["row", "verdict"])
    rows = {v: set(verdicts.filter(pl.col("verdict") == v)["row"]) for v in (Verdict.REMOVE, Verdict.REVIEW)}
    confirmed = [t for t in read_json(run.triggers) if t["status"] == Status.CONFIRMED]
    named = tuple(w for w in case.truth["triggers"] if any(names(t["pattern"], w) for t in confirmed))
    removed = rows[Verdict.REMOVE]
    return Comparison(
        case=case,
        run=run,
        named=named,
        missed=tuple(w for w in case.truth["triggers"] if w not in named),
        false=sum(2 * len(poisoned & set(t["rows"])) < len(t["rows"]) or not t["rows"] for t in confirmed),
        poisoned=len(poisoned),
        removed=len(poisoned & removed),
        reviewed=len(poisoned & rows[Verdict.REVIEW]),
        clean=verdicts.height - len(poisoned),
        clean_removed=len(removed - poisoned),
        others=_others(case, _flagged(run) | removed | rows[Verdict.REVIEW]),
    )


def _others(case: Case, touched: set[int]) -> tuple[tuple[str, int, int], ...]:
    planted = [p for p in case.truth["planted"] if not p["parts"]]
    return tuple((p["kind"], len(touched & set(p["rows"])), len(p["rows"])) for p in planted)


def _flagged(run: RunDir) -> set[int]:
    """Rows that reach the threshold of any check, or that a finding names."""
    found: set[int] = set(pl.read_parquet(run.findings, columns=["rows"])["rows"].explode().drop_nulls())
    for path in sorted((run / "checks").glob("*.json")):
        check = read_json(path)
        if check["threshold"] is not None:
            signals = pl.read_parquet(run / "signals" / f"{check['name']}.parquet", columns=["row", "score"])
            found.update(signals.filter(pl.col("score") >= check["threshold"])["row"])
    return found


def names(pattern: str, trigger: str) -> bool:
    """True when a pattern holds the trigger's tokens in a row (its characters, where it has no letter or
    digit) and is not much longer than it."""
    if len(pattern) > max(4 * len(trigger), len(trigger) + 32):
        return False
    if not any(char.isalnum() for char in trigger):
        return trigger in pattern
    have, want = _TOKEN.findall(pattern.casefold()), _TOKEN.findall(trigger.casefold())
    return any(have[i : i + len(want)] == want for i in range(len(have) - len(want) + 1))
