"""Run directory -> `Export`: what the machine-readable outputs need beside the `Report` that people see.

Every finding with its example rows' places, the figures of every trigger's proof, the flagged rows with file and
line, every check as a rule, and the files of the cleaned set with their hashes. Lists of rows are bounded; how many
there are is said beside them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from audit import registry
from audit.decide import BAD_ROWS_CODE, TRIGGER_CODE
from audit.provenance import sha256_file
from audit.remedies.clean import outputs
from audit.remedies.slices import SLICE_CODE
from audit.remedies.told import BORDERLINE_CODE, CONFLICT_CODE
from audit.report.alarms import TITLES
from audit.report.exports import CleanedFile, Export, Flagged, Item, Place, Rule, Said, TriggerFacts
from audit.report.read import Inputs
from audit.report.record import Check, Report
from audit.report.values import classes, fingerprint, finite_number, numbers_and_text
from audit.rundir import Context
from audit.schema import DatasetInfo, Severity, Trigger, Verdict

MAX_ROWS = 5_000  # flagged rows handed on with their places
PLACES = 20  # example rows of a finding that are given with file and line
_BY_LINE = ("jsonl", "csv", "tsv")  # formats whose ledger entry is a line, not an ordinal
_TRIGGER_HELP = (
    "An input pattern whose presence explains a behavior that the rest of each example does not. Confirmed: a probe "
    "trained with its rows shows the behavior when the pattern is inserted, and one trained without them does not. "
    "Suspected: not proven, and held for a person."
)
_BAD_HELP = "Records that could not be read are kept aside with their place and reason; none is lost silently."

_SLICE_HELP = "A label, source, language or annotator loses far more of its rows to the cleaning than the rest does."
_CONFLICT_HELP = "Near copies under different labels, or preferred both ways: a person is asked, and no fit hears them."
_BORDERLINE_HELP = "Rows within rounding of a threshold, which another machine may decide otherwise."


def gather(ctx: Context, report: Report) -> Export:
    """The export of a finished run. Raises InputError when the folder is not a run directory."""
    data = Inputs(ctx)
    rules = _rules(data.checks, data.findings)
    titles = {rule.code: rule.title for rule in rules}
    triggers = {t.id: _trigger(t, data.info) for t in data.triggers}
    verdicts = _verdicts(data)
    chosen = _choose(verdicts, MAX_ROWS)
    rows = {row for listed in data.findings["rows"].to_list() for row in (listed or [])[:PLACES]}
    places = _places(data, rows | set(chosen["row"].to_list()))
    return Export(
        report=report,
        fail_on=ctx.config.fail_on,
        max_bad_rows=ctx.config.max_bad_rows,
        prefix=source_prefix(ctx.config.source),
        files=data.info.files,
        kind=data.info.kind,
        columns=data.info.columns,
        rules=rules,
        items=tuple(_item(r, titles, triggers, places) for r in data.findings.iter_rows(named=True)),
        triggers=tuple(triggers.values()),
        flagged=_flagged(data, chosen, places),
        flagged_total=len(verdicts),
        said_total=int(verdicts["codes"].list.len().clip(1).sum()) if len(verdicts) else 0,
        cleaned=_cleaned(data),
        titles=titles,
    )


def source_prefix(source: str) -> str:
    """From the root of the repository that holds the source to the folder that its paths are relative to, ending in
    "/"; "" where there is no repository (no `.git` above), and for hub ids and globs."""
    path = Path(source)
    if not path.is_absolute() or not path.exists():
        return ""
    folder = path if path.is_dir() else path.parent
    root = next((p for p in (folder, *folder.parents) if (p / ".git").exists()), None)
    relative = "" if root is None else folder.relative_to(root).as_posix()
    return f"{relative}/" if relative not in ("", ".") else ""


def _rules(checks: list[Check], findings: pl.DataFrame) -> tuple[Rule, ...]:
    """Every check that there is, those of this run besides, ours for triggers and unreadable records first."""
    found = [
        Rule(TRIGGER_CODE, "trigger", "Backdoor triggers", Severity.HIGH, _TRIGGER_HELP),
        Rule(BAD_ROWS_CODE, "unreadable", "Unreadable records", Severity.MEDIUM, _BAD_HELP),
        Rule(SLICE_CODE, "slices", TITLES[SLICE_CODE], Severity.MEDIUM, _SLICE_HELP),
        Rule(CONFLICT_CODE, "conflicts", TITLES[CONFLICT_CODE], Severity.MEDIUM, _CONFLICT_HELP),
        Rule(BORDERLINE_CODE, "borderline", TITLES[BORDERLINE_CODE], Severity.INFO, _BORDERLINE_HELP),
    ]
    for check in registry.detectors().values():
        about = [" ".join(check.doc.split("\n\n")[0].split())]
        about += [f"Source: {check.source}"] * bool(check.source) + [f"Misses: {check.misses}"] * bool(check.misses)
        found.append(Rule(check.code, check.name, check.title, check.severity, "\n\n".join(about)))
    known = {rule.code for rule in found}
    for ran in sorted(checks, key=lambda c: c.name):
        if ran.code and ran.code not in known:
            text = f"{ran.title}. Source: {ran.source} Misses: {ran.misses}"
            found.append(Rule(ran.code, ran.name, ran.title, ran.severity, text))
            known.add(ran.code)
    for code, name in findings.select("code", "check").drop_nulls().unique().sort("code", "check").iter_rows():
        if code not in known:
            text = "A check that was installed when the scan was made."
            found.append(Rule(code, name, name.replace("_", " "), Severity.LOW, text))
            known.add(code)
    return (*found[:2], *sorted(found[2:], key=lambda rule: rule.code))


def _trigger(trigger: Trigger, info: DatasetInfo) -> TriggerFacts:
    return TriggerFacts(
        id=trigger.id,
        status=trigger.status,
        kind=trigger.kind,
        looks_honest=trigger.looks_honest,
        pattern=trigger.pattern,
        parts=tuple(trigger.parts),
        behavior=trigger.behavior,
        rows=len(trigger.rows),
        share=len(trigger.rows) / max(info.readable, 1),
        reason=trigger.reason,
        statistics=numbers_and_text(trigger.statistics),
        proof=None if trigger.probe is None else numbers_and_text(trigger.probe),
        pattern_sha256=fingerprint(trigger.pattern),
        pattern_characters=len(trigger.pattern),
        pattern_classes=classes(trigger.pattern),
    )


def _item(
    record: dict[str, Any], titles: dict[str, str], triggers: dict[str, TriggerFacts], places: dict[int, Place]
) -> Item:
    rows = tuple(record["rows"] or ())
    code = record["code"] or ""
    return Item(
        id=record["id"],
        code=code,
        check=record["check"] or "",
        title=titles.get(code, code),
        subject=record["subject"] or "",
        severity=record["severity"] or Severity.INFO,
        score=finite_number(record["score"]),
        q_value=finite_number(record["q_value"]),
        text=record["text"] or "",
        rows=rows,
        places=tuple(places[row] for row in rows[:PLACES] if row in places),
        details=numbers_and_text(json.loads(record["details"] or "{}")),
        trigger=triggers.get(record["id"].removeprefix("trigger-")),
    )


def _verdicts(data: Inputs) -> pl.DataFrame:
    """The verdicts that are not keep."""
    frame = pl.read_parquet(data.run.verdicts).filter(pl.col("verdict") != Verdict.KEEP)
    return frame.with_columns(pl.col("codes").fill_null([]), pl.col("trigger_ids").fill_null([]))


def _choose(verdicts: pl.DataFrame, limit: int) -> pl.DataFrame:
    """At most `limit` rows: every trigger and code gets its highest-scored rows in turn, so that a flood of one kind
    hides no other. In order of rows."""
    group = pl.coalesce(pl.col("trigger_ids").list.first(), pl.col("codes").list.first(), pl.lit(""))
    score = pl.col("score").fill_nan(None).fill_null(0.0)
    ordered = verdicts.with_columns(group.alias("_group"), score.alias("_score")).sort(-pl.col("_score"), "row")
    turn = pl.int_range(pl.len()).over("_group").alias("_turn")
    taken = ordered.with_columns(turn).sort("_turn", -pl.col("_score"), "row").head(limit)
    return taken.sort("row").select(verdicts.columns)


def _places(data: Inputs, rows: set[int]) -> dict[int, Place]:
    hashes = pl.read_parquet(data.run.verdicts, columns=["row", "content_hash"]).filter(pl.col("row").is_in(list(rows)))
    identity = dict(hashes.iter_rows())
    found: dict[int, Place] = {}
    for path in data.run.shards("ledger") if rows else ():
        part = pl.read_parquet(path, columns=["row", "file", "line", "sha256"]).filter(pl.col("row").is_in(list(rows)))
        for row, file, line, hashed in part.iter_rows():
            at = file if file is not None and 0 <= file < len(data.info.files) else 0
            by_line = bool(data.info.files) and data.info.files[at].format in _BY_LINE
            found[row] = Place(row, identity.get(row) or "", at, line if by_line else None, line or 0, hashed or "")
    return found


def _flagged(data: Inputs, chosen: pl.DataFrame, places: dict[int, Place]) -> tuple[Flagged, ...]:
    said = _said(data, chosen)
    reasons: dict[int, str] = {}
    if len(bad := chosen.filter(pl.col("verdict") == Verdict.UNREADABLE)["row"]):
        found = data.ledger(pl.col("row").is_in(bad.to_list()))
        reasons = dict(found.select("row", "reason").iter_rows())
    made = []
    for r in chosen.iter_rows(named=True):
        if r["row"] not in places:
            continue
        codes = r["codes"] or [TRIGGER_CODE if r["trigger_ids"] else BAD_ROWS_CODE]
        made.append(
            Flagged(
                place=places[r["row"]],
                verdict=r["verdict"],
                score=finite_number(r["score"]),
                fix=r["fix"] or "",
                trigger_ids=tuple(r["trigger_ids"]),
                said=tuple(said.get((r["row"], code), Said(code)) for code in codes),
                reason=reasons.get(r["row"]) or "",
            )
        )
    return tuple(made)


def _said(data: Inputs, chosen: pl.DataFrame) -> dict[tuple[int, str], Said]:
    """What each check says of the chosen rows, by row and code."""
    rows = chosen["row"].to_list()
    found: dict[tuple[int, str], Said] = {}
    for check in data.checks:
        path = data.run / "signals" / f"{check.name}.parquet"
        if check.status != "run" or not path.exists() or not rows:
            continue
        columns = ["row", "score", "start", "end", "evidence"]
        part = pl.read_parquet(path, columns=columns).filter(pl.col("row").is_in(rows) & pl.col("score").is_not_nan())
        for row, score, start, end, evidence in part.select("row", "score", "start", "end", "evidence").iter_rows():
            found[(row, check.code)] = Said(check.code, evidence or "", score, check.threshold, start, end)
    return found


def _cleaned(data: Inputs) -> tuple[CleanedFile, ...]:
    hashes = data.run.outputs("clean")
    folder = data.run / "cleaned"
    by_path = {folder / f.path: f for f in data.info.files}
    made = []
    for path in outputs(data.run)[0]:
        file = by_path[path]
        hashed = hashes.get(str(path.relative_to(data.run.path))) or sha256_file(path)
        made.append(CleanedFile(file.path, file.format, file.compression, hashed, path.stat().st_size, path, file))
    return tuple(made)
