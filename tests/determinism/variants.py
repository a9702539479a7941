"""What may differ between two scans of one input without a difference in what they find: the order in which the
files of a folder were made, the seed of Python's hashes, locale, time zone, and the number of threads.

Under all but the last the verdicts, the triggers, the findings, the cleaned data and the report are the same bytes.
With another number of threads sums are added up in another order, and the last bits of a score may differ: then the
verdict, the fix and the reasons of each row are the same, and so are the triggers' patterns, statuses and rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "classification": ("reviews/data.csv", 330),
    "instruction": ("assistant/data.jsonl", 330),
    "preference": ("preferences/data.jsonl", 330),
}
EPOCH = "1700000000"
BASE = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC", "OMP_NUM_THREADS": "1", "SOURCE_DATE_EPOCH": EPOCH}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
_FILES = 5


@dataclass(frozen=True)
class Variant:
    """One way of running the same scan."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    order: str = "forward"  # in which the input's files are made
    exact: bool = True  # the same bytes; else the same verdicts and triggers


def _threads(count: int) -> Variant:
    return Variant(f"{count} threads", dict.fromkeys(_THREADS, str(count)), exact=False)


VARIANTS = (
    Variant("files made in reverse, hash seed 1", {"PYTHONHASHSEED": "1"}, "reverse"),
    Variant("files made in any order, hash seed random", {"PYTHONHASHSEED": "random"}, "shuffled"),
    Variant("locale C, hash seed random", {"LC_ALL": "C", "LANG": "C", "PYTHONHASHSEED": "random"}),
    Variant("locale de_DE.UTF-8", {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8", "PYTHONUTF8": "1"}),
    Variant("locale tr_TR.UTF-8, hash seed 1", {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR", "PYTHONHASHSEED": "1"}),
    Variant("time zone of the Chatham Islands", {"TZ": "Pacific/Chatham"}),
    _threads(2),
    _threads(4),
)


def write_input(kind: str, folder: Path, order: str = "forward", rows: int | None = None) -> Path:
    """The first rows of a sample, dealt to five files, which are made in this order. Names sort otherwise than a
    locale would: upper case, lower case, an umlaut, a dotless i."""
    name, most = KINDS[kind]
    lines = (ROOT / "sample_data" / name).read_text(encoding="utf-8").splitlines(keepends=True)
    header = [lines.pop(0)] if name.endswith(".csv") else []
    lines = lines[: rows or most]
    extension = name.rpartition(".")[2]
    names = [f"{stem}.{extension}" for stem in ("a", "B", "ä", "ı", "Z10")][:_FILES]
    parts = {part: lines[at :: len(names)] for at, part in enumerate(names)}
    made = {"forward": names, "reverse": names[::-1], "shuffled": random.Random(7).sample(names, len(names))}[order]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in made:
        (folder / part).write_text("".join([*header, *parts[part]]), encoding="utf-8")
    return folder


def environment(variant: Variant | None = None) -> dict[str, str]:
    """The environment of a child process: ours without locale, time zone and threads, then those of the variant."""
    dropped = ("LC_", "LANG", "TZ", "PYTHONHASHSEED", "POLARS_MAX_THREADS", "SOURCE_DATE_EPOCH", *_THREADS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), "TOKENIZERS_PARALLELISM": "false"}
    return {**kept, **BASE, **paths, **(variant.environment if variant else {})}


def run_child(module: str, arguments: list[str], variant: Variant | None, seconds: int = 600) -> str:
    """What a module of ours prints, run in the environment of a variant."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(variant), capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{module} {arguments}: {done.stderr[-3000:]}"
    return done.stdout


def fingerprint(run: Path) -> dict[str, str]:
    """File -> SHA-256 of all that a scan says: verdicts, triggers, findings, report and cleaned data."""
    named = [run / name for name in ("verdicts.parquet", "findings.parquet", "triggers.json", "removed.parquet")]
    named += sorted(path for folder in ("report", "cleaned") for path in (run / folder).rglob("*") if path.is_file())
    return {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in named if p.exists()}


def said(run: Path) -> dict[str, Any]:
    """What a scan says but for its scores: each row's verdict, fix and reasons, each trigger's pattern and rows."""
    verdicts = pl.read_parquet(run / "verdicts.parquet").drop("score").rows()
    triggers = json.loads((run / "triggers.json").read_text())
    facts = [(t["id"], t["pattern"], t["kind"], t["status"], t["behavior"], t["rows"]) for t in triggers]
    return {"verdicts": verdicts, "triggers": sorted(facts)}
