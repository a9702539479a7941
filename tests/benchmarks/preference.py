"""Preference data: from how many swapped pairs on a trigger in the prompt is named and confirmed, how well swapped
pairs are ranked, and whom the check of annotators accuses.

The curve thins a case whose truth names a trigger and swapped pairs: all honest pairs stay, and of the poisoned ones as
many as the column says, drawn evenly. Beside it stand the accuracy of the margin model, out of fold, on the honest
pairs, and that of a bag of words: what can be seen depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from audit import registry
from audit.artifacts import load as load_artifacts
from audit.artifacts.support import side_differences
from audit.attacks.naming import holds
from audit.errors import TunevetError
from audit.provenance import digest, sha256_file
from audit.rundir import RunDir, read_array, read_json, write_json
from audit.schema import Detection, Status
from benchmarks import floor, table
from benchmarks.cases import Case, examples_of, shipped
from benchmarks.common import EXIT_INCOMPLETE, EXIT_OK, check_bench, code_digest, kept, say, store
from benchmarks.scans import Settings, scan

COUNTS = (115, 60, 30, 12, 5)
DRAWS = 5
PROVED_FROM, PROVED_DRAWS = 30, 1  # thinner sets are mined alone, and of the others one draw is proved
FOLDS, SEEDS = 5, 20
IDS = (5, 10, 20)
_BOOK = "preference"


def run(bench: Path, settings: Settings) -> int:
    """Measures all three and writes the section. Raises NoBench."""
    check_bench(bench)
    pairs = [c for c in shipped(bench) if c.truth["kind"] in ("preference", "preference-flip", "clean")]
    told: dict[str, Any] = {"curve": [], "flips": [], "annotators": []}
    for case in pairs:
        if case.truth["kind"] == "preference":
            told["curve"] += curve(case, settings)
        elif case.truth["kind"] == "preference-flip":
            run_dir = scanned(case, settings)
            told["flips"].append({"case": case.name, **flips(case, run_dir)})
            told["annotators"] += [accused(case, run_dir), *shuffled(case, run_dir)]
        elif examples_of(case, settings.work)["rejected"].null_count() == 0:
            told["annotators"] += shuffled(case, scanned(case, settings))
    write_json(settings.work / _BOOK / "told.json", told)
    table.write("bench-preference", page(told, settings), settings, False)
    return EXIT_OK if all(told.values()) else EXIT_INCOMPLETE


def scanned(case: Case, settings: Settings) -> RunDir:
    """The run directory of a case, scanned without the probe."""
    unproved = replace(settings, probe="off")
    scan(case, unproved)
    return unproved.run_of(case.name)


def curve(case: Case, settings: Settings) -> list[dict[str, Any]]:
    """One record a count and draw."""
    examples = examples_of(case, settings.work)
    poisoned = sorted(case.poisoned)
    out = []
    for count in [min(c, len(poisoned)) for c in COUNTS]:
        for draw in range(1 if count == len(poisoned) else DRAWS):
            proved = count >= min(PROVED_FROM, len(poisoned)) and draw < PROVED_DRAWS
            out.append(_thinned(case, examples, count, draw, replace(settings, probe="quick" if proved else "off")))
    return out


def _thinned(case: Case, examples: pl.DataFrame, count: int, draw: int, settings: Settings) -> dict[str, Any]:
    path = settings.work / _BOOK / f"{case.name}-{count}-{draw}-{settings.probe}.json"
    key = digest(code_digest(), sha256_file(case.data), count, draw, settings.probe)
    found = kept(path, key, settings.keep)
    if found is not None and not found["error"]:
        return found
    poisoned = np.asarray(sorted(case.poisoned))
    stay = set(np.random.default_rng(draw).choice(poisoned, count, replace=False).tolist())
    thin = examples.filter(pl.col("row").is_in(sorted(stay)) | ~pl.col("row").is_in(poisoned.tolist()))
    bad = thin["row"].is_in(sorted(stay)).to_numpy()
    thin = thin.with_columns(row=pl.int_range(pl.len()))
    facts: dict[str, Any] = {"count": count, "draw": draw, "probe": settings.probe, "error": ""}
    try:
        made = floor.mined(thin, "preference", settings, settings.work / _BOOK / "run", 64)
        facts |= _judged(made, case.truth["triggers"], bad)
    except TunevetError as failure:
        facts["error"] = str(failure)
    say(f"{case.name}, {count} swapped, draw {draw}: {facts.get('status', facts['error'])}")
    return store(path, key, facts)


def _judged(run_dir: RunDir, words: Sequence[str], bad: np.ndarray) -> dict[str, Any]:
    """What became of the trigger, and how good the margins are."""
    margin = read_array(run_dir / "support" / "margin.npy")
    examples = run_dir.examples(["response", "rejected"])
    folds = np.asarray(read_array(run_dir / "support" / "folds.npy"))
    triggers = read_json(run_dir.triggers)
    mine = [t for t in triggers if any(holds(t["pattern"], w) for w in words)]
    best = min(mine, key=lambda t: list(Status).index(Status(t["status"])), default=None)
    rows = set(best["rows"]) if best else set()
    planted = set(np.flatnonzero(bad).tolist())
    others = [t for t in triggers if t["status"] in ("suspected", "confirmed") and t not in mine]
    return {
        "status": best["status"] if best else "not found",
        "score": best["statistics"].get("reversal_score") if best else None,
        "p": best["statistics"].get("reversal_p") if best else None,
        "flagged": len(rows & planted) / len(planted) if best and best["status"] in ("suspected", "confirmed") else 0.0,
        "precision": len(rows & planted) / len(rows) if rows else None,
        "others": len(others),
        "accuracy": float((margin[~bad] > 0).mean()),
        "words": float((bag_of_words(examples, folds)[~bad] > 0).mean()),
    }


def bag_of_words(pairs: pl.DataFrame, folds: np.ndarray) -> np.ndarray:
    """(n,) out-of-fold margins of the plainest reward model: logistic regression on the difference of tf-idf words."""
    good, bad = (pairs[side].fill_null("").to_list() for side in ("response", "rejected"))
    words = TfidfVectorizer(min_df=2, sublinear_tf=True).fit(good + bad)
    return plain_margins((words.transform(good) - words.transform(bad)).tocsr(), folds)


def plain_margins(differences: Any, folds: np.ndarray) -> np.ndarray:
    """(n,) out-of-fold log-odds of a logistic regression with scikit-learn's own settings."""
    out = np.zeros(differences.shape[0])
    for fold in np.unique(folds):
        x = differences[np.flatnonzero(folds != fold)]
        sign = np.where(np.arange(x.shape[0]) % 2 == 0, 1.0, -1.0)
        turned = x.multiply(sign[:, None]).tocsr() if hasattr(x, "multiply") else x * sign[:, None]
        model = LogisticRegression(fit_intercept=False, max_iter=300).fit(turned, sign > 0)
        held = np.flatnonzero(folds == fold)
        out[held] = model.decision_function(differences[held])
    return out


