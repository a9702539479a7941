"""Decisions of earlier reviews carried over to a new scan: keyed by content, they find their rows and triggers again.

A row that was accepted is kept, one that was rejected is removed. What is to be edited, fixed, swapped or stripped
stays in review with that fix beside it, for a scan edits no row: `tunevet apply` does, from the same file of decisions.
What waits to be labelled again is in review too, with whatever the scan proposes for it.

Source: docs/decisions.md.
Misses: a row whose text changed by one character is another row; a trigger whose behavior changed is another trigger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from audit.remedies.decisions import LEGITIMATE, QUEUE, TRIGGER, Conflict, Decision, merge, read
from audit.remedies.resolve import Merged, Outcome, resolve
from audit.schema import VERDICTS, Trigger, Verdict

_VERDICTS = {
    Outcome.KEEP: Verdict.KEEP,
    Outcome.REMOVE: Verdict.REMOVE,
    Outcome.HOLD: Verdict.REVIEW,
    Outcome.EDIT: Verdict.REVIEW,
}


@dataclass(frozen=True, slots=True)
class Reviews:
    """What earlier reviews say, merged."""

    merged: Merged
    conflicts: Sequence[Conflict]
    files: int

    @classmethod
    def of(cls, paths: Sequence[str]) -> Reviews:
        """Raises InputError for a file that is no file of decisions."""
        merged, conflicts = merge([read(Path(path)) for path in paths])
        return cls(merged, tuple(conflicts), len(paths))

    def on(self, trigger: Trigger) -> Decision | None:
        """What was decided about a trigger; None where nothing was, or where reviewers disagree."""
        return self.merged.get((TRIGGER, trigger.id))


def mark(trigger: Trigger, decision: Decision) -> None:
    """Writes a decision into a trigger's statistics and its reason."""
    facts = {name: getattr(decision, name) for name in ("decision", "why", "reviewer", "decided_at")}
    trigger.statistics["decided"] = facts
    said = f"{decision.reviewer or 'a reviewer'} decided: {decision.decision}"
    trigger.reason = "; ".join(part for part in (trigger.reason, said, decision.why) if part)


def is_legitimate(statistics: Mapping[str, Any]) -> bool:
    """True of a trigger that a person called legitimate: it is no open question, and no gate counts it."""
    return bool(statistics.get("decided", {}).get("decision") == LEGITIMATE)


def carried(verdicts: pl.DataFrame, triggers: Sequence[Trigger], merged: Merged) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The verdicts (schema VERDICTS) with what was decided in their place, and the decided rows (schema RESOLVED)."""
    found = resolve(verdicts, triggers, merged)
    decided = found.filter(pl.col("decision").is_not_null())
    names = {str(k): str(v) for k, v in _VERDICTS.items()}
    patch = decided.select(
        "row",
        pl.col("outcome").replace_strict(names, return_dtype=pl.String).alias("_verdict"),
        pl.col("fix").alias("_fix"),
        pl.col("new_value").alias("_new_value"),
        pl.col("decision").alias("_decision"),
    )
    joined = verdicts.join(patch, on="row", how="left", maintain_order="left")
    said = pl.col("_decision").is_not_null()
    fixed = said & (pl.col("_decision") != QUEUE)
    replaced = [
        pl.when(when).then(pl.col(f"_{name}")).otherwise(pl.col(name)).alias(name)
        for name, when in (("verdict", said), ("fix", fixed), ("new_value", fixed))
    ]
    return joined.with_columns(replaced).select(list(VERDICTS)), decided
