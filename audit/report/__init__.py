"""The report: one record of a finished run, rendered as HTML for a person, markdown for a pull request, and for
machines as JSON, JSON lines, SARIF, JUnit XML, a dataset card and Croissant metadata. The run directory is read once;
renderers see records alone, and under `[report] redact` records without row text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from audit.report import card, croissant, findings, html, json, junit, markdown, redact, sarif
from audit.report.collect import collect
from audit.report.exports import Export
from audit.report.machine import gather
from audit.rundir import Context, write_bytes

__all__ = ["FORMATS", "build", "collect", "render"]

# What `tunevet export` writes: format -> renderer of an export.
FORMATS: dict[str, Callable[[Export], bytes]] = {
    "jsonl": findings.render,
    "sarif": sarif.render,
    "junit": junit.render,
    "markdown": lambda export: markdown.render(export.report),
    "card": card.render,
    "croissant": croissant.render,
}
_FILES = {
    "findings.jsonl": "jsonl",
    "findings.sarif": "sarif",
    "junit.xml": "junit",
    "summary.md": "markdown",
    "README.md": "card",
    "croissant.json": "croissant",
}


def build(ctx: Context, unit: str) -> list[Path]:
    """The report stage: writes everything in report/, without row text where the settings say so."""
    export = _gather(ctx, ctx.config.report.redact)
    folder = ctx.run / "report"
    rendered = {name: FORMATS[form](export) for name, form in _FILES.items()}
    rendered["report.html"] = html.render(export.report)
    rendered["report.json"] = json.render(export.report)
    for name, content in rendered.items():
        write_bytes(folder / name, content)
    return [folder / name for name in rendered]


def render(ctx: Context, form: str, redacted: bool) -> bytes:
    """A finished run in one of FORMATS. Raises InputError when the folder is not a run directory."""
    return FORMATS[form](_gather(ctx, redacted))


def _gather(ctx: Context, redacted: bool) -> Export:
    export = gather(ctx, collect(ctx))
    return redact.export(export) if redacted else export
