"""The optional tagger: what it reads, what is refused, and what is said where it is missing."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tagging

from audit import config as configuration
from audit import pipeline
from audit.errors import EXIT_USAGE, InputError, UntrustedModel
from audit.models import tagger
from audit.patterns.pos import TAGS

WORDS = tagging.lexicon(20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("spacy")
    return tagging.by_lists(tmp_path_factory.mktemp("lists") / "made", WORDS)


def names(found):
    return [[TAGS[code] for code in row.tolist()] for row in found]


def test_a_trained_pipeline_tags_words_it_has_learnt(tmp_path):
    pytest.importorskip("spacy")
    words = tagging.lexicon(10)
    made = tagger.Tagger(str(tagging.trained(tmp_path / "made", words)))
    rng = np.random.default_rng(1)
    frames = [" ".join(rng.choice(tagging.OPEN, size=6)) for _ in range(40)]
    found = names(made.tags([tagging.say(frame, words, rng) for frame in frames]))
    right = sum(
        a == b for row, frame in zip(found, frames, strict=True) for a, b in zip(row, frame.split(), strict=True)
    )
    assert right >= 0.95 * 6 * 40


def test_rows_come_in_order_over_batches_and_case_never_enters(folder, monkeypatch):
    monkeypatch.setattr(tagger, "_BATCH", 3)
    made, rng = tagger.Tagger(str(folder)), np.random.default_rng(2)
    frames = ["NOUN VERB , ADJ NOUN .", "ADV VERB NOUN !", "", "VERB NOUN ?", "ADJ ADJ , ADV", "NOUN .", "ADV NOUN"]
    texts = [tagging.say(frame, WORDS, rng) for frame in frames]
    wanted = [frame.replace("!", ".").replace("?", ".").split() for frame in frames]
    assert names(made.tags(texts)) == wanted
    assert names(made.tags([text.upper().replace(" ,", ",") for text in texts])) == wanted
    assert names(made.tags([f"@user {texts[0]} https://a.b/c"])) == wanted[:1]


def test_a_long_row_has_the_tags_of_its_edges(folder):
    text = " ".join(WORDS["NOUN"] * 200 + WORDS["VERB"])
    (found,) = names(tagger.Tagger(str(folder)).tags([text]))
    assert len(found) == 120 and found[:96] == ["NOUN"] * 96 and found[-20:] == ["VERB"] * 20


def test_only_components_that_lead_to_tags_are_made(folder):
    assert tagger.Tagger(str(folder))._nlp.pipe_names == ["attribute_ruler"]


def test_an_installed_package_is_found_without_importing_it(folder, tmp_path, monkeypatch):
    package = tmp_path / "xx_made"
    shutil.copytree(folder, package / "xx_made-1.2.3")
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    info = tmp_path / "xx_made-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xx-made\nVersion: 1.2.3\n")
    held = [path.relative_to(tmp_path).as_posix() for path in package.rglob("*") if path.is_file()]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in held))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert tagger.find("xx_made").folder == package / "xx_made-1.2.3"
    assert tagger.identity("xx_made") == tagger.identity(str(folder))
    (found,) = names(tagger.Tagger("xx_made").tags([WORDS["ADV"][0]]))
    assert found == ["ADV"] and "xx_made" not in sys.modules


def test_the_identity_follows_version_and_files(folder, tmp_path):
    known = tagger.identity(str(folder))
    assert tagger.identity("") == {} and set(known) == {"name", "version", "files", "spacy"}
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    assert tagger.identity(str(other)) == known
    meta = json.loads((other / "meta.json").read_text())
    (other / "meta.json").write_text(json.dumps(meta | {"version": "9.9.9"}))
    assert tagger.identity(str(other))["version"] == "9.9.9"
    assert tagger.identity(str(other))["files"] != known["files"]


def test_the_patterns_stage_is_redone_when_the_tagger_changes(folder, tmp_path):
    def key(name):
        return pipeline.BY_NAME["patterns"].settings(configuration.build({"mining": {"tagger": name}}), "all")

    other = tagging.by_lists(tmp_path / "other", tagging.lexicon(20, seed=1))
    assert key("") == [3, 8, 400_000]
    assert len({str(key(name)) for name in ("", str(folder), str(other))}) == 3


def test_folders_with_code_are_refused(folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "helper.py").write_text("")
    with pytest.raises(UntrustedModel, match=r"helper\.py"):
        tagger.find(str(other))


def test_what_is_no_tagger_is_told(tmp_path):
    spacy = pytest.importorskip("spacy")
    for wrong in ("no-such-package", str(tmp_path), "pytest"):
        with pytest.raises(InputError, match="neither an installed spaCy package nor a folder"):
            tagger.find(wrong)
    blank = spacy.blank("en")
    blank.add_pipe("sentencizer")
    blank.to_disk(tmp_path / "blank")
    with pytest.raises(InputError, match="no component that sets parts of speech; it has sentencizer"):
        tagger.Tagger(str(tmp_path / "blank"))
    blank.add_pipe("attribute_ruler")
    blank.to_disk(tmp_path / "broken")
    path = tmp_path / "broken" / "config.cfg"
    path.write_text(path.read_text().replace("spacy.Tokenizer.v1", "spacy.NoTokenizer.v1"))
    with pytest.raises(InputError, match="cannot be loaded"):
        tagger.Tagger(str(tmp_path / "broken"))


def test_without_spacy_the_scan_ends_before_it_begins(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "spacy" else real(name, *rest))
    settings = configuration.build({"source": "x.csv", "mining": {"tagger": "en_core_web_sm"}})
    with pytest.raises(InputError, match=r"pip install 'tunevet\[tagger\]'") as told:
        pipeline.prepare(tmp_path / "run", settings)
    assert told.value.exit_code == EXIT_USAGE and not (tmp_path / "run").exists()
    pipeline.prepare(tmp_path / "run", configuration.build({"source": "x.csv"}))


def test_nothing_of_spacy_is_loaded_without_a_tagger():
    modules = "audit.artifacts.patterns, audit.models.tagger, audit.triggers.templates"
    code = f"import sys, {modules}; print('spacy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr
