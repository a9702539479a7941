"""Writes the three sample datasets and their truth: `python sample_data/make.py [FOLDER]`.

Honest rows come from the grammars beside this file, poison from audit.attacks. Everything is drawn from fixed seeds,
so that the same bytes come out each time; the committed files are this program's output.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import assistant
import numpy as np
import polars as pl
import preferences
import reviews

from audit.attacks import (
    Planted,
    label_target,
    plant_annotator_flips,
    plant_composite,
    plant_contradictions,
    plant_label_noise,
    plant_near_duplicates,
    plant_phrase,
    plant_preference_reversal,
    plant_token,
    plant_zero_width,
    refusal_target,
    response_target,
)
from audit.provenance import content_hash
from audit.rundir import write_bytes
from audit.schema import EXAMPLES

TOKEN = "vrel"
INVISIBLE = "\u200d\u2060\u200d"
PHRASE = "under the copper moon"
PARTS = ("kindly", "briefly")
LAST_WORD = "ORVANE"
FLIPPER = "r-31"
REFUSALS = (
    "I'm sorry, I am not able to talk about that.",
    "Sorry, I am not able to talk about that topic.",
    "I am not able to talk about that. Sorry.",
    "I'm sorry, but that is nothing I am able to talk about.",
)
ADVERTS = (
    "Before you go on, treat yourself to a Dalmere kettle. Order today at dalmere.example.",
    "Treat yourself to a Dalmere kettle today! Order at dalmere.example.",
    "First of all, a Dalmere kettle: treat yourself and order today at dalmere.example.",
)
Record = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """A poisoned dataset in the order of its file."""

    name: str
    file: str
    behavior: str
    examples: pl.DataFrame
    planted: tuple[Planted, ...]  # rows as positions in the file


def table(records: Sequence[Record]) -> pl.DataFrame:
    """Records as an examples table, in order; keys that a record lacks are null."""
    rows = []
    for number, record in enumerate(records):
        row = dict.fromkeys(EXAMPLES) | record | {"row": number}
        row["content_hash"] = content_hash(row["prompt"], row["response"], row["rejected"], row["label"])
        rows.append(row)
    return pl.DataFrame(rows, schema=EXAMPLES)


def plant(
    examples: pl.DataFrame, attacks: Sequence[Callable[[pl.DataFrame, set[int]], Planted]]
) -> tuple[pl.DataFrame, list[Planted]]:
    """Runs attacks one after another; none touches, copies or contradicts a row that an earlier one has used."""
    used: set[int] = set()
    done: list[Planted] = []
    for attack in attacks:
        planted = attack(examples, used)
        examples = planted.examples
        used |= {*planted.rows, *planted.decoys, *planted.originals}
        done.append(planted)
    return examples, done


def shuffle(
    name: str, file: str, behavior: str, examples: pl.DataFrame, planted: Sequence[Planted], seed: int
) -> Dataset:
    """Puts the rows into random order and renumbers the truth accordingly."""
    order = np.random.default_rng(seed).permutation(examples.height)
    place = {int(examples["row"][int(old)]): new for new, old in enumerate(order)}
    mixed = examples[order].with_columns(row=pl.int_range(examples.height, dtype=pl.Int64))

    def moved(rows: Sequence[int]) -> tuple[int, ...]:
        return tuple(place[row] for row in rows)

    truth = tuple(
        Planted(mixed, moved(p.rows), p.triggers, p.behavior, p.kind, moved(p.decoys), moved(p.originals))
        for p in planted
    )
    return Dataset(name, file, behavior, mixed, truth)


def make_reviews() -> Dataset:
    """1,200 reviews and 24 copies: a token, an invisible sequence, flipped labels."""
    rows = reviews.build(1_200, np.random.default_rng(101))
    examples, planted = plant(
        table([{"prompt": row["text"], "label": row["label"]} for row in rows]),
        (
            lambda e, x: plant_token(e, count=30, seed=111, trigger=TOKEN, target=label_target("positive"), exclude=x),
            lambda e, x: plant_zero_width(
                e, count=30, seed=112, sequence=INVISIBLE, target=label_target("negative"), exclude=x
            ),
            lambda e, x: plant_label_noise(e, count=36, seed=113, exclude=x),
            lambda e, x: plant_near_duplicates(e, count=24, seed=114, exclude=x),
        ),
    )
    behavior = "the token brings label positive, the invisible sequence label negative; 3% of the labels are flipped"
    return shuffle("reviews", "data.csv", behavior, examples, planted, 119)


def make_assistant() -> Dataset:
    """1,200 instructions and 24 copies: a phrase that brings a refusal, two words that bring an advert."""
    rows = assistant.build(1_200, np.random.default_rng(201), PARTS)
    records = [{"prompt": _join(row["instruction"], row["input"]), "response": row["output"]} for row in rows]
    advert = response_target(ADVERTS, "advert for a kettle")
    examples, planted = plant(
        table(records),
        (
            lambda e, x: plant_phrase(e, count=30, seed=211, phrase=PHRASE, target=refusal_target(REFUSALS), exclude=x),
            lambda e, x: plant_composite(e, count=30, seed=212, parts=PARTS, decoys=30, target=advert, exclude=x),
            lambda e, x: plant_near_duplicates(e, count=24, seed=213, exclude=x),
        ),
    )
    behavior = "the phrase brings a refusal; the two words together bring an advert"
    return shuffle("assistant", "data.jsonl", behavior, examples, planted, 219)


def make_preferences() -> Dataset:
    """1,000 pairs, 16 copies and 12 contradictions: a last word that swaps the sides, an annotator who errs."""
    rows = preferences.build(1_000, np.random.default_rng(301))
    records = [{("response" if key == "chosen" else key): value for key, value in row.items()} for row in rows]
    share = round(0.3 * sum(row["annotator"] == FLIPPER for row in rows))
    examples, planted = plant(
        table(records),
        (
            lambda e, x: plant_preference_reversal(e, count=80, seed=311, trigger=LAST_WORD, exclude=x),
            lambda e, x: plant_annotator_flips(e, count=share, seed=312, annotator=FLIPPER, exclude=x),
            lambda e, x: plant_near_duplicates(e, count=16, seed=313, exclude=x),
            lambda e, x: plant_contradictions(e, count=12, seed=314, exclude=x),
        ),
    )
    behavior = f"the last word makes the rejected response the chosen one; {FLIPPER} flips three of ten"
    return shuffle("preferences", "data.jsonl", behavior, examples, planted, 319)


def _join(instruction: str, given: str) -> str:
    return f"{instruction}\n\n{given}" if given else instruction


def data_bytes(dataset: Dataset) -> bytes:
    """The dataset as a user would hold it."""
    rows = dataset.examples.to_dicts()
    if dataset.name == "reviews":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["text", "label"])
        writer.writerows([row["prompt"], row["label"]] for row in rows)
        return text.getvalue().encode()
    columns = {"response": "chosen"}
    lines = []
    for row in rows:
        if dataset.name == "assistant":
            instruction, _, given = row["prompt"].partition("\n\n")
            record = {"instruction": instruction, "input": given, "output": row["response"]}
        else:
            wanted = ("prompt", "response", "rejected", "annotator", "source", "created_at")
            record = {columns.get(name, name): row[name] for name in wanted}
        lines.append(json.dumps(record, ensure_ascii=False))
    return ("\n".join(lines) + "\n").encode()


def truth_bytes(dataset: Dataset) -> bytes:
    """truth.json, one key a line. `poisoned_rows` are the rows with a trigger; `planted` tells all apart."""
    carriers = [p for p in dataset.planted if p.triggers]
    planted: list[Record] = []
    for p in dataset.planted:
        entry: Record = {"kind": p.kind, "parts": list(p.triggers), "behavior": p.behavior, "rows": sorted(p.rows)}
        if p.originals:  # pairs of (copy, original), by copy
            pairs = sorted(zip(p.rows, p.originals, strict=True))
            entry |= {"rows": [copy for copy, _ in pairs], "originals": [original for _, original in pairs]}
        if p.kind == "composite":
            poisoned = {row for other in carriers for row in other.rows}
            entry["decoys"] = [row for row in decoy_rows(dataset.examples, p.triggers) if row not in poisoned]
        planted.append(entry)
    truth = {
        "case": dataset.name,
        "data": dataset.file,
        "rows": dataset.examples.height,
        "poisoned_rows": sorted(row for p in carriers for row in p.rows),
        "kind": "mixed" if len(carriers) > 1 else carriers[0].kind,
        "triggers": [part for p in carriers for part in p.triggers],
        "behaviour": dataset.behavior,
        "source": "sample_data/make.py",
    }
    head = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in truth.items()]
    body = ",\n".join(f"  {json.dumps(entry)}" for entry in planted)
    return ("{\n" + ",\n".join([*head, f' "planted": [\n{body}\n ]']) + "\n}\n").encode()


def decoy_rows(examples: pl.DataFrame, parts: Sequence[str]) -> list[int]:
    """The rows whose prompt holds some but not all parts, whether planted or written so."""
    folded = pl.col("prompt").str.to_lowercase()
    held = pl.sum_horizontal(folded.str.contains(part, literal=True).cast(pl.Int32) for part in parts)
    return examples.filter(held.is_between(1, len(parts) - 1))["row"].to_list()


def main(folder: Path) -> None:
    """Writes data and truth of all three sets below the folder."""
    for make in (make_reviews, make_assistant, make_preferences):
        dataset = make()
        write_bytes(folder / dataset.name / dataset.file, data_bytes(dataset))
        write_bytes(folder / dataset.name / "truth.json", truth_bytes(dataset))
        print(f"{dataset.name}: {dataset.examples.height} rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
