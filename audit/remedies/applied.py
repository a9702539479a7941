"""What came of applying decisions: the counts, what is still open, and OUT.applied.json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from audit import __version__
from audit.errors import EXIT_FINDINGS, EXIT_OK
from audit.provenance import sha256_file
from audit.remedies.decisions import FIX, ROW, Conflict, Decision
from audit.remedies.editor import Refused
from audit.remedies.resolve import Merged, Undecided
from audit.remedies.targets import Targets
from audit.rundir import RunDir
from audit.schema import DatasetInfo, Trigger

SCHEMA = "tunevet.applied/1"
_MOST_LISTED = 1_000  # rows that could not be edited, in the summary


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A decision that changes nothing in this run, and why."""

    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True)
class Open:
    """What of the decisions stays open."""

    conflicts: tuple[Conflict, ...]
    unmatched: tuple[Unmatched, ...]
    refused: tuple[Refused, ...]

    def __bool__(self) -> bool:
        return bool(self.conflicts or self.unmatched or self.refused)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was written, and what is open. Law: counts["rows"] is the sum of the counts of all outcomes."""

    targets: Targets
    written: tuple[Path, ...]
    counts: Mapping[str, int]  # rows, and each resolve.Outcome
    open: Open
    summary: Mapping[str, Any]  # as it stands in OUT.applied.json

    @property
    def exit_code(self) -> int:
        """0 when every decision was carried out, else 1."""
        return EXIT_FINDINGS if self.open else EXIT_OK


def unmatched(merged: Merged, verdicts: pl.DataFrame, triggers: Sequence[Trigger]) -> tuple[Unmatched, ...]:
    """Decisions about rows and triggers that this run has not, and fixes where it proposes none."""
    keys = [key for subject, key in merged if subject == ROW]
    known = verdicts.filter(pl.col("content_hash").is_in(keys))
    rows, fixable = set(known["content_hash"]), set(known.filter(pl.col("fix").is_not_null())["content_hash"])
    ids = {t.id for t in triggers}
    found = []
    for (subject, key), decision in merged.items():
        if key not in (rows if subject == ROW else ids):
            found.append(Unmatched(decision, f"this run has no such {subject}"))
        elif subject == ROW and decision.decision == FIX and key not in fixable:
            found.append(Unmatched(decision, "the scan proposes no fix for this row"))
    return tuple(found)


def summary(
    run: RunDir,
    info: DatasetInfo,
    resolved: pl.DataFrame,
    counts: Mapping[str, int],
    left: Open,
    undecided: Undecided,
    decision_files: Sequence[Path],
    staged: Sequence[tuple[Path, Path]],
    folder: Path,
) -> dict[str, Any]:
    """OUT.applied.json. `resolved` is what was decided; `staged` pairs each written file with its final path, which is
    named relative to `folder`. Holds no time and no path of this machine: equal inputs give equal bytes."""
    decided = resolved.filter(pl.col("decision").is_not_null())
    not_edited = {r.row for r in left.refused}
    edited = resolved.filter(pl.col("fix").is_not_null() & ~pl.col("row").is_in(sorted(not_edited)))
    files = [{"path": p.name, "sha256": sha256_file(p)} for p in decision_files]
    return {
        "schema": SCHEMA,
        "tool": {"name": "tunevet", "version": __version__},
        "run": run.path.resolve().name,
        "dataset": {"name": info.name, "kind": info.kind, "shape": info.shape, "fingerprint": info.fingerprint},
        "undecided": undecided,
        "counts": dict(counts),
        "by_decision": _count(decided["decision"]),
        "by_reviewer": _count(decided["reviewer"]),
        "edited": _count(edited["fix"]),
        "conflicts": [
            {"subject": c.subject, "key": c.key, "decisions": [json.loads(d.to_line()) for d in c.decisions]}
            for c in left.conflicts
        ],
        "unmatched": [{"decision": json.loads(u.decision.to_line()), "reason": u.reason} for u in left.unmatched],
        "refused": {"rows": len(left.refused), "listed": [asdict(r) for r in left.refused[:_MOST_LISTED]]},
        "inputs": {
            "data": [{"path": f.path, "sha256": f.sha256} for f in info.files],
            "run": {p.name: sha256_file(p) for p in (run.verdicts, run.triggers)},
            "decisions": sorted(files, key=lambda f: (f["path"], f["sha256"])),
        },
        "outputs": [{"path": str(final.relative_to(folder)), "sha256": sha256_file(path)} for path, final in staged],
    }


def _count(values: pl.Series) -> dict[str, int]:
    return dict(sorted(Counter(values.to_list()).items()))
