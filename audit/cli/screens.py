"""The screens: what was recognised, and what came of it. Row text stands in them only through `plain`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from audit.cli.words import amount, plain, size
from audit.config import Config
from audit.outcome import Outcome
from audit.remedies.clean import outputs
from audit.remedies.slices import SLICE_CODE
from audit.rundir import RunDir, read_json
from audit.schema import DatasetInfo, Trigger
from audit.text import spell

VERDICT_STYLE = {"pass": "bold green", "review": "bold yellow", "block": "bold red", "incomplete": "bold magenta"}
STATUS_STYLE = {"confirmed": "bold red", "suspected": "yellow", "refuted": "green", "untestable": "magenta"}
_STATUS_ORDER = ("confirmed", "suspected", "untestable", "refuted")
_SHOWN_TRIGGERS = 12
_SHOWN_SLICES = 3
_FIELD_CHARS = 240
_FIELDS = ("prompt", "response", "rejected", "label", "annotator", "source", "created_at", "id")


def schema_panel(info: DatasetInfo) -> Panel:
    """What ingest recognised: kind, mapping, confidence, labels, and bad rows by reason."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("kind", plain(f"{info.kind} ({info.shape}), confidence {info.confidence:.0%}"))
    grid.add_row("mapping", plain(", ".join(f"{role} = {column}" for role, column in info.mapping.items())))
    unused = [c for c in info.columns if c not in info.mapping.values()]
    if unused:
        grid.add_row("not used", plain(", ".join(unused), limit=200))
    grid.add_row("files", plain(_files(info), limit=300))
    if info.labels:
        more = f" and {len(info.labels) - 8:,} more" if len(info.labels) > 8 else ""
        grid.add_row("labels", plain(", ".join(label[:40] for label in info.labels[:8]) + more))
    whole = f"{info.rows:,} read, {info.readable:,} usable"
    grid.add_row("rows", plain(whole if info.rows >= 0 else "not counted: only the beginning was looked at"))
    grid.add_row("unreadable", _bad(info))
    if info.note:
        grid.add_row("note", plain(info.note, limit=400))
    return Panel(grid, title=plain(info.name, limit=60), title_align="left", box=box.ROUNDED, border_style="dim")


def _files(info: DatasetInfo) -> str:
    shown = ", ".join(f"{f.path} ({size(f.size_bytes)})" for f in info.files[:3])
    return shown + (f" and {len(info.files) - 3:,} more" if len(info.files) > 3 else "")


def _bad(info: DatasetInfo) -> Text:
    if not info.bad:
        return Text("none", style="green")
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(info.bad.items()))
    return plain(f"{sum(info.bad.values()):,} kept aside: {reasons}", style="bold yellow")


def rows_view(examples: pl.DataFrame, limit: int = _FIELD_CHARS) -> RenderableType:
    """Examples field by field, each cut to `limit` characters."""
    blocks: list[RenderableType] = []
    for record in examples.iter_rows(named=True):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name in _FIELDS:
            if record.get(name) is not None:
                grid.add_row(name, plain(record[name], limit=limit))
        blocks += [Text(f"row {record['row']:,}", style="bold"), grid, Text("")]
    return Group(*blocks[:-1])


def load_triggers(run: RunDir, redacted: bool = False) -> list[dict[str, Any]]:
    """triggers.json, confirmed first, then suspected (those that look honest last), untestable and refuted; most
    carriers first. Where `redacted`, patterns and behaviors are digests."""
    found = read_json(run.triggers) if run.triggers.exists() else []
    if redacted:
        from audit.report.redact import entry

        found = [entry(t) for t in found]
    order = {name: at for at, name in enumerate(_STATUS_ORDER)}
    return sorted(found, key=lambda t: (order[t["status"]], looks_honest(t), -len(t["rows"]), t["id"]))


def looks_honest(trigger: dict[str, Any]) -> bool:
    """`Trigger.looks_honest` of an entry of triggers.json."""
    return Trigger(**trigger).looks_honest


