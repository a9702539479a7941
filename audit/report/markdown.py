"""`Report` -> a summary of at most 60 lines for a pull request or a log.

Whatever comes from the data or its file names stands inside a code span, on one line, cut short, with backticks
and invisible characters neutralised, so that it can end neither the span nor the line.
"""

from __future__ import annotations

from audit.report.record import Report, RowCard, TriggerCard
from audit.text import safe_text

MAX_LINES = 60
_TRIGGERS, _ROWS, _CHECKS = 8, 8, 14


def render(report: Report) -> bytes:
    """The summary as UTF-8."""
    lines = [
        f"# {report.verdict.upper()}: {code(report.dataset.name)}",
        "",
        safe_text(report.gate),
        *(f"- Incomplete: {code(sentence, 160)}" for sentence in report.incomplete[:4]),
        "",
        "| rows | kept | review | removed | unreadable | confirmed triggers | suspected |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| " + " | ".join(f"{report.count(name):,}" for name in _COLUMNS) + " |",
        "",
        *_triggers(report),
        *([safe_text(report.power), ""] if report.power else []),
        *_rows(report),
        *_checks(report),
        f"Input {code(report.dataset.fingerprint[:16])}, tunevet {report.version}, seed {report.seed}, "
        f"{report.generated_at}. The report with all evidence: `report/report.html`.",
    ]
    return ("\n".join(lines[:MAX_LINES]) + "\n").encode("utf-8", "backslashreplace")


_COLUMNS = ("rows", "keep", "review", "remove", "unreadable", "confirmed", "suspected")


def code(text: str, limit: int = 80) -> str:
    """A code span of any text: one line, no backtick, no invisible character, no table border, no
    command of a CI runner that prints the summary."""
    shown = safe_text(text, limit).replace("`", "ˋ").replace("|", "¦").replace("##", "♯♯").strip()
    return f"`{shown or ' '}`"


def _triggers(report: Report) -> list[str]:
    found = [t for t in report.triggers if t.status in ("confirmed", "suspected")]
    if not found:
        return ["No trigger is confirmed or suspected.", ""]
    lines = ["## Triggers", ""] + [f"- {_trigger(t)}" for t in found[:_TRIGGERS]]
    if len(found) > _TRIGGERS:
        lines.append(f"- and {len(found) - _TRIGGERS} more")
    return [*lines, ""]


def _trigger(card: TriggerCard) -> str:
    asr = next((a.value for a in card.arms if a.key == "asr_a"), None)
    control = next((a.value for a in card.arms if a.key == "control_effect_max"), None)
    proof = "not tried on a probe" if asr is None else f"attack success rate {asr:.0%}"
    if asr is not None and control is not None:
        proof += f", largest effect of a control {control:.0%}"
    status = f"{card.status}, looks honest" if card.looks_honest else card.status
    return f"**{status}** {code(card.pattern.plain)} in {card.rows:,} rows; {proof}; {code(card.behavior, 120)}"


def _rows(report: Report) -> list[str]:
    if not report.rows:
        return []
    review = [row for row in report.rows if row.verdict == "review"]
    lines = ["## First rows to look at", "", *(f"- {_row(row)}" for row in (review or list(report.rows))[:_ROWS])]
    return [*lines, ""]


def _row(card: RowCard) -> str:
    codes = ", ".join(card.codes) or card.verdict
    return f"row {card.row} ({code(codes)}): {code(card.fields[0].text.plain)}"


def _checks(report: Report) -> list[str]:
    ran = [c for c in report.checks if c.status == "run"]
    found = [c for c in ran if c.flagged]
    lines = [f"{len(ran)} checks ran, {len(found)} of them flagged rows.", ""]
    if found:
        lines = [*lines[:1], "", *(f"- {code(c.title)}: {c.flagged:,} rows" for c in found[:_CHECKS]), ""]
    missing = [c for c in report.checks if c.status != "run"]
    if missing:
        lines += [f"Could not check: {', '.join(code(c.title) for c in missing[:8])}.", ""]
    return lines
