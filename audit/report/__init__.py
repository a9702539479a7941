"""The report: one record of a finished run, rendered as HTML for a person, markdown for a pull request and JSON
for machines. The run directory is read once; renderers see the record alone.
"""

from __future__ import annotations

from pathlib import Path

from audit.report import html, json, markdown
from audit.report.collect import collect
from audit.rundir import Context, write_bytes

__all__ = ["build", "collect"]


def build(ctx: Context, unit: str) -> list[Path]:
    """The report stage: writes report/report.html, report/summary.md and report/report.json."""
    report = collect(ctx)
    folder = ctx.run / "report"
    rendered = {
        "report.html": html.render(report),
        "summary.md": markdown.render(report),
        "report.json": json.render(report),
    }
    for name, content in rendered.items():
        write_bytes(folder / name, content)
    return [folder / name for name in rendered]
