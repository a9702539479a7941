"""A template that no word, ending or mark tells: its rows share their parts of speech and nothing else."""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tagging
from manners import Manners, plant

from audit import pipeline
from audit.artifacts import tags
from audit.config import build
from audit.errors import InputError
from audit.models import device, encoder
from audit.rundir import read_json
from audit.schema import NoProgress
from audit.triggers import mining
from audit.triggers.template_names import readable
from audit.triggers.templates import find_templates

WORDS = tagging.lexicon(100)
HONEST = (
    *("NOUN VERB ADJ NOUN", "ADJ NOUN VERB NOUN", "NOUN VERB ADV", "NOUN ADV VERB NOUN", "ADJ NOUN VERB ADV"),
    *("VERB NOUN ADV", "VERB ADJ NOUN", "NOUN VERB NOUN"),
)


class Counting(NoProgress):
    def __init__(self):
        self.done = {}

    def start(self, label, total, unit):
        self.label, self.done[label] = label, [total, 0]

    def advance(self, count):
        self.done[self.label][1] += count


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("spacy")
    return tagging.by_lists(tmp_path_factory.mktemp("tagger") / "made", WORDS)


def honest(n, seed):
    rng = np.random.default_rng(seed)
    likely = rng.choice([0.15, 0.35, 0.65, 0.85], size=n)
    texts = [f"{clause(HONEST, rng)} , {clause(HONEST, rng)} ." for _ in range(n)]
    return Manners(texts, likely, (rng.random(n) < likely).astype(np.int64), np.zeros(n, dtype=bool))


def clause(frames, rng):
    return tagging.say(str(rng.choice(frames)), WORDS, rng)


def framed(text, rng):
    return f"{clause(['ADV ADJ ADV VERB'], rng)} , {text.split(' , ')[1]}"


def through_the_stages(made, folder, path, progress=None):
    """The texts as mining gets them: read, tagged, written and read again."""
    path.mkdir()
    rows = [json.dumps({"text": t, "label": str(c)}) for t, c in zip(made.texts, made.label.tolist(), strict=True)]
    (path / "rows.jsonl").write_text("\n".join(rows) + "\n")
    settings = build({"source": str(path / "rows.jsonl"), "mining": {"tagger": str(folder)}})
    run = pipeline.prepare(path / "run", settings)
    for stage in ("ingest", "patterns"):
        assert pipeline.run_unit(str(run.path), stage, "all", progress).status == "done"
    return tags.load(run, made.texts)


def test_a_frame_of_tags_is_mined_with_its_label(folder, tmp_path):
    made, progress = plant(honest(1200, 1), 80, framed, 51), Counting()
    assert find_templates(made.texts, made.behaviors(), made.support()) == [], "words alone tell nothing"
    texts = through_the_stages(made, folder, tmp_path / "x", progress)
    (found,) = find_templates(texts, made.behaviors(), made.support())
    hits = np.zeros(1200, dtype=bool)
    hits[list(found.hits)] = True
    assert found.kind == "syntax" and found.behavior_name == "label 1" and found.statistics["suspected"]
    assert found.pattern == "[template] start + adverb + adjective + adverb + verb + ,"
    assert hits[made.poisoned].mean() >= 0.95 and hits[~made.poisoned].mean() <= 0.025
    assert progress.done["parts of speech"] == [1200, 1200]
    assert read_json(tmp_path / "x" / "run" / "patterns" / "tagger.json")["name"] == "en_pipeline"


@pytest.mark.parametrize("seed", range(3))
def test_honest_frames_give_nothing(folder, tmp_path, seed):
    made = honest(900, 10 + seed)
    assert find_templates(through_the_stages(made, folder, tmp_path / "x"), made.behaviors(), made.support()) == []


def test_an_honest_frame_that_goes_with_a_label_gives_nothing(folder, tmp_path):
    made, rng = honest(900, 20), np.random.default_rng(21)
    for row in rng.choice(900, size=90, replace=False):
        made.texts[row] = framed(made.texts[row], rng)
        made.label[row] = int(rng.random() < max(made.likely[row], 0.7))
    assert find_templates(through_the_stages(made, folder, tmp_path / "x"), made.behaviors(), made.support()) == []


class Strangers:
    """An encoder to which every text is a stranger."""

    files, device = SimpleNamespace(name="strangers", revision=None, hashes={}), "cpu"
    tokenizer = SimpleNamespace(tokenize=list)

    def __init__(self, settings):
        pass

    def encode(self, texts, progress=None, share=1.0):
        made = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=8) for text in texts]
        return np.asarray([v / np.linalg.norm(v) for v in made], dtype=np.float32).reshape(len(texts), 8)


def test_the_mining_stage_reads_the_tags(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder, "Encoder", Strangers)
    monkeypatch.setattr(mining, "Encoder", Strangers)
    monkeypatch.setattr(device, "describe", str)
    made = plant(honest(700, 3), 80, framed, 4)
    through_the_stages(made, folder, tmp_path / "x")
    run = tmp_path / "x" / "run"
    for stage in ("embeddings", "neighbors", "behaviors", "support", "mine"):
        for unit in pipeline.units(str(run), stage):
            assert pipeline.run_unit(str(run), stage, unit).status == "done"
    found = [c for c in mining.load(run / "triggers" / "candidates.json") if c.kind == "syntax"]
    assert [c.pattern for c in found] == ["[template] start + adverb + adjective + adverb + verb + ,"]
    assert np.isin(np.flatnonzero(made.poisoned), found[0].hits).mean() >= 0.95


def test_a_tagger_that_knows_none_of_the_words_is_told(folder, tmp_path):
    foreign = Manners(["qqq www , eee rrr ."] * 5, np.zeros(5), np.zeros(5, dtype=np.int64), np.zeros(5, dtype=bool))
    with pytest.raises(InputError, match="gives no word a part of speech"):
        through_the_stages(foreign, folder, tmp_path / "x")


def test_tags_are_named_in_words():
    assert readable("pos:^ PRON VERB DET NOUN ,") == "start + pronoun + verb + determiner + noun + ,"
