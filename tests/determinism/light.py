"""Ingest, verdicts and cleaning of made-up signals, without torch: `python -m determinism.light SOURCE RUN KIND`.

The signals are drawn from the rows' content, so that no variant of the environment can move them by itself; scores tie
on purpose, one check floods, and copies contradict each other.
"""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from audit import decide
from audit.config import build
from audit.remedies import clean
from audit.rundir import Context, RunDir, write_array, write_frame, write_json
from audit.schema import NoProgress, Status, Trigger, signals_frame
from audit.sources import ingest


def main(source: str, folder: str, kind: str) -> None:
    """Writes the run directory FOLDER."""
    run = RunDir(folder)
    ctx = Context(run, build({"source": source, "ingest": {"kind": kind}}), NoProgress())
    ingest(ctx, "all")
    examples = run.examples(["row", "content_hash", "prompt"])
    drawn = np.array([int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in examples["content_hash"]])
    for at, (name, severity) in enumerate((("flood", "low"), ("rare", "low"), ("strong", "medium"))):
        scores = ((drawn // 7**at) % 40).astype(np.float32) / 40
        write_frame(run / "signals" / f"{name}.parquet", signals_frame(examples["row"], scores))
        threshold = (0.25, 0.9, 0.95)[at]
        facts = {"name": name, "code": f"TV-{name[:3].upper()}", "status": "run", "severity": severity}
        write_json(run / "checks" / f"{name}.json", {**facts, "threshold": threshold, "flagged": 0})
        write_frame(run / "findings" / f"{name}.parquet", decide.told.borderline_finding({}))
        write_json(run.marker("detect", name), {"key": "", "outputs": {}})
    rows = [i for i, text in enumerate(examples["prompt"]) if "the" in text][:9]
    trigger = Trigger("T-0", "the", ["the"], "the", "token", str(Status.CONFIRMED), rows, "it misbehaves")
    write_json(run / "triggers" / "proved.json", [trigger.to_dict()])
    write_json(run / "support" / "accuracy.json", {"accuracy": None, "arrays": []})
    write_array(run / "support" / "disputed.npy", np.where(drawn % 50 == 0, 0, -1).astype(np.int32))
    decide.build(ctx, "all")
    clean.build(ctx, "all")
    heavy = {"torch", "prefect", "cleanlab"} & set(sys.modules)
    assert not heavy, f"{heavy} are loaded"


if __name__ == "__main__":
    main(*sys.argv[1:])
