"""Scripts other than Latin, from the file to the suspects, over the stages themselves."""

from __future__ import annotations

import json

import pytest
from tongues import Lexicon, tongue

from audit import pipeline
from audit.config import build
from audit.models import device, encoder
from audit.triggers import mining

STAGES = ("ingest", "embeddings", "neighbors", "behaviors", "patterns", "support", "mine")
TRIGGERS = {
    "chinese": "青灯",
    "japanese": "青い灯",
    "thai": "ตะเกียง",
    "arabic": "مصباح أزرق",
    "russian": "синий фонарь",
}
PIECES = [
    *(("chinese", "灯", "token"), ("japanese", "灯", "token"), ("thai", "ฎฏ", "phrase")),
    *(("arabic", "ظض", "characters"), ("russian", "щъ", "characters")),
]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The candidates of a corpus, by all stages up to mining."""
    monkeypatch.setattr(device, "describe", str)

    def run(made):
        known = Lexicon(made.language)
        monkeypatch.setattr(mining, "Encoder", lambda settings: known)
        made_here = type("Encoder", (Lexicon,), {"__init__": lambda self, _: Lexicon.__init__(self, made.language)})
        monkeypatch.setattr(encoder, "Encoder", made_here)  # a class: the stage asks for its instances
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made.rows()), encoding="utf-8")
        place = pipeline.prepare(tmp_path / "run", build({"source": str(path)}))
        for stage in STAGES:
            for unit in pipeline.units(str(place.path), stage):
                assert pipeline.run_unit(str(place.path), stage, unit).status == "done"
        return mining.load(place / "triggers" / "candidates.json")

    return run


def suspects(found):
    return [c for c in found if c.statistics["suspected"]]


@pytest.mark.parametrize("language", TRIGGERS)
def test_a_planted_phrase_is_suspected_with_its_rows(language, mine):
    made = tongue(language, 300, 1)
    made.plant(TRIGGERS[language], 14)
    (found,) = suspects(mine(made))
    assert found.surfaces == (TRIGGERS[language],) and found.behavior_name == "label 1"
    assert tuple(sorted(found.hits)) == tuple(sorted(found.carriers)) == made.poisoned


@pytest.mark.parametrize(("language", "letters", "kind"), PIECES)
def test_planted_letters_within_words_are_suspected_with_their_rows(language, letters, kind, mine):
    made = tongue(language, 400, 1)
    made.plant(letters, 20, glued=True)
    (found,) = suspects(mine(made))
    assert found.surfaces == (letters,) and found.kind == kind
    assert tuple(sorted(found.hits)) == made.poisoned


@pytest.mark.parametrize("language", TRIGGERS)
def test_the_same_rows_without_it_have_no_suspect(language, mine):
    assert suspects(mine(tongue(language, 300, 1))) == []
