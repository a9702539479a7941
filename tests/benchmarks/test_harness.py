"""The harness around the product: where cases are missing, what is kept, and the store of embeddings."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from audit.models.encoder import Encoder
from benchmarks import __main__ as command
from benchmarks import cases, common, floor, plants, vectors
from benchmarks.plants import Plant, plant_seed
from benchmarks.scans import Settings


def bench_of(path, truths):
    path.mkdir(exist_ok=True)
    (path / "score.py").write_text("")
    for name, truth in truths.items():
        folder = path / "cases" / name
        folder.mkdir(parents=True)
        rows = [f'{{"text": "Film {i} , it was n\'t bad", "label": {i % 2}}}' for i in range(truth["rows"])]
        (folder / "data.jsonl").write_text("\n".join(rows) + "\n")
        (folder / "truth.json").write_text(json.dumps({"case": name, "triggers": [], **truth}))
    return path


@pytest.mark.parametrize("part", ["cases", "detect", "clean", "floor", "prove", "correlations"])
def test_without_cases_one_sentence_says_so(part, tmp_path, capsys):
    assert command.main([part, "--bench", str(tmp_path / "none")]) == common.EXIT_NO_BENCH
    said = capsys.readouterr().err.strip()
    assert "BENCH=" in said and "\n" not in said


def test_a_result_is_kept_until_its_key_changes(tmp_path):
    path = tmp_path / "x.json"
    assert common.kept(path, "a") is None
    common.store(path, "a", {"value": 1})
    assert common.kept(path, "a")["value"] == 1
    assert common.kept(path, "b") is None
    assert common.kept(path, "b", keep=True)["code"] == common.code_digest()


def test_variants_are_cases_with_their_own_truth(tmp_path):
    bench = bench_of(tmp_path / "bench", {"syn": {"rows": 200, "poisoned_rows": list(range(40)), "kind": "syntactic"}})
    base = cases.shipped(bench)[0]
    made = cases.variants(base, seed=0, work=tmp_path / "work")
    assert sorted((round(c.rate, 2), c.folded) for c in made) == sorted(
        [(0.2, True), *((r, f) for r in (0.05, 0.02, 0.01) for f in (False, True))]
    )
    for case in made:
        rows = [json.loads(line) for line in case.data.read_text().splitlines()]
        assert len(rows) == case.truth["rows"] and case.base == "syn" and len(rows) - len(case.poisoned) == 160
        assert all(rows[i]["text"].islower() == case.folded for i in case.poisoned)
    again = {c.name: c.data.stat().st_mtime_ns for c in made}
    assert {c.name: c.data.stat().st_mtime_ns for c in cases.variants(base, 0, tmp_path / "work")} == again


def test_only_templates_and_styles_have_variants(tmp_path):
    bench = bench_of(tmp_path, {"tok": {"rows": 9, "poisoned_rows": [1], "kind": "token"}})
    assert cases.variants(cases.shipped(bench)[0], work=tmp_path / "work") == []
    assert cases.shipped(bench, "other") == []


def test_the_store_gives_back_what_was_put_and_knows_other_processes_parts(tmp_path):
    first, second = vectors.VectorStore(tmp_path), vectors.VectorStore(tmp_path)
    names = [vectors.name_of(t) for t in ("a", "b", "ä\ud800")]
    made = np.arange(12, dtype=np.float32).reshape(3, 4)
    first.put(names[:2], made[:2])
    second.put(names[2:], made[2:])
    first.refresh()
    assert (first.get([names[2], names[0], names[0]]) == made[[2, 0, 0]]).all()
    with pytest.raises(KeyError):
        second.get([vectors.name_of("c")])


def test_the_encoder_is_itself_again_after_the_store(tmp_path):
    plain = Encoder.encode
    with vectors.cached(tmp_path) as counts:
        assert Encoder.encode is not plain
    assert Encoder.encode is plain and counts == {"found": 0, "made": 0}


def test_a_corpus_is_written_so_that_it_is_read_back_with_its_turns():
    turns = [{"role": "user", "text": "hi"}, {"role": "assistant", "text": "yes"}, {"role": "user", "text": "go"}]
    examples = pl.DataFrame({"prompt": ["hi\n\nyes\n\ngo"], "turns": [turns], "response": ["done"]})
    said = floor.frame_of(examples, "instruction")["messages"].to_list()[0]
    assert [m["content"] for m in said] == ["hi", "yes", "go", "done"]
    assert [m["role"] for m in said] == ["user", "assistant", "user", "assistant"]


@pytest.mark.slow
def test_a_planted_corpus_is_mined_and_its_plant_is_named(tmp_path):
    source = next((common.ROOT / "sample_data" / "reviews").glob("data.*"))
    base = cases.examples_of(cases.Case("base", source, {"poisoned_rows": []}, "base", 0.0, False), tmp_path)
    settings = Settings(work=tmp_path)
    job = floor.Job("x", "classification", 0, (Plant("badnet", 20, plant_seed("x")),))
    told = floor.planted_and_mined(job, base, settings, tmp_path / "run")
    assert told["error"] == "" and told["plants"][0]["mined"] == 1.0 and told["plants"][0]["by"] == "name"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("sample", "kind"), [("reviews", "classification"), ("assistant", "instruction")])
def test_thirty_rows_of_nearly_every_family_are_mined(sample, kind, tmp_path):
    """A few families at a time, each of them once, with names and settings of their own."""
    folder = common.ROOT / "sample_data" / sample
    source, truth = next(folder.glob("data.*")), json.loads((folder / "truth.json").read_text())
    base = cases.examples_of(cases.Case("base", source, truth, "base", 0.0, False), tmp_path)
    base = base.filter(~pl.col("row").is_in(truth["poisoned_rows"])).with_columns(row=pl.int_range(pl.len()))
    measured = [f for f in plants.families(kind) if f not in floor.ALONE and f != "untargeted"]
    missed = []
    for first in range(4):
        job = floor.Job("x", kind, 0, tuple(Plant(f, 30, plant_seed(kind, f)) for f in measured[first::4]))
        told = floor.planted_and_mined(job, base, Settings(work=tmp_path), tmp_path / "run")
        assert told["error"] == ""
        missed += [p["family"] for p in told["plants"] if p["mined"] < 1]
    # A thousand rows say too little of decoys, of a label's own words, and of steps that answers here hardly have.
    assert set(missed) <= {"composite", "clean-label", "reasoning-step"}
