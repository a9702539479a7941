"""One screen a question. Row text comes as the report's `Text`, in which nothing invisible is left; it is checked once
more here, and no markup is read in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text as Shown

from audit.cli.screens import STATUS_STYLE
from audit.cli.words import amount, plain
from audit.remedies.decisions import Decision
from audit.report.figures import percent
from audit.report.record import Example, Field, RowCard, Score, Text, TriggerCard
from audit.text import safe_text

_MARKS = {"hit": "bold reverse", "chip": "yellow", "hit chip": "bold reverse yellow"}
_VERDICT_STYLE = {"review": "yellow", "remove": "bold red"}
_NEIGHBOURS = 3
_SCORES = 5
_FRAME_LINES = 18  # of a row's screen: head, why, scores, fix, neighbours, keys
_LEAST_LINES = 4  # of a field
_ROOMY_LINES = 36
_LOW_ARMS = 3  # of the proof, on a terminal with fewer lines
_KEYS = {
    "row": (("a", "accept"), ("r", "reject"), ("f", "fix"), ("e", "edit"), ("w", "swap sides"), ("l", "re-label")),
    "trigger": (("r", "reject all rows"), ("t", "strip, keep rows"), ("l", "legitimate")),
}
_MOVES = (("s", "skip"), ("n", "next"), ("p", "previous"), ("u", "undo"), ("q", "quit"), ("?", "help"))
_HELP = (
    ("a", "accept: keep the row as it is"),
    ("r", "reject: remove the row; of a trigger, remove all rows that it claims"),
    ("f", "fix: apply the fix that is proposed for the row"),
    ("e", "edit: replace one field of the row by what you type"),
    ("w", "swap: exchange the chosen and the rejected side of a pair, whatever is proposed"),
    ("t", "strip: delete the trigger from its rows and keep the rows"),
    ("l", "of a trigger, legitimate: keep its rows; asks why. Of a row, re-label: hold it and put it in that queue"),
    ("s", "skip: leave it undecided and go to the next undecided one"),
    ("n p", "next and previous, decided or not; arrow keys do the same"),
    ("u", "undo: take back the decision that is shown, else the last one made"),
    ("q", "quit; everything decided is already written. Ctrl-C does the same"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a question."""

    at: int  # position in the queue, from 1
    total: int
    reviewed: int
    said: Sequence[Decision]  # what reviewers have decided of it
    message: str


def trigger_screen(console: Console, card: TriggerCard, frame: Frame) -> RenderableType:
    """A trigger: what it does, why it is under suspicion, what the probe showed, carriers and clean twins. A low
    terminal leaves the figures of the association to the report."""
    head = plain(f"{card.status} trigger {card.id}", style=STATUS_STYLE.get(card.status, ""))
    honest = "  looks honest" if card.looks_honest else ""
    head.append_text(plain(f"  {card.kind}, {amount(card.rows, 'rows')}{honest}", style="not bold default"))
    grid = _grid()
    grid.add_row("pattern", shown(card.pattern))
    odd = [f"{p.code} {p.name}" for p in card.code_points if not 0x20 <= int(p.code[2:], 16) <= 0x7E]
    if odd:
        grid.add_row("characters", plain(", ".join(odd), limit=400))
    grid.add_row("why", shown(card.sentence))
    if card.reason:
        grid.add_row("status", plain(card.reason, limit=400))
    table = card.contingency
    if table:
        having, others = table.with_shown + table.with_not, table.without_shown + table.without_not
        grid.add_row(
            "behavior", f"{table.with_shown:,} of {having:,} with it, {table.without_shown:,} of {others:,} without"
        )
    measured = [f"{f.name.lower()} {f.value}" for f in card.association if f.value is not None]
    roomy = not console.is_terminal or console.height >= _ROOMY_LINES
    if roomy:
        grid.add_row("association", plain("; ".join(measured) or "not measured", limit=400))
    proof = [
        f"{arm.name}: {percent(arm.value)}" + (f" ({percent(arm.low)} to {percent(arm.high)})" if arm.low else "")
        for arm in card.arms
        if arm.value is not None
    ]
    if not roomy:
        proof = ["; ".join(proof[:_LOW_ARMS])] if proof else []
    grid.add_row("proof", plain("not tried on a probe") if not proof else Shown("\n").join(map(plain, proof)))
    carriers, twins = card.carriers[:_NEIGHBOURS], card.twins[:_NEIGHBOURS]
    gap = [Shown("")] if roomy else []
    body: list[RenderableType] = [grid, *gap, _examples("rows that carry it", carriers), *gap]
    body += [_examples("nearest rows without it", twins) if twins else plain(card.twins_note, style="dim"), *gap]
    strip = [] if card.can_strip else ["t"]
    return Group(_progress(frame), head, *body, *_ending("trigger", frame, strip))


def row_screen(console: Console, card: RowCard, rows: int, frame: Frame) -> RenderableType:
    """A row: why it was flagged, its text, scores against thresholds, the proposed fix, its nearest neighbours. `rows`
    of the input have this content."""
    head = plain(f"row {card.row:,}: {card.verdict}", style=_VERDICT_STYLE.get(card.verdict, "bold"))
    head.append_text(plain(f"  {', '.join(card.codes)}", style="not bold default"))
    facts = [card.place] + [
        f"{name} {value}"
        for name, value in (("label", card.label), ("annotator", card.annotator), ("source", card.source))
        if value is not None
    ]
    if card.sides is not None:
        facts += [fact.rstrip(".") for fact in card.sides.facts]
    if rows > 1:
        facts.append(f"{rows:,} rows of the input have this content and share the decision")
    grid = _grid()
    for at, sentence in enumerate(card.why):
        grid.add_row("why" if at == 0 else "", shown(sentence))
    for field in card.fields:
        grid.add_row(plain(field.name.lower(), limit=20), _fitted(console, field, len(card.fields)))
    proposal = plain(card.fix)
    if card.new_value is not None:
        proposal.append_text(plain(" New: ")).append_text(shown(card.new_value))
    grid.add_row("proposed", proposal)
    body: list[RenderableType] = [grid, Shown(""), *_scores(card.scores)]
    if card.neighbours:
        body += [_examples("nearest rows", card.neighbours[:_NEIGHBOURS]), Shown("")]
    wanting = [(card.fix_kind, "f"), (card.sides is not None and card.sides.can_swap, "w"), (card.can_relabel, "l")]
    without = [key for has, key in wanting if not has]
    return Group(_progress(frame), head, plain(" · ".join(facts), style="dim"), *body, *_ending("row", frame, without))


