"""What a run is rendered as: pages, summaries, exports, and the documents of its provenance."""

from __future__ import annotations

import csv
import io
from functools import partial
from pathlib import Path

from text_sinks.conftest import Kit, Sinks, once
from text_sinks.hostile_places import context

from audit.report import FORMATS, build, html, redact
from audit.report.collect import collect

_FILES = ("report.html", "report.json", "summary.md", "README.md")
_FILES += ("findings.jsonl", "findings.sarif", "junit.xml", "croissant.json")


def report(kit: Kit, kind: str, name: str) -> str:
    """A file of the report stage."""
    run = kit.run if kind == "labels" else kit.pairs
    made = once((kit.folder, kind), lambda: {path.name: path.read_bytes() for path in build(context(run), "all")})
    return made[name].decode()


def redacted(kit: Kit) -> str:
    """The page without row text."""
    record = collect(context(kit.run))
    return html.render(redact.report(record, {})).decode()


def served(kit: Kit) -> str:
    """The page as `tunevet review --serve` sends it, with decisions in it."""
    given = [{"subject": "row", "key": "0" * 32, "decision": "accept", "reviewer": "ann", "why": "fine"}]
    return html.render(collect(context(kit.run)), save="/token/decisions", decisions=given).decode()


def stored(kit: Kit, folder: str) -> str:
    """Every file of text of a run directory but its report and its data."""
    path = {"labels": kit.run.path, "pairs": kit.pairs.path, "scanned": kit.scanned}[folder]
    return "\n".join(text_of(p) for p in sorted(path.rglob("*")) if is_document(p, path))


def is_document(path: Path, run: Path) -> bool:
    """True for what people open: no array, no table, no data, no byte of an input."""
    inside = path.relative_to(run).parts[0]
    return path.is_file() and path.suffix not in (".parquet", ".npy") and inside not in ("cleaned", "report", "regions")


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def provenance(kit: Kit) -> str:
    """Manifest, statement, bill of materials and Croissant beside data that `apply` writes."""
    kit.applied()
    place = kit.folder / "applied"
    found = [*sorted((place / "out.provenance").glob("*.json")), *sorted(place.glob("*.json*"))]
    assert len(found) >= 5
    return "\n".join(text_of(p) for p in found)


def queue(kit: Kit, kind: str, form: str) -> str:
    """The re-label queue as a file."""
    run = kit.run if kind == "labels" else kit.pairs
    path = kit.folder / f"queue-{kind}.{form}"
    kit.tunevet("relabel", "export", run.path, "-o", path, "--review", "--force")
    return path.read_text(encoding="utf-8")


def cells(kit: Kit) -> list[str]:
    """Every cell of the queues as csv."""
    read = [csv.reader(io.StringIO(queue(kit, kind, "csv"), newline=""), strict=True) for kind in ("labels", "pairs")]
    return [cell for reader in read for row in reader for cell in row]


def exported(kit: Kit, form: str) -> str:
    """An export with redaction."""
    from audit.report import render

    return render(context(kit.run), form, True).decode()


SINKS: Sinks = {
    **{f"report of {k}: {n}": partial(report, kind=k, name=n) for k in ("labels", "pairs") for n in _FILES},
    **{f"export, redacted: {form}": partial(exported, form=form) for form in FORMATS},
    **{f"documents of a run: {name}": partial(stored, folder=name) for name in ("labels", "pairs", "scanned")},
    **{f"queue of {k}: {f}": partial(queue, kind=k, form=f) for k in ("labels", "pairs") for f in ("csv", "jsonl")},
    "report, redacted: report.html": redacted,
    "report, served": served,
    "provenance documents": provenance,
}
