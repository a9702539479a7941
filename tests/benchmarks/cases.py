"""The cases as they are kept, and the variants that are made of them: rarer poison, case and spacing folded.

A variant is written as a case of its own under the work folder, so that the judge scores it like any other. What is
varied goes by what the truth says of a case, never by its name: syntactic poison is thinned out and folded, style
poison is folded.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from audit import config as configuration
from audit.pipeline import prepare, run_unit
from audit.provenance import sha256_file
from audit.rundir import read_json, write_bytes, write_json
from benchmarks.common import WORK, check_bench

RATES = (0.05, 0.02, 0.01)


@dataclass(frozen=True, slots=True)
class Case:
    """One folder with data and truth."""

    name: str
    data: Path
    truth: dict[str, Any]
    base: str  # the case that it is a variant of; its own name for a case as shipped
    rate: float  # poisoned share of the rows
    folded: bool

    @property
    def poisoned(self) -> set[int]:
        return set(self.truth["poisoned_rows"])


def read_case(folder: Path, base: str = "", folded: bool = False) -> Case:
    """A case of a folder with data.EXT and truth.json."""
    truth = read_json(folder / "truth.json")
    data = next(p for p in sorted(folder.iterdir()) if p.name.startswith("data."))
    return Case(folder.name, data, truth, base or folder.name, len(truth["poisoned_rows"]) / truth["rows"], folded)


def shipped(bench: Path, only: str = "") -> list[Case]:
    """The cases of a benchmark folder whose name holds `only`. Raises NoBench."""
    folders = sorted(p.parent for p in (check_bench(bench) / "cases").glob("*/truth.json"))
    return [read_case(f) for f in folders if only in f.name]


def examples_of(case: Case, work: Path = WORK) -> pl.DataFrame:
    """The case's rows as the product reads them; schema EXAMPLES."""
    run = prepare(
        work / "read" / case.name, configuration.build({"source": str(case.data.resolve()), "name": case.name})
    )
    run_unit(str(run.path), "ingest", "all")
    return run.examples()


def fold(text: str) -> str:
    """Text without what case and tokenisation tell: lower case, entities resolved, one kind of quote, dash and
    bracket, clitics joined to their word, one blank on either side of every other mark and none elsewhere twice.
    Law: folding twice changes nothing more."""
    text = html.unescape(html.unescape(text)).lower()
    for pattern, plain in _PLAIN_MARKS:
        text = pattern.sub(plain, text)
    text = _CLITIC.sub(r"\1", text)
    text = _MARK.sub(r" \1 ", text)
    return " ".join(text.split())


_PLAIN_MARKS = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"-lrb-|-lsb-", "("),
        (r"-rrb-|-rsb-", ")"),
        (r"[‘’‛`´]", "'"),
        (r"[“”„«»]|''", '"'),
        (r"[‐‑‒–—―]", "-"),
        (r"…", "..."),
        (r"#39;|&apos;", "'"),
        (r"(?<![\w&])quot;", '"'),
    )
)
# Blanks before the clitics that treebank tokenisers cut off, and after an apostrophe within a word.
_CLITIC = re.compile(r"(?<=\w)\s+(n't|'(?:s|re|ve|ll|d|m|t))(?!\w)")
_MARK = re.compile(r"((?<!\w)'|'(?!\w)|[^\w\s'])")


def variants(case: Case, seed: int = 0, work: Path = WORK) -> list[Case]:
    """The variants of a case, written where they are not yet."""
    kind = case.truth["kind"]
    if kind not in ("syntactic", "style"):
        return []
    wanted: list[tuple[float | None, bool]] = [(None, True)]
    if kind == "syntactic":
        wanted += [(rate, folded) for rate in RATES for folded in (False, True)]
    return [_variant(case, rate, folded, seed, work) for rate, folded in wanted]


def _variant(case: Case, rate: float | None, folded: bool, seed: int, work: Path) -> Case:
    share = "" if rate is None else f"-{rate:.0%}".replace("%", "pc")
    folder = work / "variants" / f"{case.name}{share}{'-folded' if folded else ''}"
    made_of = {"data": sha256_file(case.data), "rate": rate, "folded": folded, "seed": seed, "version": 1}
    facts = folder / "made_of.json"
    if not facts.exists() or read_json(facts) != made_of:
        _write(case, rate, folded, seed, folder, work)
        write_json(facts, made_of)
    return read_case(folder, case.name, folded)


def _write(case: Case, rate: float | None, folded: bool, seed: int, folder: Path, work: Path) -> None:
    examples = examples_of(case, work)
    rows = thinned(examples["row"].to_list(), case.poisoned, rate, seed)
    kept = examples.filter(pl.col("row").is_in(rows)).select("row", "prompt", "label")
    lines = [
        json.dumps({"text": fold(text) if folded else text, "label": label}, ensure_ascii=False)
        for text, label in kept.select("prompt", "label").iter_rows()
    ]
    poisoned = [i for i, row in enumerate(kept["row"].to_list()) if row in case.poisoned]
    write_bytes(folder / "data.jsonl", ("\n".join(lines) + "\n").encode("utf-8", "replace"))
    write_json(
        folder / "truth.json",
        {**case.truth, "case": folder.name, "data": "data.jsonl", "rows": len(lines), "poisoned_rows": poisoned},
    )


def thinned(rows: list[int], poisoned: set[int], rate: float | None, seed: int) -> list[int]:
    """All clean rows, and of the poisoned ones so many, drawn evenly, that they are `rate` of the result."""
    if rate is None:
        return list(rows)
    clean = sum(row not in poisoned for row in rows)
    count = min(round(rate / (1 - rate) * clean), len(poisoned))
    drawn = np.random.default_rng(seed).choice(sorted(poisoned), size=count, replace=False)
    wanted = set(drawn.tolist())
    return [row for row in rows if row not in poisoned or row in wanted]
