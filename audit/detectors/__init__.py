"""The detect stage: one unit a detector. Loads what the detector asks for, calls it, checks what it returns,
and writes signals/NAME.parquet, findings/NAME.parquet and checks/NAME.json. Detectors themselves touch no
disk, no network and no torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from audit import artifacts, registry
from audit.provenance import digest
from audit.registry import Detector
from audit.rundir import Context, write_frame, write_json
from audit.schema import FINDINGS, SEVERITY_ORDER, SIGNALS, Detection, Finding, Skipped, empty

FIXES = ("relabel", "swap", "drop", "strip", "edit")


def run(ctx: Context, unit: str) -> list[Path]:
    """Runs the detector named `unit` and returns the three paths that it wrote. A check that was skipped
    writes empty frames and its reason. Raises ValueError when a detector breaks the schema."""
    check = registry.detectors()[unit]
    loaded = artifacts.load(ctx.run, sorted({*check.artifacts, "examples"}))
    result = check(loaded, ctx.config.detectors.get(unit, {}))
    detection = Detection(empty(SIGNALS)) if isinstance(result, Skipped) else result
    validate(check.name, detection, loaded["examples"])
    paths = [
        ctx.run / "signals" / f"{unit}.parquet",
        ctx.run / "findings" / f"{unit}.parquet",
        ctx.run / "checks" / f"{unit}.json",
    ]
    write_frame(paths[0], detection.signals.sort("row"))
    write_frame(paths[1], findings_frame(check.name, detection.findings))
    write_json(paths[2], summary(check, result))
    return paths


def summary(check: Detector, result: Detection | Skipped) -> dict[str, Any]:
    """What checks/NAME.json says of one check: that it ran, how many rows it scored and flagged, or why not."""
    facts: dict[str, Any] = {
        "name": check.name,
        "code": check.code,
        "title": check.title,
        "severity": str(check.severity),
        "source": check.source,
        "misses": check.misses,
        "status": "skipped",
        "reason": "",
        "threshold": None,
        "scored": 0,
        "flagged": 0,
    }
    if isinstance(result, Skipped):
        return {**facts, "reason": result.reason}
    scores = result.signals["score"].to_numpy()
    return {
        **facts,
        "status": "run",
        "threshold": float(result.threshold),
        "scored": int(np.isfinite(scores).sum()),
        "flagged": int((scores >= result.threshold).sum()),
    }


def findings_frame(name: str, findings: tuple[Finding, ...]) -> pl.DataFrame:
    """Findings as a frame of schema FINDINGS, the most severe first. An id is NAME-DIGEST of the code and the
    subject, so it stays the same from run to run. Raises ValueError when two findings share a subject."""
    ordered = sorted(findings, key=lambda f: (-SEVERITY_ORDER.index(f.severity), f.code, f.subject))
    ids = [f"{name}-{digest(f.code, f.subject)[:12]}" for f in ordered]
    if len(set(ids)) != len(ids):
        raise ValueError(f"detector {name} returned two findings about one subject; subjects must differ")
    records = [
        {
            "id": identity,
            "code": f.code,
            "check": name,
            "subject": f.subject,
            "score": f.score,
            "q_value": f.q_value,
            "severity": str(f.severity),
            "text": f.text,
            "rows": list(f.rows),
            "details": json.dumps(f.details, sort_keys=True, ensure_ascii=True),
        }
        for identity, f in zip(ids, ordered, strict=True)
    ]
    return pl.DataFrame(records, schema=FINDINGS)


def validate(name: str, detection: Detection, examples: pl.DataFrame) -> None:
    """Checks a detector's result against the schema. Raises ValueError that names the detector and the fault."""
    signals = detection.signals
    if dict(signals.schema) != SIGNALS:
        raise ValueError(f"detector {name} returned columns {dict(signals.schema)}, but SIGNALS is {SIGNALS}")
    if signals["row"].null_count() or signals["row"].n_unique() != signals.height:
        raise ValueError(f"detector {name} returned a row twice or a null row")
    joined = signals.join(examples.select("row", "prompt"), on="row", how="left", maintain_order="left")
    if not signals["row"].is_in(examples["row"].implode()).all():
        raise ValueError(f"detector {name} returned a row that is not in the examples")
    if signals["score"].null_count() or signals["score"].is_infinite().any():
        raise ValueError(f"detector {name} returned a score that is null or infinite; NaN abstains")
    if np.isnan(detection.threshold):
        raise ValueError(f"detector {name} returned the threshold NaN")
    _validate_spans(name, joined)
    if not signals["fix"].drop_nulls().is_in(FIXES).all():
        raise ValueError(f"detector {name} returned a fix that is none of {', '.join(FIXES)}")
    needs_value = pl.col("fix").is_in(["relabel", "edit"]) & pl.col("new_value").is_null()
    if signals.filter(needs_value).height:
        raise ValueError(f"detector {name} returned the fix relabel or edit without a new_value")
    known = set(examples["row"].to_list())
    for finding in detection.findings:
        if not finding.text or not known.issuperset(finding.rows):
            raise ValueError(f"detector {name}: finding {finding.subject} has no text or names a row that is not there")


def _validate_spans(name: str, joined: pl.DataFrame) -> None:
    start, end = pl.col("start"), pl.col("end")
    inside = (start >= 0) & (start <= end) & (end <= pl.col("prompt").fill_null("").str.len_chars())
    halves = start.is_null() != end.is_null()
    if joined.filter(halves | (start.is_not_null() & ~inside)).height:
        raise ValueError(f"detector {name} returned a span outside of the prompt")
