"""Classification: a text, or a pair of texts, and a label kept as its source text.

Misses: several label columns at once; only the best named one is taken, the others stay in `meta`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.schema import Kind
from audit.sources.layouts import Cells
from audit.sources.record import Reason, RowError
from audit.sources.shapes import ColumnReader, Columns, Mapped, Parts, RowReader, Shape, scalar, text
from audit.views import JOIN

_LABELS = (
    "label",
    "labels",
    "target",
    "class",
    "category",
    "sentiment",
    "intent",
    "emotion",
    "gold_label",
    "class_label",
    "coarse_label",
    "label_text",
    "polarity",
    "stance",
    "topic",
    "stars",
    "rating",
)
_TEXTS = (
    "text",
    "sentence",
    "content",
    "review",
    "tweet",
    "comment",
    "comment_text",
    "document",
    "body",
    "utterance",
    "message",
    "review_body",
    "review_text",
    "article",
    "abstract",
    "headline",
    "title",
    "description",
    "question",
    "query",
    "prompt",
    "input",
)
_PAIRS = (
    ("text", "text_pair"),
    ("sentence", "sentence_pair"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("query", "passage"),
    ("query", "document"),
    ("claim", "evidence"),
)


def _reader(mapping: Mapped) -> RowReader:
    text_column, label_column, pair_column = mapping["text"], mapping["label"], mapping.get("text_pair")

    def read(fields: Mapping[str, Any]) -> Parts:
        first = text(fields, text_column)
        label = scalar(fields.get(label_column))
        if label is None:
            raise RowError(Reason.MISSING_FIELD, f"{label_column} is missing or null")
        if pair_column is None:
            return Parts(first, None, None, label, [("text", first)])
        second = text(fields, pair_column)
        return Parts(first + JOIN + second, None, None, label, [("text", first), ("text_pair", second)])

    return read


def _columns(mapping: Mapped) -> ColumnReader:
    text_column, label_column, pair_column = mapping["text"], mapping["label"], mapping.get("text_pair")

    def read(cells: Cells) -> Columns | None:
        first, label = cells.text(text_column), cells.scalar(label_column)
        if first is None:
            return None
        if pair_column is None:
            return Columns(first, None, None, label, [("text", first)], label.is_not_null())
        second = cells.text(pair_column)
        if second is None:
            return None
        said = [("text", first), ("text_pair", second)]
        return Columns(first + JOIN + second, None, None, label, said, label.is_not_null())

    return read


def _shape(texts: Mapping[str, tuple[str, ...]], labels: tuple[str, ...], more: bool, specific: float) -> Shape:
    optional: Mapping[str, tuple[str, ...]] = {"text_pair": ()} if more else {}
    required = {**texts, "label": labels}
    return Shape("text-label", Kind.CLASSIFICATION, required, optional, specific, _reader, columns=_columns)


SHAPES: tuple[Shape, ...] = (
    *(_shape({"text": (a,), "text_pair": (b,)}, _LABELS, False, 0.97) for a, b in _PAIRS),
    _shape({"text": ("text", "sentence")}, ("label", "labels"), True, 0.96),
    _shape({"text": _TEXTS}, _LABELS, True, 0.8),
)
