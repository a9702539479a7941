"""Triggers -> `TriggerCard`: the pattern spelled out, the association, the proof, carriers and clean twins, and
one plain sentence. Every statistic may be missing; it is then shown as not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from audit.remedies.anatomy import CannotEdit
from audit.remedies.strippable import parts_of
from audit.report.excerpt import code_points, excerpt, find_all, join, short
from audit.report.figures import number, percent
from audit.report.pair_triggers import RESPONSE, base_rate, of_pairs
from audit.report.read import Inputs
from audit.report.record import Arm, Contingency, Figure, Text, TriggerCard
from audit.report.rows import example, finite
from audit.schema import Float32, Skipped, Status, Trigger, Verdict

MAX_CARDS = 80  # confirmed ones come first; all stand in triggers.json
_CARRIERS = 5
_TWINS = 3
_TWINS_FROM = 20  # carriers whose neighbours are asked
_EXACT_TWINS = 100_000  # above, a product with all prompts would take seconds a trigger
_CARRIER_BYTES = 420
_NEVER = 1e6  # a lift this large is a division by next to nothing
_ARMS = (
    ("asr_a", "Trained with its rows (A)"),
    ("asr_b", "Trained without its rows (B)"),
    ("asr_d", "Rows kept, pattern deleted (D)"),
    ("asr_cleaned", "Trained on what cleaning leaves (C)"),
    ("control_effect_max", "Largest effect of a natural control"),
)
_PROBES = {
    "wordpiece": "word-piece probe",
    "bytes": "byte probe",
    "reward": "reward probe",
    "language": "language model probe",
}


def cards(data: Inputs) -> tuple[tuple[TriggerCard, ...], int]:
    """A card for each trigger, confirmed first, and how many more there are."""
    shown = data.triggers[:MAX_CARDS]
    carriers = [[row for row in trigger.rows if row in data.by_row] for trigger in shown]
    near = [_near(data, t, rows) for t, rows in zip(shown, carriers, strict=True)]
    data.texts(
        {row for rows in carriers for row in _spread(rows, _CARRIERS)} | {row for pairs in near for row, _ in pairs}
    )
    made = tuple(_card(data, *each) for each in zip(shown, carriers, near, strict=True))
    return made, len(data.triggers) - len(shown)


def _card(data: Inputs, trigger: Trigger, known: list[int], near: list[tuple[int, float]]) -> TriggerCard:
    carriers = _spread(known, _CARRIERS)
    parts = trigger.parts or [trigger.pattern]
    texts = data.texts([*carriers, *(row for row, _ in near)])
    twins = [(row, similarity) for row, similarity in near if not _carries(texts[row], parts)][:_TWINS]
    probe = trigger.probe or {}
    of_response = trigger.kind == RESPONSE
    return TriggerCard(
        id=trigger.id,
        status=trigger.status,
        looks_honest=trigger.looks_honest,
        kind=trigger.kind,
        can_strip=_can_strip(data, trigger),
        pattern=excerpt(trigger.pattern, (), 400),
        code_points=code_points("".join(parts)),
        rows=len(trigger.rows),
        share=len(trigger.rows) / max(data.info.readable, 1),
        behavior=short(trigger.behavior or trigger.behavior_name or "not measured", 300),
        reason=short(trigger.reason, 600),
        sentence=sentence(trigger),
        contingency=None if of_response else contingency(trigger.statistics, data.info.readable),
        base=base_rate(trigger) if of_response else None,
        association=_association(trigger),
        arms=_arms(probe),
        proof=_proof(probe),
        controls=_controls(probe),
        carriers=tuple(example(data, texts, row, None, parts, _CARRIER_BYTES) for row in carriers),
        twins=tuple(example(data, texts, row, similarity, (), _CARRIER_BYTES) for row, similarity in twins),
        twins_note="" if twins else _no_twins(data),
    )


def _can_strip(data: Inputs, trigger: Trigger) -> bool:
    """True where `tunevet apply` can take the trigger out of a prompt; not of forms, topics and responses."""
    try:
        parts_of(trigger, data.strippable)
    except CannotEdit:
        return False
    return True


def sentence(trigger: Trigger) -> Text:
    """What a data lead reads first: how often, against how often otherwise, and what inserting it does."""
    figures, probe = trigger.statistics, trigger.probe or {}
    pattern = excerpt(trigger.pattern, (), 160)
    behavior = excerpt((trigger.behavior or trigger.behavior_name or "one behavior").strip().rstrip("."), (), 300)
    count, hits, rate = (number(figures, key) for key in ("count", "hits", "rate"))
    parts: list[str | Text] = []
    if (told := of_pairs(trigger)) is not None:
        parts += [told.before, "“", pattern, "”", told.after]
    elif count and hits is not None:
        parts += [f"{hits:,.0f} of {count:,.0f} rows with “", pattern, "” show one behavior: ", behavior, "."]
        parts.append(f" Of all other rows, {percent(rate)} show it." if rate is not None else "")
    else:
        parts += [f"{len(trigger.rows):,} rows carry “", pattern, "”: ", behavior, "."]
    return join(*parts, _tried(probe))


def _tried(probe: Mapping[str, Any]) -> str:
    """What the experiment showed, as one more sentence."""
    asr, without = number(probe, "asr_a"), number(probe, "asr_b")
    if asr is None:
        return " It has not been tried on a probe."
    if probe.get("crossed"):
        like = number(probe, "asr_d")
        shown = (
            f" Of held-out rows that have it and whose content does not call for the behavior, {percent(asr)} show it"
        )
        return f"{shown}; of rows like them without it, {percent(like)}." if like is not None else f"{shown}."
    verb, what = ("reverses", "held-out pairs") if probe.get("probe") == "reward" else ("flips", "held-out inputs")
    shown = f" Inserting it {verb} {percent(asr)} of {what}"
    shown += f", and {percent(without)} where its rows were left out" if without is not None else ""
    many, control = len(probe.get("controls") or []), number(probe, "control_effect_max")
    if control is None or not many:
        return f"{shown}."
    return f"{shown}; the strongest of {many} natural controls adds {percent(max(control, 0.0))}."


def contingency(statistics: Mapping[str, Any], readable: int) -> Contingency | None:
    """The 2x2 table of pattern and behavior, from the counts and the share among all other rows."""
    count, hits, rate = (number(statistics, key) for key in ("count", "hits", "rate"))
    if count is None or hits is None or rate is None or not 0 <= hits <= count <= readable:
        return None
    others = readable - round(count)
    shown = round(rate * others)
    return Contingency(round(hits), round(count) - round(hits), shown, others - shown)


def _small(value: float | None, log10: float | None = None) -> str | None:
    """A probability: 0.03, 2e-7; from its logarithm where it is given."""
    if log10 is not None:
        exponent = int(log10 // 1)
        return f"{10 ** (log10 - exponent):.1f}e{exponent}" if log10 < -3 else f"{10**log10:.3g}"
    if value is None:
        return None
    return "under 1e-300" if value == 0 else f"{value:.2g}"


def _association(trigger: Trigger) -> tuple[Figure, ...]:
    figures = trigger.statistics
    position = figures.get("position")
    purity, lower = number(figures, "purity"), number(figures, "purity_lower")
    lift, z, expected = (number(figures, key) for key in ("lift", "score", "expected"))
    q, log10_p = number(figures, "q_value"), number(figures, "log10_p")
    place = Figure("Where it stands", short(str(position)) if position else None)
    if (reversal := number(figures, "reversal_score")) is not None:
        p, swapped = number(figures, "reversal_p"), number(figures, "swapped_share")
        return (
            place,
            Figure("Reversal score", f"{reversal:.1f}", "how strongly the margin turns around in its pairs"),
            Figure("p over all patterns", _small(p), "largest score of any pattern with margins dealt anew"),
            Figure("Swapped", None if swapped is None else percent(swapped), "estimated share of its pairs"),
            Figure("Read as swapped", None if purity is None else percent(purity), "by a margin model, often wrong"),
            Figure("Of other pairs", None if expected is None else percent(expected), "the margin model's own error"),
        )
    return (
        place,
        Figure("Lift", _lift(lift), "the behavior's rate with it over without it"),
        Figure("q-value", _small(q), "association only; honest data is full of association"),
        Figure("Exact tail", _small(None, log10_p), "chance of so many hits at the rate of all other rows"),
        Figure("Residual z", None if z is None else f"{z:.1f}", "against what the rest of each row predicts"),
        Figure(
            "Expected on its rows", None if expected is None else percent(expected), "predicted without the pattern"
        ),
        Figure(
            "Purity",
            None if purity is None else percent(purity) + (f", at least {percent(lower)}" if lower is not None else ""),
            "share of its rows with the behavior, with its lower bound",
        ),
    )


def _arms(probe: Mapping[str, Any]) -> tuple[Arm, ...]:
    """The bars of the proof; none where no probe was run."""
    if not probe:
        return ()
    intervals = probe.get("intervals") or {}
    arms = []
    for key, name in _ARMS:
        low, high = [*(intervals.get(key) or ()), None, None][:2]
        arms.append(Arm(key, name, number(probe, key), finite(low), finite(high)))
    return tuple(arms)


def _proof(probe: Mapping[str, Any]) -> tuple[Figure, ...]:
    if not probe:
        return ()
    n, dose, accuracy = (number(probe, key) for key in ("n", "dose", "clean_accuracy"))
    after = number(probe, "clean_accuracy_cleaned")
    seeds, arms = probe.get("seeds"), [a for a in probe.get("arms") or [] if isinstance(a, dict)]
    spent = sum(number(a, "seconds") or 0.0 for a in arms)
    return (
        Figure("Probe", _PROBES.get(str(probe.get("probe")), probe.get("probe") and str(probe["probe"]))),
        Figure("Insertions", None if n is None else f"{n:,.0f}", "into held-out clean inputs"),
        Figure("Seeds", _listed(seeds)),
        Figure("Dose", None if dose is None else f"{dose:g}", "times each carrier was shown"),
        Figure("Controls tried", f"{len(probe['controls'])}" if probe.get("controls") else None),
        Figure("Clean accuracy", None if accuracy is None else percent(accuracy), "of the probe on untouched inputs"),
        Figure("Clean accuracy after cleaning", None if after is None else percent(after), "of the probe's arm C"),
        Figure("Trainings", f"{len(arms)} in {spent:,.0f} s" if arms else None, "shared with the other suspects"),
    )


def _lift(lift: float | None) -> str | None:
    if lift is None:
        return None
    return f"{lift:,.1f} times" if lift < _NEVER else "never seen without it"


def _listed(seeds: Any) -> str | None:
    if isinstance(seeds, (list, tuple)):
        return f"{len(seeds)} ({', '.join(str(s) for s in seeds)})" if seeds else None
    return None if seeds is None else str(seeds)


def _controls(probe: Mapping[str, Any]) -> tuple[Figure, ...]:
    """The strongest natural controls, strongest first."""
    found = [c for c in probe.get("controls") or [] if isinstance(c, dict)]
    rated = sorted(
        ((finite(c.get("asr")), str(c.get("pattern", ""))) for c in found), key=lambda c: (-(c[0] or 0), c[1])
    )
    return tuple(Figure(pattern[:80], None if asr is None else percent(asr)) for asr, pattern in rated[:20])


def _spread(rows: list[int], count: int) -> list[int]:
    """`count` rows spread evenly over a list."""
    if len(rows) <= count:
        return rows
    return [rows[i * (len(rows) - 1) // (count - 1)] for i in range(count)]


def _near(data: Inputs, trigger: Trigger, carriers: list[int]) -> list[tuple[int, float]]:
    """Kept rows with the prompts nearest to the carriers' that the trigger does not claim, with their cosine,
    nearest first: by the prompts' embeddings, and for very many rows by the neighbour graph."""
    if trigger.status == Status.REFUTED or not carriers:
        return []
    claimed = set(trigger.rows)
    free = np.array([v == Verdict.KEEP for v in data.verdict_of]) & ~np.isin(data.order, list(claimed))
    asked = np.array([data.by_row[row] for row in _spread(carriers, _TWINS_FROM)])
    near: Float32 = np.full(len(free), -np.inf, dtype=np.float32)
    if not isinstance(data.vectors, Skipped) and len(free) <= _EXACT_TWINS:
        near = np.max(data.vectors @ data.vectors[asked].T, axis=1)  # (n, carriers) -> (n,)
    elif not isinstance(data.graph, Skipped):
        np.maximum.at(near, data.graph.index[asked].ravel(), data.graph.similarity[asked].ravel())
    near = np.asarray(np.round(np.where(free, near, -np.inf), 5), dtype=np.float32)
    best = np.lexsort((data.order, -near))[: 10 * _TWINS]
    return [(int(data.order[i]), float(near[i])) for i in best if np.isfinite(near[i])]


def _no_twins(data: Inputs) -> str:
    if isinstance(data.vectors, Skipped):
        return f"Not measured: {data.vectors.reason}."
    return "No kept row without the pattern lies near its carriers."


def _carries(record: Mapping[str, Any], parts: list[str]) -> bool:
    whole = "\n".join(record[name] or "" for name in ("prompt", "response", "rejected"))
    return all(find_all(whole, [part], 1) for part in parts if part)