def trigger_table(triggers: Sequence[dict[str, Any]]) -> Table:
    """One line a trigger."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("id", "status", "kind"):
        table.add_column(name, no_wrap=True)
    table.add_column("pattern", overflow="fold", max_width=44)
    table.add_column("what it does", overflow="fold", max_width=50)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("ASR with vs without", justify="right")
    for t in triggers:
        table.add_row(
            plain(t["id"]),
            plain("looks honest" if looks_honest(t) else t["status"], style=STATUS_STYLE.get(t["status"], "")),
            plain(t["kind"]),
            plain(t.get("display") or spell(t["pattern"]), limit=120),
            plain(t["behavior"], limit=160),
            f"{len(t['rows']):,}",
            _probe(t.get("probe")),
        )
    return table


def _probe(probe: dict[str, Any] | None) -> str:
    """The attack success rate with the carriers, against without them."""
    if not probe or probe.get("asr_a") is None:
        return "not run"
    without = max((probe[k] for k in ("asr_b", "asr_d") if probe.get(k) is not None), default=None)
    return f"{probe['asr_a']:.0%} vs {without:.0%}" if without is not None else f"{probe['asr_a']:.0%}"


def result_screen(console: Console, run: RunDir, config: Config, outcome: Outcome) -> None:
    """The verdict, the triggers, the counts with both sizes, the report, and what to type next."""
    console.print()
    verdict = plain(outcome.verdict.upper(), style=VERDICT_STYLE[outcome.verdict])
    console.print(verdict.append_text(plain(f"  {outcome.gate}", style="not bold default")))
    for sentence in outcome.incomplete:
        console.print(plain(f"  incomplete: {sentence}", style="magenta", limit=400))
    triggers = [t for t in load_triggers(run, config.report.redact) if t["status"] != "refuted"]
    if triggers:
        console.print(trigger_table(triggers[:_SHOWN_TRIGGERS]))
        if len(triggers) > _SHOWN_TRIGGERS:
            console.print(plain(f"and {len(triggers) - _SHOWN_TRIGGERS:,} more in the report", style="dim"))
    else:
        console.print("No trigger was confirmed or is suspected.")
    if outcome.power:
        console.print(plain(outcome.power, style="dim", limit=2_000))
    if outcome.refuted:
        console.print(plain(f"{amount(outcome.refuted, 'candidates')} refuted by the probe.", style="dim"))
    for sentence in slice_alarms(run, config.report.redact):
        console.print(plain(sentence, style="yellow", limit=400))
    console.print()
    console.print(_counts(run, config, outcome))
    console.print()
    _paths(console, run, config, outcome, triggers)


def slice_alarms(run: RunDir, redacted: bool) -> list[str]:
    """A sentence for each slice that the cleaning shrinks abnormally, at most three; their number where `redacted`."""
    if not run.findings.exists():
        return []
    found = pl.read_parquet(run.findings).filter(pl.col("code") == SLICE_CODE)
    texts = found.sort("score", "id", descending=[True, False])["text"].to_list()
    if redacted and texts:
        return [f"{amount(len(texts), 'slices')} shrink abnormally."]
    return texts[:_SHOWN_SLICES]


def _counts(run: RunDir, config: Config, outcome: Outcome) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    held = config.review.undecided == "hold"
    cleaned, beside = outputs(run)
    kept = outcome.keep if held else outcome.keep + outcome.review
    note = "" if held else f", {outcome.review:,} undecided among them (--undecided keep)"
    grid.add_row("cleaned", f"{kept:,}", plain(f"rows{note}  {_named(cleaned)}"))
    where = "rows for a person to decide" + (", held out of the cleaned set" if held else "")
    grid.add_row("review", f"{outcome.review:,}", plain(f"{where}  {_named(beside)}"))
    grid.add_row("removed", f"{outcome.remove:,}", plain("carriers of confirmed triggers"))
    grid.add_row("unreadable", f"{outcome.unreadable:,}", plain("kept aside, with file, line and reason"))
    grid.add_row("in all", f"{outcome.rows:,}", plain("rows read"))
    return grid


def _named(paths: Sequence[Path]) -> str:
    if not paths:
        return ""
    total = size(sum(p.stat().st_size for p in paths if p.exists()))
    return f"{paths[0]}, {total}" if len(paths) == 1 else f"{len(paths)} files in {paths[0].parent}, {total}"


def _paths(console: Console, run: RunDir, config: Config, outcome: Outcome, triggers: Sequence[dict[str, Any]]) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("run", plain(str(run.path)))
    if run.report.exists():
        grid.add_row("report", plain(str(run.report)))
    grid.add_row("next", plain(next_command(run, outcome, triggers), style="bold"))
    console.print(grid)


def next_command(run: RunDir, outcome: Outcome, triggers: Sequence[dict[str, Any]]) -> str:
    """The one command that is most worth typing after this run."""
    if triggers and triggers[0]["status"] in ("confirmed", "suspected"):
        return f"tunevet show {run.path} {triggers[0]['id']}"
    if outcome.review or outcome.remove:
        rows = pl.read_parquet(run.verdicts, columns=["row", "verdict", "score"])
        first = rows.filter(pl.col("verdict").is_in(["remove", "review"])).sort(
            "score", descending=True, nulls_last=True
        )
        return f"tunevet show {run.path} {first['row'][0]}"
    return f"tunevet verify {run.path}"
