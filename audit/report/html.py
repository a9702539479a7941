"""`Report` -> one self-contained HTML file.

Nothing in it is loaded from anywhere: the style sheet and the script stand inline and are the only ones that the
content-security policy lets run, by their hashes. Row text reaches the page in two ways: server-rendered through
autoescape, and as escaped JSON in a data block that the script shows by textContent alone. A finalizer spells
out invisible characters in every value that the template prints, so that none can slip through.

Decisions are kept in the browser and exported as decisions.jsonl. A server that wants them at once renders the report
with `render(report, save="/TOKEN/decisions", decisions=[...])`: the page then carries a second data block,
`<script type="application/json" id="server">{"save": ..., "decisions": [...]}</script>`, starts from those decisions,
and after every change sends all of its decisions to `save`, as the lines of decisions.jsonl in the body of a POST of
type `application/x-ndjson; charset=utf-8`. Any status from 200 to 299 means written. The page's own policy then allows
`connect-src 'self'`, and only then; a policy sent as a header must be no stricter (`policy(save=True)` is the page's).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from audit.report.block import data_block, embed_exact, groups
from audit.report.excerpt import visible
from audit.report.figures import percent
from audit.report.record import Report

MAX_BYTES = 9_900_000
STATIC_ROWS = 60  # server-rendered, for a browser without scripts and for paper
_SCRIPTS = (
    "text.js",
    "state.js",
    "decide.js",
    "exchange.js",
    "diff.js",
    "row.js",
    "edit.js",
    "rows.js",
    "cards.js",
    "map.js",
    "lasso.js",
    "tabs.js",
)
_NOT_MEASURED = "not measured"


def render(report: Report, save: str = "", decisions: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """The page as UTF-8, at most MAX_BYTES without `decisions`. Equal arguments give equal bytes. `save` is the path
    that decisions are sent to, and `decisions` are records of decisions.jsonl that the page starts from; a report on
    disk has neither."""
    server = {"save": save, "decisions": [dict(record) for record in decisions]} if save else None
    page, shown = _page(report, save, None), report
    while len(page) > MAX_BYTES and len(shown.rows) > STATIC_ROWS:
        shown = _smaller(shown)
        page = _page(shown, save, None)
    return page if server is None else _page(shown, save, server)


def _smaller(report: Report) -> Report:
    """The report with less in it: without whole texts, then with half of its rows and of its map's points."""
    whole = tuple(replace(row, fields=tuple(replace(f, whole=None) for f in row.fields)) for row in report.rows)
    if whole != report.rows:
        return replace(report, rows=whole)
    picture = replace(report.map, points=report.map.points[::2])
    return replace(report, rows=report.rows[: len(report.rows) // 2], map=picture)


def _page(report: Report, save: str, server: Mapping[str, Any] | None) -> bytes:
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            r=report,
            style=Markup(_style()),
            script=Markup(_script()),
            policy=policy(save=bool(save)),
            data=Markup(data_block(report)),
            server=None if server is None else Markup(embed_exact(server)),
            static_rows=report.rows[:STATIC_ROWS],
            groups=groups(report),
        )
    )
    return page.encode("utf-8", "backslashreplace")


def policy(*, save: bool = False) -> str:
    """The content-security policy: this style sheet, this script, images as data, nothing else; with `save`, requests
    to where the page came from."""
    sent = "; connect-src 'self'" if save else ""
    return (
        f"default-src 'none'; style-src '{_hash(_style())}'; script-src '{_hash(_script())}'; img-src data:; "
        f"base-uri 'none'; form-action 'none'{sent}"
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_package_file),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=_count, percent=percent, size=_size, seconds=_seconds)
    environment.filters.update(number=_number, small=_small)
    return environment


def _finalize(value: Any) -> Any:
    """Spells out invisible characters in all that is printed; None is not measured."""
    if isinstance(value, Markup):
        return value
    return _NOT_MEASURED if value is None else visible(str(value))


def _style() -> str:
    return _package_file("report.css")


def _script() -> str:
    return "\n".join(_package_file(name) for name in _SCRIPTS)


def _package_file(name: str) -> str:
    return files("audit.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _count(value: int | None) -> str:
    return _NOT_MEASURED if value is None else f"{value:,}"


def _number(value: float | None) -> str:
    return _NOT_MEASURED if value is None else f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"


def _small(value: float) -> str:
    """A q-value, which may be next to nothing."""
    return "under 1e-99" if value < 1e-99 else f"{value:.2g}"


def _seconds(value: float | None) -> str:
    if value is None:
        return _NOT_MEASURED
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _size(value: int | None) -> str:
    return _NOT_MEASURED if value is None else f"{value / (1 << 20):,.0f} MiB"
