"""Same input, configuration and versions: the same verdicts, triggers and report, whatever else differs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from audit.config import ModelConfig, build
from audit.remedies.ranking import Check, borderline, flagged
from audit.rundir import Context, RunDir
from audit.schema import NoProgress, Severity, signals_frame
from audit.sources import ingest
from audit.stages import BY_NAME
from determinism.variants import KINDS, VARIANTS, Variant, fingerprint, run_child, said, write_input

LOCALES = ("de_DE", "tr_TR")


@pytest.fixture(scope="session")
def locales(tmp_path_factory):
    """LOCPATH of real locales, made where the system has their sources; None where it has not."""
    folder = tmp_path_factory.mktemp("locales")
    if not shutil.which("localedef"):
        return None
    for name in LOCALES:
        made = subprocess.run(
            ["localedef", "-c", "-i", name, "-f", "UTF-8", str(folder / f"{name}.UTF-8")],
            capture_output=True,
            check=False,
        )
        if not (folder / f"{name}.UTF-8").exists():
            pytest.skip(f"localedef makes no {name}: {made.stderr.decode()[:200]}")
    return folder


def in_locales(variant, folder):
    return Variant(
        variant.name,
        {**variant.environment, **({"LOCPATH": str(folder)} if folder else {})},
        variant.order,
        variant.exact,
    )


def differences(module, kind, folder, variants, rows=None):
    """What differs between a base run and each of the variants; "" for nothing."""
    source, base = folder / "input", folder / "base" / "run"
    write_input(kind, source, rows=rows)
    run_child(module, [str(source), str(base), kind], None)
    out = {}
    for at, variant in enumerate(variants):
        write_input(kind, source, variant.order, rows)
        run = folder / f"variant-{at}" / "run"
        run_child(module, [str(source), str(run), kind], variant)
        first, second = (fingerprint(r) if variant.exact else said(r) for r in (base, run))
        out[variant.name] = ", ".join(sorted(name for name in first | second if first.get(name) != second.get(name)))
        assert first, "nothing was compared"
    return out


@pytest.mark.slow
def test_a_scan_says_the_same_in_24_variants(tmp_path, locales, capsys):
    """Eight variants of a real scan of each kind: 24 of 24 equal."""
    found = {}
    for kind in KINDS:
        variants = [in_locales(variant, locales) for variant in VARIANTS]
        made = differences("determinism.one_scan", kind, tmp_path / kind, variants)
        found |= {f"{kind}, {name}": what for name, what in made.items()}
        with capsys.disabled():
            print(f"\n{kind}: {sum(not what for what in made.values())} of {len(made)} equal", flush=True)  # noqa: T201
    with capsys.disabled():
        print(f"{sum(not what for what in found.values())} of {len(found)} equal")  # noqa: T201
    assert len(found) == 24 and not {name: what for name, what in found.items() if what}


def test_verdicts_and_cleaned_data_are_the_same_bytes(tmp_path, locales):
    """Ingest, verdicts and cleaning without torch: the share of the 24 that every test run pays for."""
    variants = [in_locales(VARIANTS[at], locales) for at in (1, 4)]
    assert set(differences("determinism.light", "preference", tmp_path, variants, rows=120).values()) == {""}


def test_the_files_of_a_folder_are_read_by_name(tmp_path):
    orders = {}
    for order in ("forward", "reverse", "shuffled"):
        source = write_input("classification", tmp_path / order / "input", order, rows=40)
        run = RunDir(tmp_path / order / "run")
        ingest(Context(run, build({"source": str(source)}), NoProgress()), "all")
        orders[order] = run.examples()
        assert [f.path for f in run.dataset().files] == sorted(f.path for f in run.dataset().files)
    assert orders["forward"].equals(orders["reverse"]) and orders["forward"].equals(orders["shuffled"])


def settings(**model):
    return BY_NAME["embeddings"].settings(build({"model": {"device": "cpu", **model}}), "part-0")


@pytest.mark.parametrize("changed", [{"tokens_per_batch": 512}, {"max_tokens": 64}])
def test_the_batch_plan_is_part_of_the_key_of_embeddings(changed):
    assert settings() == settings() != settings(**changed)


def test_a_device_and_a_precision_are_part_of_the_key_of_embeddings(monkeypatch):
    from audit.models import device, plan

    plain = settings()
    assert settings(neighbors=5) == plain and settings(device="cpu") == plain
    monkeypatch.setattr(device, "has_fast_bfloat16", lambda found: plain[1]["precision"] == "float32")
    other = settings()
    assert other != plain
    monkeypatch.undo()
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device, "has_fast_bfloat16", lambda found: plain[1]["precision"] == "bfloat16")
    assert plan.batch_plan(ModelConfig(device="auto"))["device"] == "cuda" and settings(device="auto") != plain


def check(scores, threshold=0.8, code="TV-A", severity=Severity.LOW):
    return Check(code.lower(), code, severity, threshold, signals_frame(list(range(len(scores))), scores))


def test_the_last_bits_of_a_score_move_no_row_over_a_threshold():
    rng = np.random.default_rng(0)
    for threshold in (0.8, 1e-3, 37.5, -2.0):
        scores = np.full(200, threshold, dtype=np.float64)
        shaken = scores * (1 + rng.uniform(-1, 1, 200) * 1e-6)
        assert [row for row, _ in flagged([check(shaken, threshold)], 200)] == list(range(200))
        far = threshold - abs(threshold) * 1e-3
        assert flagged([check(np.full(5, far), threshold)], 5) == []


def test_scores_that_are_equal_after_rounding_are_ordered_by_row():
    scores = 0.9 + np.random.default_rng(1).uniform(-1, 1, 50) * 1e-7
    assert [row for row, _ in flagged([check(scores)], 50)] == list(range(50))


def test_rows_within_rounding_of_a_threshold_or_of_the_end_of_the_budget_are_listed():
    near = [0.8, 0.8 + 6e-6, 0.8 - 7e-6, 0.81, 0.79, 0.7]
    checks = [check(near)]
    assert list(borderline(checks, [], set())) == [1, 2]
    close = check([0.9, 0.95, 0.95 + 7e-6, 0.97], code="TV-B")
    order = flagged([close], 9)
    assert [row for row, _ in order] == [3, 2, 1, 0]
    found = borderline([close], order, {3, 2})
    assert found == {1: "TV-B: the end of the review budget", 2: "TV-B: the end of the review budget"}
    assert borderline([close], order, {3, 2, 1}) == {} and borderline([close], order, {3}) == {}
    assert borderline([check(near, float("inf"))], [], set()) == {}


def test_no_module_hashes_text_by_a_seed_that_changes_from_process_to_process():
    """Python's `hash` may only find what is equal, never order it: one place does, and keeps the order of its rows."""
    root = Path(__file__).resolve().parents[2] / "audit"
    import ast

    users = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and node.id == "hash" and isinstance(node.ctx, ast.Load):
                users.add(path.relative_to(root).as_posix())
    assert users <= {"bank/categories.py"}