def flips(case: Case, run_dir: RunDir) -> dict[str, Any]:
    """Average precision of the ranking of swapped pairs, beside plain reward margins on the same folds."""
    rows = run_dir.examples(["row", "response", "rejected"])
    bad = rows["row"].is_in(sorted(case.poisoned)).to_numpy()
    folds = np.asarray(read_array(run_dir / "support" / "folds.npy"))
    signals = pl.read_parquet(run_dir / "signals" / "preference_flip.parquet")
    margin = np.asarray(read_array(run_dir / "support" / "margin.npy"))
    details = pl.read_parquet(run_dir / "findings" / "preference_flip.parquet")["details"][0]
    scores = {
        "tunevet": signals["score"].to_numpy(),
        "margin": -margin,
        "plain, embeddings": -plain_margins(side_differences(run_dir), folds),
        "plain, words": -bag_of_words(rows, folds),
    }
    return {
        "pairs": len(bad),
        "swapped": int(bad.sum()),
        "precision": {name: float(average_precision_score(bad, score)) for name, score in scores.items()},
        "rate": details,
    }


def accused(case: Case, run_dir: RunDir) -> dict[str, Any]:
    """Whom the check of annotators accuses in a case as it is."""
    found = pl.read_parquet(run_dir / "findings" / "annotator_anomaly.parquet").filter(pl.col("severity") != "info")
    return {
        "case": case.name,
        "ids": "as given",
        "runs": 1,
        "accused": found["subject"].to_list(),
        "q": found["q_value"].to_list(),
    }


