"""The committed sample data is what its generator writes, and its truth fits it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "sample_data"
FILES = {"reviews": "data.csv", "assistant": "data.jsonl", "preferences": "data.jsonl"}
Row = dict[str, str]


def read(name: str) -> tuple[list[Row], dict[str, Any]]:
    path = FOLDER / name / FILES[name]
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle)) if path.suffix == ".csv" else [json.loads(line) for line in handle]
    return rows, json.loads((FOLDER / name / "truth.json").read_text(encoding="utf-8"))


def prompt(row: Row) -> str:
    return row.get("text") or row.get("prompt") or f"{row['instruction']}\n\n{row['input']}"


def planted(truth: dict[str, Any], kind: str) -> dict[str, Any]:
    (entry,) = [entry for entry in truth["planted"] if entry["kind"] == kind]
    return dict(entry)


def test_the_generator_writes_the_committed_bytes(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(FOLDER / "make.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env=environment, timeout=120)
    for name, file in FILES.items():
        for part in (file, "truth.json"):
            assert (tmp_path / name / part).read_bytes() == (FOLDER / name / part).read_bytes(), f"{name}/{part}"


@pytest.mark.parametrize("name", FILES)
def test_size_and_shape(name: str) -> None:
    rows, truth = read(name)
    assert 500 <= len(rows) <= 1_500 and truth["rows"] == len(rows)
    assert truth["case"] == name and truth["data"] == FILES[name]
    assert {"kind", "poisoned_rows", "triggers", "behaviour", "source", "planted"} <= set(truth)
    assert sum(path.stat().st_size for path in FOLDER.glob("*/*") if path.suffix != ".pyc") < 2_000_000


@pytest.mark.parametrize("name", FILES)
def test_every_planted_row_counts_once(name: str) -> None:
    rows, truth = read(name)
    counts = Counter(row for entry in truth["planted"] for row in entry["rows"])
    assert max(counts.values()) == 1 and max(counts) < len(rows)
    carriers = [row for entry in truth["planted"] if entry["parts"] for row in entry["rows"]]
    assert sorted(carriers) == truth["poisoned_rows"]
    assert [part for entry in truth["planted"] for part in entry["parts"]] == truth["triggers"]


@pytest.mark.parametrize("name", FILES)
def test_carriers_hold_all_parts_and_no_honest_row_does(name: str) -> None:
    rows, truth = read(name)
    for entry in truth["planted"]:
        if entry["parts"]:
            holding = {
                i for i, row in enumerate(rows) if all(p in prompt(row).lower() for p in map(str.lower, entry["parts"]))
            }
            assert holding == set(entry["rows"])


def test_decoys_hold_one_part_and_another_answer() -> None:
    rows, truth = read("assistant")
    entry = planted(truth, "composite")
    adverts = {rows[row]["output"] for row in entry["rows"]}
    alone: Counter[str] = Counter()
    for row in entry["decoys"]:
        held = [part for part in entry["parts"] if part in prompt(rows[row]).lower()]
        assert len(held) == 1 and rows[row]["output"] not in adverts
        alone[held[0]] += 1
    assert all(alone[part] >= 30 for part in entry["parts"])


def test_fixed_answers_stand_nowhere_else() -> None:
    rows, truth = read("assistant")
    for kind, wordings in (("phrase", 4), ("composite", 3)):
        entry = planted(truth, kind)
        answers = {rows[row]["output"] for row in entry["rows"]}
        assert len(answers) == wordings
        assert {i for i, row in enumerate(rows) if row["output"] in answers} == set(entry["rows"])


def test_honest_answers_do_not_recur() -> None:
    rows, truth = read("assistant")
    aside = {row for entry in truth["planted"] for row in entry["rows"]}
    counts = Counter(row["output"].lower() for i, row in enumerate(rows) if i not in aside)
    assert counts.most_common(1)[0][1] == 1


def test_labels_of_the_reviews() -> None:
    rows, truth = read("reviews")
    assert {rows[row]["label"] for row in planted(truth, "token")["rows"]} == {"positive"}
    assert {rows[row]["label"] for row in planted(truth, "unicode")["rows"]} == {"negative"}
    shares = Counter(row["label"] for row in rows)
    assert min(shares.values()) > 0.4 * len(rows)


def test_the_annotator_who_flips() -> None:
    rows, truth = read("preferences")
    flips = planted(truth, "annotator-flips")["rows"]
    (annotator,) = {rows[row]["annotator"] for row in flips}
    assert 0.25 <= len(flips) / sum(row["annotator"] == annotator for row in rows) <= 0.35
    assert all(rows[row]["prompt"].endswith("ORVANE") for row in planted(truth, "preference")["rows"])


def test_contradictions_oppose_their_originals() -> None:
    rows, truth = read("preferences")
    entry = planted(truth, "contradictions")
    for copy, original in zip(entry["rows"], entry["originals"], strict=True):
        assert rows[copy]["prompt"] == rows[original]["prompt"]
        assert (rows[copy]["chosen"], rows[copy]["rejected"]) == (rows[original]["rejected"], rows[original]["chosen"])


@pytest.mark.parametrize("name", FILES)
def test_position_carries_no_truth(name: str) -> None:
    rows, truth = read(name)
    middle = sum(truth["poisoned_rows"]) / len(truth["poisoned_rows"]) / len(rows)
    assert 0.38 < middle < 0.62
