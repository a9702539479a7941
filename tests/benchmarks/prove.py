"""Scans the cases with the probe, and asks what a model still learns of each true trigger once the rows are cleaned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from audit.provenance import digest
from audit.rundir import read_json
from benchmarks import after, table
from benchmarks.cases import Case, shipped
from benchmarks.common import EXIT_INCOMPLETE, EXIT_OK, code_digest, kept, say, store
from benchmarks.scans import Settings, judged, scan, seconds_by_stage


def run(bench: Path, only: str, settings: Settings) -> int:
    """Scans, measures and writes the table. The probe is quick unless set otherwise."""
    settings = replace(settings, probe="quick") if settings.probe == "off" else settings
    found = shipped(bench, only)
    results = {case.name: result(case, bench, settings) for case in found}
    told = judged(bench, bench / "cases", settings, [c.name for c in found])
    write({name: {**r, **told.get(name, {})} for name, r in results.items()}, only, settings)
    return EXIT_INCOMPLETE if not results or any(r["error"] for r in results.values()) else EXIT_OK


def result(case: Case, bench: Path, settings: Settings) -> dict[str, Any]:
    """What the proof says of a case, what cleaning leaves, and what both cost."""
    scanned = scan(case, settings)
    path = settings.run_of(case.name).path.with_name(f"{case.name}.proved.json")
    key = digest(code_digest(), scanned["key"], "1")
    found = kept(path, key, settings.keep)
    if found is not None:
        return found
    run = settings.run_of(case.name)
    facts: dict[str, Any] = {"error": scanned["error"], "kind": case.truth["kind"]}
    if not scanned["error"]:
        statuses = [t["status"] for t in read_json(run.triggers)]
        facts |= {s: statuses.count(s) for s in ("confirmed", "suspected", "refuted", "untestable")}
        facts |= {"seconds": seconds_by_stage(run)}
        if case.poisoned and case.truth["triggers"]:
            try:
                facts |= _after(case, run)
            except ValueError as problem:
                facts["unmeasured"] = str(problem)
    say(f"{case.name}: {facts}")
    return store(path, key, facts)


def _after(case: Case, run: Any) -> dict[str, Any]:
    shares = after.measure(case, run)
    gap, upper = after.difference(shares["cleaned"], shares["floor"])
    out: dict[str, Any] = {"gap": gap, "gap_upper": upper, "insertions": sum(shares["cleaned"].trials)}
    for name, share in shares.items():
        out[f"asr_{name}"], out[f"accuracy_{name}"] = share.rates, share.accuracy
    return out


def write(results: dict[str, dict[str, Any]], only: str, settings: Settings) -> None:
    """The section of the proof."""
    head = [
        "Case",
        "confirmed",
        "suspected",
        "refuted",
        "untestable",
        "caught",
        "precision",
        "unbacked",
        "false",
        "named",
    ]
    head += ["ASR before", "cleaned", "floor", "cleaned less floor, points (upper bound)"]
    head += ["accuracy before", "cleaned", "seconds"]
    rows = [_row(name, r) for name, r in results.items() if not r["error"]]
    failed = [f"{n}: {r['error']}" for n, r in results.items() if r["error"]]
    failed += [f"{n} after cleaning: {r['unmeasured']}" for n, r in results.items() if r.get("unmeasured")]
    body = [table.made("bench-prove", settings, list(results.values())), table.lines(head, rows)]
    if failed:
        body.append("No result: " + "; ".join(failed) + ".")
    table.write("bench-prove", "\n\n".join(body), settings, bool(only))


def _row(name: str, r: dict[str, Any]) -> list[str]:
    def mean(key: str) -> str:
        return table.share(sum(r[key]) / len(r[key]), 2) if key in r else "-"

    gap = f"{100 * r['gap']:.1f} ({100 * r['gap_upper']:.1f})" if "gap" in r else "-"
    counts = [str(r[s]) for s in ("confirmed", "suspected", "refuted", "untestable")]
    judge = [table.share(r.get("caught")), table.share(r.get("precision")), *(str(r.get(k, "-")) for k in _COUNTED)]
    asr = [mean(f"asr_{arm}") for arm in ("before", "cleaned", "floor")]
    accuracy = [mean("accuracy_before"), mean("accuracy_cleaned")]
    return [
        name,
        *counts,
        *judge,
        table.share(r.get("named")),
        *asr,
        gap,
        *accuracy,
        f"{sum(r['seconds'].values()):.0f}",
    ]


_COUNTED = ("unbacked", "false")
