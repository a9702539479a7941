"""Records without row text: ids, spans and figures stay, and what came from the rows is replaced.

Fails closed: every `Text` and every string of a record is replaced unless `kept.KEPT` names its record and field, so a
field that is added later is redacted until someone says that it holds nothing of the rows. Row text becomes its
length and the marked spans; values such as labels, sources and annotators become a short digest, equal for equal
values; a trigger becomes its id, length, character classes and a digest of its pattern.

Misses: digests of short or common values can be guessed by trying values. Names of columns and files, the source's
path and the settings stay. The run directory itself holds the rows: this is about what is rendered from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from audit.report.excerpt import plain
from audit.report.exports import Export, Flagged, Item, TriggerFacts
from audit.report.kept import KEPT, WORDS
from audit.report.record import (
    Arm,
    Check,
    Circle,
    Dataset,
    FindingCard,
    Headline,
    Piece,
    Report,
    RowCard,
    Text,
    Told,
    TriggerCard,
)
from audit.report.values import classes, fingerprint
from audit.schema import Status

_DIGITS = 12
_MONTH = re.compile(r"\d{4}-\d{2}")
_SUBJECT = re.compile(r"trigger T-[0-9a-f]{10}|(?:cluster|conflict|contradiction|cycle) [0-9a-f]{6,32}|unreadable rows")
_QUOTED = re.compile(r'(the (?:response|last step)[a-z ]*)"(.*)"', re.DOTALL)
_LABEL = re.compile(r"label (.*)", re.DOTALL)
# Checks whose subjects and sentences are made of counts and of names from closed lists.
_IN_FIGURES = frozenset(
    (
        *("ingest", "hidden_channel", "identical_sides", "label_noise", "near_duplicates", "outliers"),
        *("preference_cycles", "preference_flip", "role_tags", "unicode_anomaly", "whitespace_anomaly"),
    )
)
# Besides these, checks of ours whose details are figures under fixed names.
_OURS = _IN_FIGURES | {
    *("activation_clustering", "annotator_anomaly", "annotator_bursts", "annotator_collusion", "preference_scores"),
    *("preference_shortcut", "rare_tokens", "spectral_signature", "strip", "transcript_roles", "trigger_exposure"),
}
_PROBES = ("wordpiece", "bytes", "reward", "language")
_FIXES = ("Give it another label.", "Swap the chosen", "Leave the row out.", "Remove the", "Replace the", "Look at the")
# Names of figures within the figures of a proof; other inner keys may be labels or words of the rows.
_INNER = frozenset(
    (
        *("asr", "asr_a", "asr_b", "asr_d", "asr_cleaned", "control_max", "control_effect_max", "effect"),
        *("count", "hits", "trials", "seed", "seconds", "tokens", "A", "B", "C", "D"),
        *("rows", "against", "share", "reliability", "low", "high", "p", "q", "pairs", "cases", "rate", "others"),
        *("with", "without", "adjusted", "alone", "expected", "difference", "shared", "together", "noise_rate"),
    )
)


def token(value: str) -> str:
    """A short digest in the place of a value of the rows: equal values, equal digests.

    >>> token("positive") == token("positive") != token("negative")
    True
    """
    return f"#{fingerprint(value)[:_DIGITS]}"


def hidden(text: Text) -> Text:
    """A text's length and the spans that were marked in it, counted in characters from its beginning."""
    spans = ", ".join(f"{low} to {high}" for low, high in marked(text))
    figures = f"[{text.total:,} characters{f', marked: {spans}' if spans else ''}]"
    return Text((Piece(figures),), len(figures), len(figures))


def marked(text: Text) -> list[tuple[int, int]]:
    """The spans of the original that are marked in a text."""
    spans: list[tuple[int, int]] = []
    at = text.offset
    for piece in text.pieces:
        stop = at + _characters(piece)
        if "hit" in piece.mark:
            if spans and spans[-1][1] == at:
                spans[-1] = (spans[-1][0], stop)
            else:
                spans.append((at, stop))
        at = stop
    return spans


def _characters(piece: Piece) -> int:
    """How many characters of the original a piece stands for; a chip's label may end in how often it repeats."""
    if "chip" not in piece.mark:
        return len(piece.text)
    times = re.search(r" ×(\d+)$", piece.text)
    return int(times.group(1)) if times else 1


def behavior(text: str) -> str:
    """What a trigger does, with a digest in the place of what it quotes.

    >>> behavior('the response opens with "sure , here"').startswith("the response opens with #")
    True
    """
    if found := _QUOTED.fullmatch(text.rstrip(".")):
        return f"{found.group(1)}{token(found.group(2))}"
    if found := _LABEL.fullmatch(text):
        return f"label {token(found.group(1))}"
    closed = text.startswith("the response ") and '"' not in text and "“" not in text
    return text if closed else f"behavior {token(text)}"


def pattern(text: str) -> str:
    """A trigger's pattern as its length, character classes and digest.

    >>> pattern("cf")
    '[2 characters: Ll 2; sha256 730f7d03509cce2d]'
    """
    held = ", ".join(f"{name} {count}" for name, count in classes(text).items())
    return f"[{len(text):,} characters: {held}; sha256 {fingerprint(text)[:16]}]"


def entry(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of triggers.json with digests in the place of its pattern and behavior."""
    hidden_pattern = pattern(trigger["pattern"])
    told = {"pattern": hidden_pattern, "display": hidden_pattern, "parts": [], "reason": "", "behavior_name": ""}
    probe = trigger.get("probe")
    figures = None if probe is None else numbers(probe, trusted=True)
    return {**trigger, **told, "behavior": behavior(trigger["behavior"]), "probe": figures}


def report(record: Report, patterns: Mapping[str, str]) -> Report:
    """The record of a run without row text. `patterns`: trigger id -> raw pattern, for its digest."""
    made: Report = _record(record, "")
    cards = tuple(_card(card, patterns.get(card.id, "")) for card in record.triggers)
    return replace(
        made,
        editable=False,
        circles_told=record.circles_told,
        incomplete=tuple(_stopped(sentence) for sentence in record.incomplete),
        triggers=cards,
        headlines=_headlines(record, cards),
    )


def export(record: Export) -> Export:
    """An export without row text, its report included."""
    patterns = {t.id: t.pattern for t in record.triggers}
    return replace(
        record,
        report=report(record.report, patterns),
        items=tuple(_item(item) for item in record.items),
        triggers=tuple(_facts(t) for t in record.triggers),
        flagged=tuple(_flagged(row) for row in record.flagged),
        redacted=True,
    )


def _record(record: Any, place: str) -> Any:
    """Any record with its texts hidden and its strings replaced where `kept.KEPT` does not name them."""
    if isinstance(record, Text):
        return hidden(record)
    name = type(record).__name__
    kept = KEPT.get(f"{place}/{name}", KEPT.get(name, frozenset()))
    changed = {f.name: _value(getattr(record, f.name), f"{name}.{f.name}", f.name in kept) for f in fields(record)}
    special = _SPECIAL.get(type(record))
    made = replace(record, **changed)
    return special(record, made) if special else made


def _value(value: Any, place: str, keep: bool) -> Any:
    if is_dataclass(value):
        return _record(value, place)
    if isinstance(value, tuple):
        return tuple(_value(v, place, keep) for v in value)
    if isinstance(value, str) and not keep:
        return value if not value or value in WORDS or _MONTH.fullmatch(value) else token(value)
    return value


def _check(old: Check, new: Check) -> Check:
    """A check that failed says of what kind the error was; its message may quote the row it failed on."""
    reason = old.reason.split(":")[0][:60] if old.status == "failed" else old.reason
    return replace(new, reason=reason)


def _row_card(old: RowCard, new: RowCard) -> RowCard:
    carried = [plain(f"It carries trigger {i}.") for i in old.trigger_ids[:2]]
    scores = [_score(s.title, s.value, s.threshold) for s in old.scores if s.flagged]
    why = tuple((carried + [plain(text) for text in scores])[:3])
    return replace(new, why=why or new.why, fix=old.fix if old.fix.startswith(_FIXES) else new.fix)


def _score(title: str, value: float | None, threshold: float | None) -> str:
    over = "" if threshold is None else f", threshold {threshold:.3g}"
    return f"{title}: score {value:.3g}{over}." if value is not None else f"{title}."


def _finding_card(old: FindingCard, new: FindingCard) -> FindingCard:
    if old.check in _IN_FIGURES:
        return replace(new, subject=old.subject, text=old.text)
    return replace(new, subject=_subject(old.subject), text=plain(_left_out(len(old.rows))))


def _told(old: Told, new: Told) -> Told:
    """What a check says of an annotator, by its name and figures alone: its sentence may name the annotator."""
    figure = "" if old.q_value is None else f", q {old.q_value:.2g}"
    return replace(new, text=plain(f"[{old.title}{figure}]"))


def _circle(old: Circle, new: Circle) -> Circle:
    """Its sentence is made of counts."""
    return replace(new, text=old.text)


def _dataset(old: Dataset, new: Dataset) -> Dataset:
    """Without labels to choose from: an edit would write a digest into the data."""
    return replace(new, labels=())


_SPECIAL: dict[type, Callable[[Any, Any], Any]] = {
    Check: _check,
    Dataset: _dataset,
    RowCard: _row_card,
    FindingCard: _finding_card,
    Told: _told,
    Circle: _circle,
}


def _subject(subject: str) -> str:
    return subject if _SUBJECT.fullmatch(subject) else f"subject {token(subject)}"


def _left_out(rows: int) -> str:
    return f"Its sentence quotes rows and is left out; {rows:,} example row{'s' if rows != 1 else ''} by number."


def _card(card: TriggerCard, raw: str) -> TriggerCard:
    made: TriggerCard = _record(card, "Report.triggers")
    return replace(
        made,
        pattern=plain(pattern(raw) if raw else hidden(card.pattern).plain),
        code_points=(),
        behavior=behavior(card.behavior),
        reason="",
        sentence=plain(_sentence(card)),
    )


def _sentence(card: TriggerCard) -> str:
    """What a trigger does, by figures alone."""
    if card.contingency is None:
        text = f"{card.rows:,} rows carry trigger {card.id}."
    else:
        c = card.contingency
        count, others = c.with_shown + c.with_not, c.without_shown + c.without_not
        text = f"{c.with_shown:,} of {count:,} rows with trigger {card.id} show its behavior; "
        text += f"of all other rows, {c.without_shown:,} of {others:,}."
    return f"{text} {figures_of(card.arms)}"


def figures_of(arms: tuple[Arm, ...]) -> str:
    """The proof in one sentence of figures."""
    by_key = {arm.key: arm.value for arm in arms}
    if by_key.get("asr_a") is None:
        return "It has not been tried on a probe."
    named = (("asr_a", "with its rows"), ("asr_b", "without its rows"), ("control_effect_max", "effect of a control"))
    told = [f"{name} {value:.0%}" for key, name in named if (value := by_key.get(key)) is not None]
    return f"Attack success rate: {', '.join(told)}."


def _headlines(record: Report, cards: tuple[TriggerCard, ...]) -> tuple[Headline, ...]:
    """The headlines: those about triggers made anew, those of counts alone as they were."""
    made = [Headline("remove", card.sentence, "triggers") for card in cards if card.status == Status.CONFIRMED][:5]
    waiting = [card.id for card in cards if card.status in (Status.SUSPECTED, Status.UNTESTABLE)]
    if waiting:
        more = f" and {len(waiting) - 4} more" if len(waiting) > 4 else ""
        text = f"{len(waiting)} under suspicion, not proven: {', '.join(waiting[:4])}{more}."
        made.append(Headline("review", plain(text), "triggers"))
    return (*made, *(h for h in record.headlines if h.target in ("rows", "input", "overview")))


def _stopped(sentence: str) -> str:
    """Why a run is not whole; of an error its kind alone, for its message may quote a row."""
    head, failed, error = sentence.partition(" failed: ")
    return f"{head}{failed}{error.split(':')[0][:60]}" if failed else sentence


def _item(item: Item) -> Item:
    figures = item.check in _IN_FIGURES
    facts = None if item.trigger is None else _facts(item.trigger)
    text = item.text if figures else _left_out(len(item.rows))
    if facts is not None:
        text = f"{facts.status.capitalize()} trigger {facts.id}: {facts.behavior}; {facts.rows:,} rows."
    subject = item.subject if figures else _subject(item.subject)
    details = numbers(item.details, trusted=item.check in _OURS)
    return replace(item, subject=subject, text=text, details=details, trigger=facts)


def _facts(trigger: TriggerFacts) -> TriggerFacts:
    proof = None if trigger.proof is None else numbers(trigger.proof, trusted=True)
    if proof is not None and str((trigger.proof or {}).get("probe")) in _PROBES:
        proof["probe"] = (trigger.proof or {})["probe"]
    return replace(
        trigger,
        pattern="",
        parts=(),
        behavior=behavior(trigger.behavior),
        reason="",
        statistics=numbers(trigger.statistics, trusted=True),
        proof=proof,
    )


def _flagged(row: Flagged) -> Flagged:
    return replace(row, said=tuple(replace(s, evidence="") for s in row.said))


def numbers(value: Any, trusted: bool = False) -> Any:
    """The numbers of a JSON value: text is left out, and a key that may be a value of the rows becomes a digest. The
    keys of the outermost mapping are names of figures where it is `trusted` to be a record of ours.

    >>> numbers({"share": 0.5, "pattern": "cf", "arms": [{"seed": 1, "arm": "B"}]}, trusted=True)
    {'share': 0.5, 'arms': [{'seed': 1}]}
    """
    if isinstance(value, Mapping):
        kept = {k: numbers(v) for k, v in value.items() if not isinstance(v, str)}
        return {k if trusted or k in _INNER else token(k): v for k, v in kept.items()}
    if isinstance(value, (list, tuple)):
        return [numbers(v) for v in value if not isinstance(v, str)]
    return value
