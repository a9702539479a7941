"""What leaving an annotator's rows out does to everybody else's: the model of the margins or of the labels is fitted
again, out of fold, without them, and the others' decisions are held against it as before.

If agreement rises, these rows taught the model what the others' rows contradict. If it does not, they are at odds with
the rest and harm no model of this kind. The comparison is of one model family on frozen embeddings; it says nothing of
a language model tuned on the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from audit.artifacts.behaviors import requests_of
from audit.artifacts.expected import Predictors, Vectors
from audit.artifacts.margins import Pairs, margins
from audit.artifacts.support import label_codes, label_probabilities
from audit.bank.refusal import harmful_requests
from audit.schema import DatasetInfo, Float32, Int64, Kind, Support
from audit.stats import spread
from audit.views import ordered

MOST_ROWS = 5_000  # that a model is fitted to: with more rows, evenly spread ones stand for all
MOST_ANNOTATORS = 5  # that a scan fits models without


@dataclass(frozen=True, slots=True)
class Refit:
    """What a model of the decisions is fitted to. The embeddings are aligned with the examples; those that the kind of
    dataset has no use for may be None."""

    examples: pl.DataFrame
    info: DatasetInfo
    support: Support
    prompts: Float32 | None
    responses: Float32 | None
    rejected: Float32 | None

    def agreement(self, annotators: list[str]) -> dict[str, dict[str, float]]:
        """`with` and `without`, the agreement of all other rows, for each of these annotators; none where an embedding
        is missing. Rows are taken in the order of `row`, so that the order of the examples does not matter."""
        if not self._can():
            return {}
        order = np.argsort(self.examples["row"].to_numpy(), kind="stable")
        sample = order[spread(len(order), MOST_ROWS)]
        owner = self.examples["annotator"]
        before = self._agrees(sample, refit=len(sample) < len(order))
        found = {}
        for name in annotators:
            kept = owner.gather(sample).ne_missing(pl.Series([name])).to_numpy()
            after = self._agrees(sample[kept], refit=True)
            if np.isfinite(after).any():
                found[name] = {"with": float(np.nanmean(before[kept])), "without": float(np.nanmean(after))}
        return found

    def _can(self) -> bool:
        if self.support.margin is not None:
            return self.responses is not None and self.rejected is not None
        if self.support.label_probability is None:
            return False
        return (self.prompts if self.info.kind == Kind.CLASSIFICATION else self.responses) is not None

    def _agrees(self, rows: Int64, refit: bool) -> np.ndarray:
        """(len(rows),) 1 where the out-of-fold prediction agrees with the row, 0 where not, NaN where it says nothing;
        by a model of these rows alone where `refit`, else by the support."""
        if self.support.margin is not None:
            margin = self._margins(rows) if refit else self.support.margin[rows]
            return np.where(margin == 0, np.nan, margin > 0)
        assert self.support.label_probability is not None
        codes = label_codes(self.examples[rows], self.info.labels)
        known = codes >= 0
        found = self.support.label_probability[rows]
        if refit:
            found = np.full_like(found, np.nan)
            found[known] = self._labels(rows[known], codes[known])
        agrees = found.argmax(axis=1) == codes
        return np.where(known & np.isfinite(found).all(axis=1), agrees, np.nan)

    def _margins(self, rows: Int64) -> Float32:
        assert self.responses is not None and self.rejected is not None
        part = self.examples[rows]
        pairs = Pairs(
            part["response"].fill_null("").to_list(),
            part["rejected"].fill_null("").to_list(),
            (Vectors([self.responses[rows]]), Vectors([self.rejected[rows]])),
            harmful_requests(requests_of(part)),
            part.select(ordered()).to_series().to_numpy(),
        )
        return margins(pairs, self.support.folds[rows])

    def _labels(self, rows: Int64, codes: np.ndarray) -> Float32:
        labelled = self.info.kind == Kind.CLASSIFICATION
        vectors, field = (self.prompts, "prompt") if labelled else (self.responses, "response")
        assert vectors is not None
        lengths = self.examples[rows][field].str.len_chars().fill_null(0).to_numpy()
        x = Predictors.of(Vectors([vectors[rows]]), lengths)
        return label_probabilities(x, codes, self.support.folds[rows], len(self.info.labels), 0)
