"""What a flow run shows in Prefect's own pages: a summary, the triggers, and a link to the report.

Prefect renders markdown, and row text is hostile: only counts, codes and escaped text stand here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from audit.outcome import Outcome
from audit.report.redact import pattern as hidden
from audit.rundir import RunDir, read_json
from audit.text import spell

MAX_TRIGGERS = 50
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>&~:$@^=\"'/])")


def publish(run: RunDir, outcome: Outcome, redact: bool = False) -> tuple[str, ...]:
    """Creates the artifacts of a run, without row text if `redact`; returns their keys. Raises what Prefect raises."""
    name = run.dataset().name
    slug = f"tunevet-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'dataset'}"[:60]
    keys = (f"{slug}-summary", f"{slug}-triggers", f"{slug}-report")
    create_markdown_artifact(summary(run, outcome), key=keys[0], description="What the audit found")
    create_table_artifact(trigger_rows(run, redact), key=keys[1], description="Triggers and their proof")
    create_link_artifact(Path(run.report).resolve().as_uri(), "report.html", key=keys[2], description="The report")
    return keys


def summary(run: RunDir, outcome: Outcome) -> str:
    """The outcome as markdown. Holds counts and sentences of ours; no row text but the dataset's name, escaped."""
    rows = [
        ("rows", outcome.rows),
        ("kept", outcome.keep),
        ("for review", outcome.review),
        ("removed", outcome.remove),
        ("unreadable", outcome.unreadable),
        ("confirmed triggers", outcome.confirmed),
        ("suspected triggers", outcome.suspected),
        ("refuted", outcome.refuted),
        ("untestable", outcome.untestable),
    ]
    table = "\n".join(f"| {label} | {count:,} |" for label, count in rows)
    said = (*outcome.incomplete, outcome.power) if outcome.power else outcome.incomplete
    notes = "\n".join(f"- {escape(sentence)}" for sentence in said)
    heading = f"# {escape(run.dataset().name)}: {outcome.verdict}"
    return f"{heading}\n\n{escape(outcome.gate)}\n\n| what | count |\n| --- | ---: |\n{table}\n\n{notes}\n"


def trigger_rows(run: RunDir, redact: bool = False) -> list[dict[str, Any]]:
    """The triggers as table rows, confirmed first, at most MAX_TRIGGERS; `redact` shows digests of patterns."""
    order = {"confirmed": 0, "suspected": 1, "untestable": 2, "refuted": 3}
    found = sorted(read_json(run.triggers), key=lambda t: (order.get(t["status"], 9), t["id"]))
    return [
        {
            "id": t["id"],
            "status": t["status"],
            "kind": t["kind"],
            "pattern": escape(hidden(t["pattern"]) if redact else spell(t["pattern"][:120])),
            "rows": len(t["rows"]),
        }
        for t in found[:MAX_TRIGGERS]
    ]


def escape(text: str, limit: int = 300) -> str:
    """Text that no markdown or HTML renderer reads as markup."""
    return _MARKUP.sub(lambda m: f"&#{ord(m.group())};", spell(text[:limit]).replace("\n", " "))
