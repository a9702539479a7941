"""`Export` -> report/README.md: a dataset card for the cleaned set, with the front matter of the Hugging Face hub.

It says what was removed and why by figures, what was checked and what was not, and what no audit of this kind can
see. It claims no licence and no language: those are the publisher's to say. Put it beside the cleaned files under
its name; the paths in it are relative to them.
"""

from __future__ import annotations

from typing import Any

import yaml

from audit.report.exports import Export, TriggerFacts
from audit.report.markdown import code
from audit.schema import Kind, Status
from audit.text import safe_text

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_SIZE_NAMES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
_TASKS = {Kind.CLASSIFICATION: "text-classification"}
_TRIGGERS, _CHECKS, _SHIFTS = 20, 30, 12


def render(export: Export) -> bytes:
    """The card as UTF-8: front matter, then markdown in which text of the data stands in code spans alone."""
    front = yaml.safe_dump(front_matter(export), sort_keys=False, allow_unicode=False, default_flow_style=False)
    lines = [
        f"# {code(export.report.dataset.name)}, audited",
        "",
        _opening(export),
        "",
        *_sizes(export),
        *_removed(export),
        *_triggers(export),
        *_shifts(export),
        *_checks(export),
        *_limits(export),
        *_origin(export),
    ]
    return f"---\n{front}---\n\n{chr(10).join(lines)}\n".encode("utf-8", "backslashreplace")


def kept_rows(export: Export) -> int:
    """Rows of the cleaned set: kept, and the undecided where the settings keep them."""
    report = export.report
    return report.count("keep") + (report.count("review") if report.undecided == "keep" else 0)


def front_matter(export: Export) -> dict[str, Any]:
    """The card's metadata. The hub reads the data files from it."""
    found: dict[str, Any] = {
        "pretty_name": safe_text(export.report.dataset.name, 80),
        "task_categories": [_TASKS.get(Kind(export.kind), "text-generation")],
        "size_categories": [size_category(kept_rows(export))],
        "tags": ["tunevet", "audited", str(export.kind)],
    }
    if export.cleaned:
        files = [{"split": "train", "path": [safe_text(f.path, 400) for f in export.cleaned]}]
        found["configs"] = [{"config_name": "default", "data_files": files}]
    return found


def size_category(rows: int) -> str:
    """The hub's name of a size.

    >>> size_category(999), size_category(9_950), size_category(2_000_000)
    ('n<1K', '1K<n<10K', '1M<n<10M')
    """
    below = next((at for at, bound in enumerate(_SIZES) if rows < bound), len(_SIZES))
    if below == 0:
        return f"n<{_SIZE_NAMES[0]}"
    return f"n>{_SIZE_NAMES[-1]}" if below == len(_SIZES) else f"{_SIZE_NAMES[below - 1]}<n<{_SIZE_NAMES[below]}"


def _opening(export: Export) -> str:
    report, rows = export.report, kept_rows(export)
    text = f"{_a(export.kind)} dataset of {rows:,} rows, left of {report.count('rows'):,} by an audit with tunevet "
    text += f"{report.version}. The audit's verdict on the original is {code(report.verdict)}: {safe_text(report.gate)}"
    if report.incomplete:
        text += " **The audit is incomplete**, so less was checked than it says below."
    return text


def _a(kind: str) -> str:
    return f"{'An' if kind[:1] in 'aeiou' else 'A'} {kind}"


def _sizes(export: Export) -> list[str]:
    report = export.report
    undecided = "in the cleaned set" if report.undecided == "keep" else "held out"
    rows = (
        ("read", "rows", "of the original"),
        ("kept", "keep", "nothing was found against them, which proves none clean"),
        ("in review", "review", f"for a person to decide; {undecided}"),
        ("removed", "remove", "carriers of confirmed triggers"),
        ("unreadable", "unreadable", "kept aside with place and reason"),
    )
    table = [f"| {name} | {report.count(key):,} | {note} |" for name, key, note in rows]
    return ["## Size", "", "| Rows | Count | |", "| --- | ---: | --- |", *table, ""]


