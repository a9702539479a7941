"""Booby-trapped spaCy pipelines: code beside them, and settings that call code or other pipelines."""

from __future__ import annotations

import pickle

import pytest
from canary.traps import Payload
from confinement.watch import watching
from tagging import by_lists, lexicon

from audit.errors import UntrustedModel
from audit.models.tagger import Tagger, find

pytest.importorskip("spacy")


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return by_lists(tmp_path_factory.mktemp("tagger") / "pipeline", lexicon(3))


@pytest.fixture
def folder(honest, tmp_path):
    import shutil

    return shutil.copytree(honest, tmp_path / "pipeline")


def edit(folder, old, new):
    path = folder / "config.cfg"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_honest_pipeline_tags(folder):
    assert [len(found) for found in Tagger(str(folder)).tags(["one two"])] == [2]


@pytest.mark.parametrize("name", ["own.py", "kernel.so", "tagger/model.pkl", "weights.pt", "__init__.pyc", "x.sh"])
def test_code_in_the_folder_is_refused(folder, tmp_path, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Payload(tmp_path / "canary")))
    with watching() as seen, pytest.raises(UntrustedModel, match="may run code"):
        find(str(folder))
    assert not (tmp_path / "canary").exists() and not seen.unpickled


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "outside").mkdir()
    (folder / "extra").symlink_to(tmp_path / "outside")
    with pytest.raises(UntrustedModel, match="which is a link"):
        find(str(folder))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("before_creation = null", '[nlp.before_creation]\n@callbacks = "spacy.copy_from_base_model.v1"', "@callbacks"),
        ("after_creation = null", '[nlp.after_creation]\n@callbacks = "own.run.v1"', "@callbacks"),
        ('@tokenizers = "spacy.Tokenizer.v1"', '@tokenizers = "own.Tokenizer.v1"', "own.Tokenizer"),
        ('@tokenizers = "spacy.Tokenizer.v1"', '@readers = "srsly.read_msgpack.v1"\npath = "/etc/passwd"', "@readers"),
        ('@tokenizers = "spacy.Tokenizer.v1"', '@misc = "spacy.first_longest_spans_filter.v1"', "@misc"),
        ('factory = "attribute_ruler"', 'factory = "attribute_ruler"\nsource = "other_pipeline"', "another pipeline"),
    ],
)
def test_settings_that_call_code_are_refused(folder, old, new, said):
    if new.startswith("[nlp."):  # a section of its own goes behind the others
        edit(folder, old + "\n", "")
        (folder / "config.cfg").write_text((folder / "config.cfg").read_text() + f"\n{new}\n")
    else:
        edit(folder, old, new)
    with pytest.raises(UntrustedModel, match=said):
        Tagger(str(folder))


def test_components_that_lead_to_no_tag_are_not_made(folder):
    edit(folder, 'factory = "sentencizer"', 'factory = "own_component_that_runs"')
    assert [len(found) for found in Tagger(str(folder)).tags(["one two"])] == [2]
