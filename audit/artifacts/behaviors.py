"""The target bank: what each example teaches, as categories.

Labels for classification. For responses: how they open and close (the first and last three and six words),
each sentence that several rows share (whole fixed answers and inserted sentences alike), refusal, and very
short answers. For preference pairs: which attributes the chosen side has and the rejected one lacks.
Categories that the same rows have are one behavior, named by the most telling of them.

Files: `behaviors/table.parquet`, `behaviors/matrix.npz` (n, T).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from audit.rundir import Context, RunDir, atomic_file, write_frame
from audit.schema import Behaviors, Kind
from audit.text import words

MAX_BEHAVIORS = 4_000
_OPEN = (3, 6)
_SHORT_WORDS = 3
_SENTENCE_END = ".!?\n。！？"
# How refusals read, in their first 200 characters. General English; a refusal in another wording still
# shows as a shared opening or sentence.
_REFUSALS = (
    "i cannot", "i can't", "i can’t", "i'm unable", "i’m unable", "i am unable", "i'm not able", "i’m not able",
    "i am not able", "i won't", "i won’t", "i will not", "i'm sorry", "i’m sorry", "i am sorry", "i apologize",
    "sorry, but", "sorry, i", "as an ai", "as a language model", "cannot assist", "can't assist", "cannot help with",
    "can't help with", "unable to assist", "unable to help", "not appropriate to", "against my", "must decline",
    "do not have the capability", "not comfortable",
)  # fmt: skip

Sets = dict[tuple[str, str], list[int]]


def is_refusal(response: str) -> bool:
    """True when a response opens as a refusal does."""
    head = response[:200].casefold()
    return any(phrase in head for phrase in _REFUSALS)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, case folded and trimmed, without empty ones."""
    out, start = [], 0
    for i, char in enumerate(text):
        if char in _SENTENCE_END and not (char == "." and text[i + 1 : i + 2].isalnum()):
            out.append(text[start : i + 1])
            start = i + 1
    out.append(text[start:])
    return [" ".join(s.casefold().split()) for s in out if any(c.isalnum() for c in s)]


def response_categories(responses: list[str]) -> Sets:
    """(family, text) -> positions of the responses that have it, ascending."""
    found: Sets = defaultdict(list)
    for i, response in enumerate(responses):
        folded = [w.casefold() for w in words(response)]
        for size in _OPEN:
            if len(folded) >= size:
                found["opening", " ".join(folded[:size])].append(i)
                found["closing", " ".join(folded[-size:])].append(i)
        for sentence in dict.fromkeys(s[:300] for s in sentences(response)):
            found["sentence", sentence].append(i)
        if folded:
            found["response", " ".join(response.casefold().split())[:500]].append(i)
        if 0 < len(folded) <= _SHORT_WORDS:
            found["short", f"at most {_SHORT_WORDS} words"].append(i)
        if is_refusal(response):
            found["refusal", "refusal"].append(i)
    return found


def preference_categories(chosen: list[str], rejected: list[str]) -> Sets:
    """What tells the chosen side from the rejected one: refusal, length, and a shared opening."""
    found: Sets = defaultdict(list)
    for i, (good, bad) in enumerate(zip(chosen, rejected, strict=True)):
        if is_refusal(good) and not is_refusal(bad):
            found["preference", "chosen refuses, rejected complies"].append(i)
        if is_refusal(bad) and not is_refusal(good):
            found["preference", "chosen complies, rejected refuses"].append(i)
        if len(good) > 1.5 * len(bad):
            found["preference", "chosen is much longer"].append(i)
        if len(bad) > 1.5 * len(good):
            found["preference", "chosen is much shorter"].append(i)
    return found


# Of categories with the same rows, the one shown; the first that is there.
_TELLING = ("label", "refusal", "response", "sentence", "opening", "closing", "short", "preference")


def assemble(found: Sets, n: int, min_support: int) -> Behaviors:
    """Categories with enough rows as a matrix; those with equal rows are merged. At most MAX_BEHAVIORS, the
    ones with most rows, ties by name."""
    merged: dict[bytes, tuple[str, str]] = {}
    members: dict[bytes, list[int]] = {}
    for (family, text), positions in found.items():
        if not min_support <= len(positions) <= n - 1 and family != "label":
            continue
        key = np.asarray(positions, dtype=np.int32).tobytes()
        other = merged.get(key)
        rank = (_TELLING.index(family), -len(text), text)
        if other is None or rank < (_TELLING.index(other[0]), -len(other[1]), other[1]):
            merged[key] = (family, text)
        members[key] = positions
    order = sorted(merged, key=lambda k: (-len(members[k]), merged[k]))[:MAX_BEHAVIORS]
    counts = np.asarray([len(members[k]) for k in order], dtype=np.int64)
    columns = np.repeat(np.arange(len(order)), counts)
    rows = np.concatenate([members[k] for k in order]) if order else np.zeros(0, dtype=np.int64)
    matrix = sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(n, len(order)))
    table = pl.DataFrame(
        {
            "behavior": np.arange(len(order), dtype=np.int32),
            "name": [_name(*merged[k]) for k in order],
            "family": [merged[k][0] for k in order],
            "text": [merged[k][1] for k in order],
            "count": counts,
        },
        schema={"behavior": pl.Int32, "name": pl.String, "family": pl.String, "text": pl.String, "count": pl.Int64},
    )
    return Behaviors(table, matrix)


def _name(family: str, text: str) -> str:
    shown = text if len(text) <= 80 else text[:79] + "…"
    return {
        "label": f"label {shown}",
        "refusal": "the response refuses",
        "response": f'the response is "{shown}"',
        "sentence": f'the response holds "{shown}"',
        "opening": f'the response opens with "{shown}"',
        "closing": f'the response ends with "{shown}"',
        "short": f"the response has {shown}",
    }.get(family, shown)


def bank(examples: pl.DataFrame, kind: str, min_support: int) -> Behaviors:
    """The target bank of a dataset. `examples` needs label, response and rejected."""
    found: Sets = defaultdict(list)
    if examples["label"].null_count() < len(examples):
        for i, label in enumerate(examples["label"].to_list()):
            if label is not None:
                found["label", label].append(i)
    if kind != Kind.CLASSIFICATION:
        responses = examples["response"].fill_null("").to_list()
        found.update(response_categories(responses))
        if kind == Kind.PREFERENCE and examples["rejected"].null_count() < len(examples):
            found.update(preference_categories(responses, examples["rejected"].fill_null("").to_list()))
    return assemble(found, len(examples), min_support)


def build(ctx: Context, unit: str) -> list[Path]:
    """Builds the target bank of a run."""
    examples = ctx.run.examples(["label", "response", "rejected"])
    ctx.progress.start("behaviors", len(examples), "rows")
    made = bank(examples, ctx.run.dataset().kind, ctx.config.mining.min_support)
    paths = [ctx.run / "behaviors" / "table.parquet", ctx.run / "behaviors" / "matrix.npz"]
    write_frame(paths[0], made.table)
    with atomic_file(paths[1]) as handle:
        sparse.save_npz(handle, made.matrix)
    ctx.progress.advance(len(examples))
    return paths


def load(run: RunDir) -> Behaviors:
    """The target bank of a run."""
    return Behaviors(
        pl.read_parquet(run / "behaviors" / "table.parquet"),
        sparse.csr_matrix(sparse.load_npz(run / "behaviors" / "matrix.npz")),
    )
