"""Flagged rows -> `RowCard`: which of them are shown, in what order, and why each was flagged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from audit.report.excerpt import Span, excerpt, find_all, join, plain, short, size, visible
from audit.report.read import Inputs, Signals
from audit.report.record import HIT, MAX_ROWS, Example, Field, RowCard, Score, Text
from audit.report.sides import Pairs
from audit.schema import SEVERITY_ORDER, DatasetInfo, Kind, Severity, Skipped, Status, Trigger, Verdict
from audit.views import JOIN

Said = tuple[Signals, dict[str, Any]]  # a check and its signal of one row

ROW_BYTES = 1_200  # of the input of a row card; a response gets three quarters
CROWDED_BYTES = 800  # the same where more than CROWDED rows are shown, so that the page stays under 10 MB
CROWDED = 300
WHOLE_BYTES = 3_000_000  # of all texts that are shown whole beside their excerpts, while there is room
CROWDED_WHOLE_BYTES = 700_000
_WHOLE = 24_000  # of one such text
SNIPPET_BYTES = 180
_NEIGHBOURS = 3
_SCORES = 8
_TURNS = 8
_FIXES = {
    "relabel": "Give it another label.",
    "swap": "Swap the chosen and the rejected response.",
    "drop": "Leave the row out.",
    "strip": "Remove the marked characters and keep the row.",
    "edit": "Replace the text.",
}
_COLUMNS = {"input": "prompt", "output": "response", "rejected": "rejected"}
_STATUS_SEVERITY = {Status.CONFIRMED: Severity.HIGH, Status.SUSPECTED: Severity.MEDIUM}
_STATUS_WORDS = {
    Status.CONFIRMED: "confirmed trigger",
    Status.SUSPECTED: "suspected trigger",
    Status.UNTESTABLE: "pattern that could not be tested",
    Status.REFUTED: "refuted pattern",
}


def cards(data: Inputs) -> tuple[tuple[RowCard, ...], int]:
    """The flagged rows worth a look, most suspicious first, and how many are flagged in all."""
    flagged = data.base.filter(pl.col("verdict").is_in([Verdict.REVIEW, Verdict.REMOVE]))
    chosen = choose(flagged, MAX_ROWS)
    rows = chosen["row"].to_list()
    near = {row: _nearest(data, row) for row in rows}
    texts = data.texts([*rows, *(other for pairs in near.values() for other, _ in pairs)])
    places = _places(data, rows)
    scores = _scores(data, rows)
    evidence = _evidence(data, {row: codes or [] for row, codes in chosen.select("row", "codes").iter_rows()})
    triggers = {t.id: t for t in data.triggers}
    severities = {c.code: c.severity for c in data.checks}
    budget = ROW_BYTES if len(rows) <= CROWDED else CROWDED_BYTES
    left = WHOLE_BYTES if len(rows) <= CROWDED else CROWDED_WHOLE_BYTES
    pairs = Pairs(data, crowded=len(rows) > CROWDED)
    made = []
    for rank, record in enumerate(chosen.iter_rows(named=True), start=1):
        row = record["row"]
        carried = [triggers[i] for i in record["trigger_ids"] or [] if i in triggers]
        said = evidence.get(row, [])
        spans, parts = _spans(said), _parts(carried)
        shown = fields(texts[row], data.info, spans, parts, budget)
        pair = pairs.sides(texts[row], shown, spans, parts)
        shown, left = with_whole(shown, texts[row], left)
        made.append(
            RowCard(
                rank=rank,
                row=row,
                content_hash=record["content_hash"] or "",
                verdict=record["verdict"],
                score=finite(record["score"]),
                severity=_severity(record["codes"] or (), carried, severities),
                codes=tuple(record["codes"] or ()),
                trigger_ids=tuple(record["trigger_ids"] or ()),
                fields=shown,
                label=named(record["label"]),
                annotator=named(record["annotator"]),
                source=named(record["source"]),
                place=places.get(row, ""),
                why=_why(carried, said, data.info),
                scores=scores.get(row, ()),
                fix=_FIXES.get(record["fix"], record["fix"] or _proposal(record["verdict"])),
                fix_kind=record["fix"] or "",
                new_value=None if record["new_value"] is None else excerpt(record["new_value"], (), SNIPPET_BYTES),
                neighbours=tuple(example(data, texts, other, similarity) for other, similarity in near[row]),
                sides=pair,
            )
        )
    return tuple(made), len(flagged)


def choose(flagged: pl.DataFrame, limit: int) -> pl.DataFrame:
    """At most `limit` rows, highest score first. Where there are more, every trigger and code gets its best
    rows in turn, so that a flood of one kind hides no other."""
    score = pl.col("score").fill_nan(None).fill_null(-math.inf)
    group = pl.coalesce(pl.col("trigger_ids").list.first(), pl.col("codes").list.first(), pl.lit(""))
    ordered = flagged.sort(-score, "row").with_columns(group.alias("_group"))
    if len(ordered) > limit:
        turn = pl.int_range(pl.len()).over("_group")
        ordered = ordered.with_columns(turn.alias("_turn")).sort("_turn", -score, "row").head(limit)
    return ordered.sort(-score, "row").select(flagged.columns)


def fields(
    record: Mapping[str, Any], info: DatasetInfo, spans: Iterable[Span], parts: Iterable[str], budget: int
) -> tuple[Field, ...]:
    """An example as a person reads it: its turns or its input, then its responses. `spans` are of the prompt;
    `parts` are marked wherever they stand."""
    wanted = list(parts)
    prompt = record["prompt"] or ""
    spans = [*spans, *find_all(prompt, wanted)]
    shown = _turns(record, prompt, spans, budget)
    if not shown:
        name = "Text" if info.kind == Kind.CLASSIFICATION else "Input"
        shown = [Field(name, "input", excerpt(prompt, spans, budget))]
    for name, role in (("response", "output"), ("rejected", "rejected")):
        value = record[name]
        if value is not None:
            shown.append(Field(_title(name, info), role, excerpt(value, find_all(value, wanted), budget * 3 // 4)))
    return tuple(shown)


def with_whole(shown: tuple[Field, ...], record: Mapping[str, Any], left: int) -> tuple[tuple[Field, ...], int]:
    """The fields with their whole text where the excerpt is cut and `left` bytes allow it, and the bytes then left.
    Spans are those of the excerpt. Turns stay cut."""
    made = []
    for field in shown:
        value = record[_COLUMNS[field.role]] if field.role in _COLUMNS else None
        if field.text.clipped and value is not None and len(value) <= _WHOLE:
            hits = [p.text for p in field.text.pieces if p.mark == HIT]
            whole = excerpt(value, find_all(value, list(dict.fromkeys(hits))), _WHOLE)
            if not whole.clipped and whole.offset == 0 and size(whole) <= left:
                left -= size(whole)
                field = replace(field, whole=whole)
        made.append(field)
    return tuple(made), left


def _severity(codes: Iterable[str], carried: Iterable[Trigger], severities: Mapping[str, str]) -> str:
    """The most severe of the checks and triggers that a row was flagged for."""
    known = [Severity(severities[code]) for code in codes if severities.get(code) in set(Severity)]
    known += [_STATUS_SEVERITY.get(Status(t.status), Severity.LOW) for t in carried]
    return str(max(known, key=SEVERITY_ORDER.index, default=Severity.INFO))


def _turns(record: Mapping[str, Any], prompt: str, spans: list[Span], budget: int) -> list[Field]:
    """The turns of a conversation, at most _TURNS of them, those with a span first of all; none for a single
    turn, or where the prompt is not its turns joined."""
    turns = [(t["role"] or "turn", t["text"] or "") for t in record["turns"] or []]
    if len(turns) < 2 or JOIN.join(text for _, text in turns) != prompt:
        return []
    placed: list[tuple[str, str, list[Span]]] = []
    at = 0
    for role, text in turns:
        stop = at + len(text)
        placed.append((role, text, [(a - at, b - at) for a, b in spans if b > at and a < stop]))
        at = stop + len(JOIN)
    rank = sorted(range(len(placed)), key=lambda i: (not placed[i][2], -i))[:_TURNS]
    share = max(SNIPPET_BYTES, budget // len(rank))
    return [Field(placed[i][0], "turn", excerpt(placed[i][1], placed[i][2], share)) for i in sorted(rank)]


def example(
    data: Inputs,
    texts: Mapping[int, Mapping[str, Any]],
    row: int,
    similarity: float | None = None,
    parts: Iterable[str] = (),
    budget: int = SNIPPET_BYTES,
    spans: Iterable[Span] = (),
) -> Example:
    """A row as evidence, short. `spans` are of the prompt."""
    at = data.by_row[row]
    values = data.base.row(at, named=True)
    return Example(
        row=row,
        fields=fields(texts[row], data.info, spans, parts, budget),
        label=named(values["label"]),
        source=named(values["source"]),
        verdict=data.verdict_of[at],
        similarity=similarity,
    )


def named(value: str | None) -> str | None:
    """A label, source or annotator, cut short, and shorter where it has to be spelled out; none stays none."""
    if value is None:
        return None
    text = short(value)
    return text if len(visible(text)) <= 2 * len(text) else short(text, 24)


def finite(value: float | None) -> float | None:
    """The value, or None where it is missing, NaN or infinite."""
    return None if value is None or not math.isfinite(value) else float(value)


def _title(name: str, info: DatasetInfo) -> str:
    if info.kind == Kind.PREFERENCE:
        return "Chosen response" if name == "response" else "Rejected response"
    return "Response"


def _nearest(data: Inputs, row: int) -> list[tuple[int, float]]:
    """Rows and cosines of the nearest neighbours."""
    if isinstance(data.graph, Skipped):
        return []
    at = data.by_row[row]
    near = zip(data.graph.index[at, :_NEIGHBOURS], data.graph.similarity[at, :_NEIGHBOURS], strict=True)
    return [(int(data.order[i]), float(s)) for i, s in near]


def _places(data: Inputs, rows: list[int]) -> dict[int, str]:
    """ "FILE, line N" of each row."""
    found = data.ledger(pl.col("row").is_in(rows))
    if found.is_empty():
        return {}
    places = {}
    for row, at, line in found.select("row", "file", "line").iter_rows():
        if at is not None and 0 <= at < len(data.info.files):
            file = data.info.files[at]
            unit = "record" if file.format in ("parquet", "arrow", "json") else "line"
            places[row] = f"{short(file.path)}, {unit} {line:,}"
    return places


def _scores(data: Inputs, rows: list[int]) -> dict[int, tuple[Score, ...]]:
    """What each check says of each row, flagged ones first, then the rarest scores; checks that flag nothing and
    put the row in the lower half are left out."""
    found: dict[int, list[Score]] = {row: [] for row in rows}
    for signals in data.signals:
        check = signals.check
        mine = signals.frame.filter(pl.col("row").is_in(rows)).select("row", "score")
        for row, value in mine.iter_rows():
            flagged = check.threshold is not None and value >= check.threshold
            below = signals.below(value)
            if not flagged and below < 0.5:
                continue
            found[row].append(Score(check.name, check.code, check.title, value, check.threshold, below, flagged))
    order = {row: sorted(scores, key=lambda s: (not s.flagged, -s.below, s.check)) for row, scores in found.items()}
    return {row: tuple(scores[:_SCORES]) for row, scores in order.items()}


def _evidence(data: Inputs, codes: Mapping[int, Iterable[str]]) -> dict[int, list[Said]]:
    """What the checks that flagged each row, or whose ranking brought it to review, say of it; the strongest
    first."""
    found: dict[int, list[Said]] = {}
    for signals in data.signals:
        check = signals.check
        for record in signals.frame.filter(pl.col("row").is_in(list(codes))).iter_rows(named=True):
            flagged = check.threshold is not None and record["score"] >= check.threshold
            if flagged or check.code in codes[record["row"]]:
                found.setdefault(record["row"], []).append((signals, record))
    for said in found.values():
        said.sort(key=lambda pair: (-pair[0].below(pair[1]["score"]), pair[0].check.name))
    return found


def _spans(said: list[Said]) -> list[Span]:
    return [(r["start"], r["end"]) for _, r in said if r["start"] is not None and r["end"] is not None]


def _parts(carried: Iterable[Trigger]) -> list[str]:
    """What to mark of the triggers that a row carries."""
    return [part for t in carried for part in (t.parts or [t.pattern])]


def _why(carried: list[Trigger], said: list[Said], info: DatasetInfo) -> tuple[Text, ...]:
    """At most three sentences: triggers first, then the checks by strength."""
    sentences = []
    for trigger in carried[:2]:
        kind = _STATUS_WORDS.get(Status(trigger.status), "pattern")
        behavior = trigger.behavior.strip().rstrip(".")
        effect = f"”: {behavior}." if behavior else "”."
        sentences.append(join(f"It carries the {kind} “", excerpt(trigger.pattern, (), 160), excerpt(effect, (), 300)))
    for signals, record in said:
        text = (record["evidence"] or "").strip()
        text = f"{text}." if text and text[-1] not in ".!?…" else text
        sentences.append(join(f"{signals.check.title}: ", excerpt(text or "above its threshold.", (), 300)))
    return tuple(sentences[:3]) or (plain("Its verdict was given without a sentence of evidence; see its codes."),)


def _proposal(verdict: str) -> str:
    return "Remove the row." if verdict == Verdict.REMOVE else "Look at the row and decide."