def help_screen() -> RenderableType:
    """Every key."""
    grid = _grid()
    for key, meaning in _HELP:
        grid.add_row(Shown(key, style="bold"), meaning)
    return grid


def shown(text: Text) -> Shown:
    """A text of the report as the terminal shows it: spans marked, invisible characters spelled out."""
    found = Shown()
    for piece in text.pieces:
        inner = safe_text(piece.text, newlines=True)
        found.append(f"⟦{inner}⟧" if piece.mark.endswith("chip") else inner, style=_MARKS.get(piece.mark, ""))
    if text.clipped:
        found.append(f" … ({text.total:,} characters in all)", style="dim")
    return found


def said_by(decision: Decision) -> Shown:
    """One decision, as a line."""
    who = f" by {decision.reviewer}" if decision.reviewer else ""
    what = f" {decision.field} = {decision.value}" if decision.field else ""
    why = f" ({decision.why})" if decision.why else ""
    return plain(f"{decision.decision}{who}, {decision.decided_at}{what}{why}", limit=300)


def _progress(frame: Frame) -> RenderableType:
    place = f"{frame.at:,} of {frame.total:,}"
    return plain(f"{frame.reviewed:,} of {frame.total:,} reviewed · this is {place}", style="bold cyan")


def _ending(subject: str, frame: Frame, without: Iterable[str]) -> list[RenderableType]:
    """What was decided, the keys that mean something here, and the answer to the last key."""
    lines: list[RenderableType] = []
    for decision in frame.said:
        lines.append(plain("decided: ", style="bold green").append_text(said_by(decision)))
    if len({(d.decision, d.field, d.value) for d in frame.said}) > 1:
        lines.append(plain("The reviewers disagree, so it counts as undecided.", style="yellow"))
    for row in (_KEYS[subject], _MOVES):
        keys = Shown()
        for key, word in row:
            if key not in without:
                keys.append(key, style="bold").append(f" {word}   ", style="dim")
        lines.append(keys)
    if frame.message:
        lines.append(plain(frame.message, style="bold yellow"))
    return lines


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _fitted(console: Console, field: Field, fields: int) -> Shown:
    """A field cut to its share of the terminal's height, around its first marked span; whole where the screen is no
    terminal."""
    text = shown(field.text)
    if not console.is_terminal:
        return text
    most = max(_LEAST_LINES, (console.height - _FRAME_LINES) // max(fields, 1))
    lines = list(text.wrap(console, max(20, console.width - 20), overflow="fold", no_wrap=False))
    if len(lines) <= most:
        return text
    marked = [at for at, line in enumerate(lines) if any("reverse" in str(span.style) for span in line.spans)]
    start = min(max(0, marked[0] - 1), len(lines) - most) if marked else 0
    cut = Shown("\n").join(lines[start : start + most])
    before = plain(f"({start} lines above) ", style="dim") if start else Shown()
    after = len(lines) - start - most
    return before.append_text(cut).append_text(plain(f"\n({after} lines below)" if after else "", style="dim"))


def _scores(scores: Sequence[Score]) -> list[RenderableType]:
    """What the checks say, flagging ones first, against their thresholds."""
    if not scores:
        return []
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for name in ("check", "score", "threshold", "above", ""):
        table.add_column(name, no_wrap=True, justify="left" if name in ("check", "") else "right")
    for score in scores[:_SCORES]:
        threshold = "none" if score.threshold is None else f"{score.threshold:.3g}"
        flag = plain("flagged", style="red") if score.flagged else plain("")
        table.add_row(
            plain(score.title, limit=40), f"{score.value:.3g}", threshold, f"{percent(score.below)} of rows", flag
        )
    return [table, Shown("")]


def _examples(title: str, examples: Sequence[Example]) -> RenderableType:
    """Rows as evidence, one line each."""
    table = Table(box=None, padding=(0, 2), pad_edge=False, expand=True)
    table.add_column(title, no_wrap=True)
    near, label = any(e.similarity is not None for e in examples), any(e.label is not None for e in examples)
    if near:
        table.add_column("cosine", justify="right", no_wrap=True)
    if label:
        table.add_column("label", max_width=24, no_wrap=True, overflow="ellipsis")
    table.add_column("verdict", no_wrap=True)
    table.add_column("text", no_wrap=True, overflow="ellipsis", ratio=1)
    for example in examples:
        cosine = ["" if example.similarity is None else f"{example.similarity:.2f}"] * near
        given = [plain(example.label or "")] * label
        table.add_row(f"row {example.row:,}", *cosine, *given, plain(example.verdict), _line(example.fields))
    return table


def _line(fields: Sequence[Field]) -> Shown:
    """The fields of an example on one line."""
    line = Shown(" → ").join(shown(field.text) for field in fields)
    line.plain = line.plain.replace("\n", "⏎").replace("\t", "⇥")
    return line
