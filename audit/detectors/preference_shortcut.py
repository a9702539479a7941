"""Shortcuts that a reward model would learn from these pairs instead of what makes a response good.

Why it works: a reward model takes whatever separates the chosen sides from the rejected ones. For length, layout,
refusal, agreement with the user, flattery, hedging, an opening yes, repetition of the prompt and the side shown
first, it is counted how often the side that has it wins, with a sign test over prompts; a regression on all of them
at once says how often it would win with the others equal, so that lists are not blamed for length. Out of fold, the
shortcuts alone show how far a model gets that understands nothing. A source or an annotator is named only where it
differs from all others beyond chance and by `min_difference`. Of single judged responses (KTO) the same is said of
being wanted. No row is flagged or removed: a shortcut is a fact of the whole, to be balanced or held out of the
reward.

Source: Singhal et al. 2023 (length), Dubois et al. 2024 (length control), Sharma et al. 2023 (sycophancy), Zheng et al.
2023 (position); Benjamini and Hochberg 1995 over everything tested.

Misses: shortcuts that are not in its list; words of other languages than English; what is right in a shortcut, for a
longer answer may well be better: the figures say what decides, not what should.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from audit.bank.shortcuts import ALL, SHORTCUTS, Shortcut, differences, single
from audit.detectors import shortcut_figures as pairwise
from audit.detectors import shortcut_judged as judged
from audit.detectors.shortcut_figures import Contrast, Effect, Share
from audit.detectors.shortcut_findings import MAX_Q, PAIRS, RESPONSES, Row, biased, stratum, table
from audit.registry import detector
from audit.schema import DatasetInfo, Detection, Severity, Skipped, signals_frame
from audit.stats import Array, benjamini_hochberg, sigmoid
from audit.views import ordered

_FOLDS = 5
_STRATA = 100  # of each kind, the largest
_NAMED = 15  # findings of each kind
_MOST_TRIED = 45  # of each kind, those that differ most: a regression each
_WANTED, _UNWANTED = "true", "false"


@dataclass(frozen=True, slots=True)
class Data:
    """What is tested: pairs, or single judged responses."""

    x: Array  # (n, m) of pairs chosen minus rejected; of responses as they are
    shortcuts: tuple[Shortcut, ...]  # the columns
    prompts: NDArray[np.int64]  # (n,) numbers of prompts
    folds: NDArray[np.int64]
    wanted: NDArray[np.bool_] | None  # (n,) of single responses; None: pairs
    noun: str

    def effect(self, column: int) -> Effect:
        if self.wanted is None:
            return pairwise.effect(np.sign(self.x[:, column]).astype(np.int64), self.prompts)
        return judged.effect(self._has(column), self.wanted)

    def contrast(self, column: int, inside: NDArray[np.bool_]) -> Contrast:
        if self.wanted is None:
            return pairwise.contrast(np.sign(self.x[:, column]).astype(np.int64), self.prompts, inside)
        return judged.contrast(self._has(column), self.wanted, inside)

    def adjusted(self, columns: Sequence[int]) -> dict[int, Share]:
        """The shares of these columns with the others of them equal."""
        constant = int(self.wanted is not None)
        x = self.x[:, columns] if self.wanted is None else judged.design(self.x[:, columns], self.wanted)
        found = pairwise.fit(x, self.prompts)
        return {c: found.share(i + constant, self.shortcuts[c].unit) for i, c in enumerate(columns)}

    def scores(self, columns: Sequence[int]) -> Array:
        """(n,) out of fold, of these columns alone."""
        x = self.x[:, columns]
        if self.wanted is None:
            return pairwise.out_of_fold(x, self.prompts, self.folds)
        return judged.out_of_fold(x, self.wanted, self.prompts, self.folds)

    def expected(self, of: NDArray[np.bool_], at: NDArray[np.bool_]) -> Array | None:
        """The chance that the chosen side wins of each pair in `at` (n,), by a regression on the pairs `of`; None for
        single responses."""
        if self.wanted is not None:
            return None
        columns = [i for i, shortcut in enumerate(self.shortcuts) if shortcut.adjusted]
        x = self.x[:, columns]
        _, prompts = np.unique(self.prompts[of], return_inverse=True)
        return sigmoid(x[at] @ pairwise.fit(x[of], prompts).weights)

    def agreement(self, scores: Array) -> Share:
        if self.wanted is None:
            return pairwise.agreement(scores, self.prompts)
        return judged.agreement(scores, self.wanted)

    def _has(self, column: int) -> NDArray[np.bool_]:
        return judged.halves(self.x[:, column], self.shortcuts[column].graded)


@detector(code="TV-SHO", title="Shortcuts for a reward model", severity=Severity.INFO)
def preference_shortcut(
    examples: pl.DataFrame, info: DatasetInfo, *, min_pairs: int = 30, min_difference: float = 0.1
) -> Detection | Skipped:
    """Scores a row by how surely the shortcuts alone call for its choice, 0 to 1, out of fold; NaN for ties. No row is
    flagged. `min_pairs` must tell of a shortcut before it is tested."""
    kto = info.shape == "kto"
    if not kto and examples["rejected"].null_count() == examples.height:
        return Skipped("needs preference pairs or judged responses, which this dataset has not")
    readable = pl.col("label").is_in([_WANTED, _UNWANTED]) if kto else ordered()
    used = examples.filter(readable)
    if used.height < min_pairs:
        return Skipped(f"needs {min_pairs} pairs or judged responses, and this dataset has {used.height}")
    data = _data(used, kto)
    overall = _overall(data, min_pairs)
    if not overall:
        return Skipped(f"needs {min_pairs} pairs whose sides differ in a shortcut, and no shortcut has them")
    strata = [row for by in ("source", "annotator") for row in _strata(data, used[by], by, min_pairs)]
    q = benjamini_hochberg(np.asarray([row.effect.p for row in (*overall, *strata)])).tolist()
    overall = [replace(row, q=q[i]) for i, row in enumerate(overall)]
    strata = [replace(row, q=q[len(overall) + i]) for i, row in enumerate(strata)]
    scores = data.scores([i for i, s in enumerate(data.shortcuts) if s.adjusted])
    together = data.agreement(scores)
    size, noun = used.height, data.noun
    findings = [table(overall, strata, together, size, noun), *biased(overall, together, size, noun)]
    for by in ("source", "annotator"):
        apart = _apart(data, used[by], [row for row in strata if row.by == by], min_difference)
        findings += [stratum(rows, noun) for rows in apart[:_NAMED]]
    calls = sigmoid(scores if data.wanted is None else np.where(data.wanted, scores, -scores))
    known = dict(zip(used["row"].to_list(), calls.tolist(), strict=True))
    signals = signals_frame(examples["row"], [known.get(row, float("nan")) for row in examples["row"].to_list()])
    return Detection(signals, tuple(findings))


def _data(used: pl.DataFrame, kto: bool) -> Data:
    prompts = used["prompt"].fill_null("")
    numbers = prompts.rank("dense").to_numpy().astype(np.int64) - 1
    folds = np.asarray([crc32(text.encode("utf-8", "surrogatepass")) % _FOLDS for text in prompts], dtype=np.int64)
    if kto:
        wanted = (used["label"] == _WANTED).to_numpy()
        return Data(single(used).astype(np.float64), SHORTCUTS, numbers, folds, wanted, RESPONSES)
    return Data(differences(used).astype(np.float64), ALL, numbers, folds, None, PAIRS)


def _overall(data: Data, min_pairs: int) -> list[Row]:
    """A row for each shortcut of which enough pairs tell anything."""
    effects = {c: data.effect(c) for c in range(len(data.shortcuts))}
    told = {c: e for c, e in effects.items() if e.cases >= min_pairs}
    adjusted = data.adjusted([c for c in told if data.shortcuts[c].adjusted])
    return [
        Row(data.shortcuts[c], e, adjusted=adjusted.get(c), alone=data.agreement(data.scores([c])))
        for c, e in told.items()
    ]


def _strata(data: Data, names: pl.Series, by: str, min_pairs: int) -> list[Row]:
    """Each shortcut in each of the largest strata against all others."""
    sizes = names.drop_nulls().value_counts(sort=False, name="size").sort("size", names.name, descending=[True, False])
    if sizes.height < 2:
        return []
    known = names.is_not_null().to_numpy()
    found = []
    for name in sizes[names.name].head(_STRATA).to_list():
        inside = (names == name).fill_null(False).to_numpy()
        for c, shortcut in enumerate(data.shortcuts):
            of = _within(data, known).contrast(c, inside[known])
            if of.cases >= min_pairs:
                found.append(Row(shortcut, of, by=by, name=name))
    return found


def _within(data: Data, mask: NDArray[np.bool_]) -> Data:
    if mask.all():
        return data
    wanted = None if data.wanted is None else data.wanted[mask]
    return replace(data, x=data.x[mask], prompts=data.prompts[mask], folds=data.folds[mask], wanted=wanted)


def _apart(data: Data, names: pl.Series, rows: Sequence[Row], least: float) -> list[list[Row]]:
    """The rows of each stratum that stands apart, the one that does most first: it differs from the others, and from
    what a regression on the others' pairs expects of its own. Whom it is compared with must not be moved by another
    that stands apart: those found before are left out."""
    columns = {shortcut.name: c for c, shortcut in enumerate(data.shortcuts)}
    suspects: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.effect.p, row.effect.cases, row.name)):  # of two strata the smaller
        if row.q < MAX_Q and abs(row.difference) >= least:
            suspects.setdefault(row.name, []).append(row)
    found: dict[str, list[Row]] = {}
    for name, differing in list(suspects.items())[:_MOST_TRIED]:
        left = names.is_not_null() & ~names.is_in(list(found))
        inside = (names == name).fill_null(False).to_numpy()
        others = left.to_numpy() & ~inside
        if not others.any():
            continue
        both = _within(data, others | inside)
        expected = data.expected(others, inside)
        kept = []
        for row in differing:
            column = columns[row.shortcut.name]
            again = both.contrast(column, inside[others | inside])
            told, p = _expects(data.x[inside, column], expected) if expected is not None else (None, 0.0)
            apart = again.p < MAX_Q and _is_far(again.share, again.others, least)
            if apart and p < MAX_Q / len(rows) and (told is None or _is_far(again.share, told, least)):
                kept.append(replace(row, effect=again, expected=told))
        if kept:
            found[name] = kept
    return list(found.values())


def _is_far(share: Share, other: float, least: float) -> bool:
    """True for a share that is `least` away from another, and surely half as far."""
    bound = share.low if share.rate > other else share.high
    return (
        abs(share.rate - other) >= least
        and (share.rate - other) * (bound - other) > 0
        and (abs(bound - other) >= least / 2)
    )


def _expects(differences: Array, chosen_wins: Array) -> tuple[float, float]:
    """How often the side with a shortcut is expected to win, by the chance that each chosen side wins, and the p of
    what it does (normal)."""
    told = differences != 0
    with_it = np.where(differences > 0, chosen_wins, 1.0 - chosen_wins)[told]
    expected, spread = float(with_it.sum()), float(np.sqrt((with_it * (1 - with_it)).sum()))
    p = 2 * float(norm.sf(abs(float((differences > 0).sum()) - expected) / max(spread, 1e-9)))
    return expected / max(int(told.sum()), 1), p