def shuffled(case: Case, run_dir: RunDir) -> list[dict[str, Any]]:
    """Whom it accuses once the annotators are dealt out anew, over SEEDS seeds for each number of annotators."""
    check = registry.detectors()["annotator_anomaly"]
    loaded = load_artifacts(run_dir, check.artifacts)
    examples = loaded["examples"]
    given = examples["annotator"]
    kinds: list[tuple[str, Any]] = [(f"{n} dealt out", n) for n in IDS]
    if given.null_count() < len(given):
        kinds.append(("as given, shuffled", None))
    out = []
    for name, ids in kinds:
        names: list[str] = []
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            dealt = (
                rng.permutation(given.to_numpy())
                if ids is None
                else [f"a{i}" for i in rng.integers(0, ids, len(given))]
            )
            made = examples.with_columns(annotator=pl.Series(list(dealt), dtype=pl.String))
            result = check({**loaded, "examples": made}, {})
            assert isinstance(result, Detection)
            names += [f"{f.subject} (seed {seed})" for f in result.findings if f.severity != "info"]
        say(f"{case.name}, {name}: {len(names)} accused over {SEEDS} seeds")
        out.append({"case": case.name, "ids": name, "runs": SEEDS, "accused": names, "q": []})
    return out


def page(told: dict[str, Any], settings: Settings) -> str:
    """The section of docs/benchmarks.md."""
    parts = [table.made("bench-preference", settings, told["curve"]), "", *_curve_table(told["curve"])]
    for record in told["flips"]:
        names = list(record["precision"])
        parts += [
            "",
            f"Ranking of swapped pairs ({record['case']}: {record['swapped']:,} of {record['pairs']:,} pairs), ",
        ]
        parts[-1] += "average precision, all out of fold on the same folds:"
        parts += ["", table.lines(names, [[table.share(record["precision"][n]) for n in names]], left=0)]
    rows = [[r["case"], r["ids"], str(r["runs"]), str(len(r["accused"])), _named(r)] for r in told["annotators"]]
    parts += ["", "Whom the check of annotators accuses:", ""]
    parts.append(table.lines(["Case", "Annotators", "Runs", "accused", "whom, with q"], rows, left=2))
    return "\n".join(parts)


def _curve_table(curve: Sequence[dict[str, Any]]) -> list[str]:
    """One line a count: medians over its draws."""
    head = [
        "swapped pairs",
        "draws",
        "named",
        "confirmed of the proved",
        "score",
        "family-wise p",
        "flagged",
        "precision",
    ]
    rows = []
    for count in sorted({c["count"] for c in curve}, reverse=True):
        here = [c for c in curve if c["count"] == count and not c["error"]]
        proved = [c for c in here if c["probe"] != "off"]
        found = [c for c in here if c["status"] in ("suspected", "confirmed")]

        def middle(name: str, of: Sequence[dict[str, Any]] = here) -> str:
            known = [c[name] for c in of if c[name] is not None]
            return f"{float(np.median(known)):.3g}" if known else "-"

        confirmed = f"{sum(c['status'] == 'confirmed' for c in proved)} of {len(proved)}" if proved else "-"
        row = [f"{count:,}", str(len(here)), f"{len(found)} of {len(here)}", confirmed, middle("score"), middle("p")]
        row += [middle("flagged"), middle("precision"), middle("accuracy"), middle("words")]
        row.append(f"{sum(c['others'] > 0 for c in here)} of {len(here)}")
        rows.append(row)
    return [table.lines([*head, "margin model", "bag of words", "draws with another suspect"], rows)]


def _named(record: dict[str, Any]) -> str:
    q = record["q"] or [None] * len(record["accused"])
    told = [
        name + ("" if value is None else f" ({value:.1g})") for name, value in zip(record["accused"], q, strict=True)
    ]
    return ", ".join(told) or "nobody"