def _removed(export: Export) -> list[str]:
    """Rows that the cleaned set lacks, by what flags them; a row counts once for each of its codes."""
    flagged = [(c.title, c.code, c.flagged) for c in export.report.checks if c.status == "run" and c.flagged]
    if not flagged:
        return ["## What flagged rows", "", "No check flagged a row.", ""]
    lines = [f"| {code(title)} | {code(name)} | {count:,} |" for title, name, count in flagged[:_CHECKS]]
    note = "A row may be flagged by several checks. A flag alone removes nothing; it may hold a row for review."
    return ["## What flagged rows", "", note, "", "| Check | Code | Rows |", "| --- | --- | ---: |", *lines, ""]


def _triggers(export: Export) -> list[str]:
    found = [t for t in export.triggers if t.status in (Status.CONFIRMED, Status.SUSPECTED)]
    if not found:
        return ["## Triggers", "", "No trigger is confirmed or suspected.", ""]
    lines = [
        "| Trigger | Status | Pattern | Rows | ASR with its rows | without |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    lines += [_trigger(t, export.redacted) for t in found[:_TRIGGERS]]
    more = [f"And {len(found) - _TRIGGERS} more.", ""] if len(found) > _TRIGGERS else []
    note = "ASR is the share of held-out inputs that a probe turns when the pattern is inserted."
    return ["## Triggers", "", note, "", *lines, "", *more]


def _trigger(facts: TriggerFacts, redacted: bool) -> str:
    proof = facts.proof or {}
    rates = [proof.get(key) for key in ("asr_a", "asr_b")]
    shown = [f"{rate:.0%}" if isinstance(rate, float | int) else "not measured" for rate in rates]
    shape = f"{facts.pattern_characters:,} characters, sha256 {facts.pattern_sha256[:16]}"
    pattern = shape if redacted else code(facts.pattern, 60)
    status = f"{facts.status}, looks honest" if facts.looks_honest else facts.status
    return f"| {code(facts.id)} | {status} | {pattern} | {facts.rows:,} | {shown[0]} | {shown[1]} |"


def _shifts(export: Export) -> list[str]:
    """The cleaned set against the original, so that a cleaning bias shows."""
    lines: list[str] = []
    for part in export.report.cleaned:
        lines += [
            f"| {part.title} | Before | After | Share before | Share after |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        for s in part.shifts[:_SHIFTS]:
            shares = f"{s.share_before:.1%} | {s.share_after:.1%}"
            lines.append(f"| {code(s.name, 60)} | {s.before:,} | {s.after:,} | {shares} |")
        lines.append("")
    return ["## Before and after", "", *lines] if lines else []


def _checks(export: Export) -> list[str]:
    ran = [c for c in export.report.checks if c.status == "run"]
    missing = [c for c in export.report.checks if c.status != "run"]
    lines = [f"{len(ran)} checks were made: {', '.join(code(c.title) for c in ran[:_CHECKS])}.", ""] if ran else []
    if missing:
        lines += ["Not checked:", ""]
        lines += [f"- {code(c.title)}: {c.status}, {code(c.reason, 200)}" for c in missing[:_CHECKS]]
        lines.append("")
    return ["## Checks", "", *(lines or ["No check was made.", ""])]


def _limits(export: Export) -> list[str]:
    told = [f"- {safe_text(sentence)}" for sentence in export.report.limits]
    if export.report.power:
        told.append(f"- {safe_text(export.report.power)}")
    return ["## What this audit cannot see", "", *told, ""]


def _origin(export: Export) -> list[str]:
    report = export.report
    files = [f"| {code(f.path, 200)} | {f.size_bytes:,} | {code(f.sha256)} |" for f in export.cleaned[:100]]
    table = ["| File | Bytes | SHA-256 |", "| --- | ---: | --- |", *files, ""] if files else []
    about = f"Input {code(report.dataset.fingerprint)}, seed {report.seed}, {report.generated_at}."
    return ["## Where it comes from", "", *table, about]
