"""The models lock: what it holds, and that every load is held against it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from canary.traps import change, honest_model
from typer.testing import CliRunner

from audit import config as configuration
from audit.cli.app import app
from audit.errors import InputError, UntrustedModel
from audit.job import LocalEngine, load_settings
from audit.models import lock, weights
from audit.models.encoder import Encoder

RUN = CliRunner()


def tunevet(*words):
    return RUN.invoke(app({"local": LocalEngine()}), list(map(str, words)))


@pytest.fixture
def model(tmp_path):
    return honest_model(tmp_path / "model")


@pytest.fixture
def locked(model, tmp_path):
    path = tmp_path / "models.lock"
    done = tunevet("models", "lock", model, "--lock", path)
    assert done.exit_code == 0, done.output
    return path


def test_a_lock_names_source_licence_and_every_file(model, locked):
    found = lock.read_lock(locked)[str(model)]
    assert (found.source, found.revision, found.licence) == ("folder", "", "apache-2.0")
    assert found.files == weights.resolve(str(model)).hashes and len(found.files) == 8


def test_a_lock_reads_back_as_it_was_written(tmp_path):
    models = [
        lock.Locked('owner/na"me@' + "a" * 40, "hub owner/name", "a" * 40, "mit", {"b/c.json": "0" * 64}),
        lock.Locked("mod\u00e8le \u202e", "folder", "", "", {"x y": "1" * 64}),
    ]
    path = tmp_path / "models.lock"
    path.write_text(lock.lock_text(models), encoding="utf-8")
    assert list(lock.read_lock(path).values()) == sorted(models, key=lambda m: m.name)


def test_what_is_locked_loads_and_what_changed_does_not(model, locked):
    assert weights.resolve(str(model), str(locked)).lock == str(locked)
    change(model, "config.json", hidden_act="relu")
    with pytest.raises(UntrustedModel, match=r"config\.json has SHA-256"):
        weights.resolve(str(model), str(locked))


@pytest.mark.parametrize("how", ["added", "missing"])
def test_a_file_more_or_less_is_refused(model, locked, how):
    (model / "more.txt").write_text("x") if how == "added" else (model / "LICENSE").unlink()
    with pytest.raises(UntrustedModel, match="was added" if how == "added" else "is missing"):
        weights.resolve(str(model), str(locked))


def test_a_folder_may_be_moved_and_another_model_is_not_in_the_lock(model, locked, tmp_path):
    moved = model.rename(tmp_path / "moved")
    assert weights.resolve(str(moved), str(locked)).hashes
    other = honest_model(tmp_path / "other")
    change(other, "config.json", hidden_act="relu")
    with pytest.raises(UntrustedModel, match=r"is not in .*models lock"):
        weights.resolve(str(other), str(locked))
    with pytest.raises(UntrustedModel, match="is not in"):
        weights.resolve("minilm", str(locked))


def test_the_encoder_is_held_against_the_lock(locked):
    settings = configuration.build({"model": {"lock": str(locked)}}).model
    with pytest.raises(UntrustedModel, match="'minilm' is not in"):
        Encoder(settings)


def test_a_lock_beside_the_settings_is_in_force(tmp_path, locked):
    (tmp_path / "nightly.toml").write_text('source = "x.jsonl"\n')
    assert load_settings(tmp_path / "nightly.toml").model.lock == str(locked)
    (tmp_path / "named.toml").write_text('[model]\nlock = "other.lock"\n')
    assert load_settings(tmp_path / "named.toml").model.lock == str(tmp_path / "other.lock")


def test_a_lock_that_is_named_and_not_there_stops_the_load(model, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        weights.resolve(str(model), str(tmp_path / "no.lock"))


def test_the_command_adds_to_a_lock(locked, tmp_path, model):
    other = honest_model(tmp_path / "other")
    assert tunevet("models", "lock", other, "--lock", locked, "--json").exit_code == 0
    assert set(lock.read_lock(locked)) == {str(model), str(other)}
    change(other, "config.json", auto_map={"AutoModel": "own.M"})
    before = locked.read_bytes()
    done = tunevet("models", "lock", other, "--lock", locked)
    assert done.exit_code == 2 and "asks with auto_map" in done.output and locked.read_bytes() == before


GOOD = lock.Locked("owner/name@" + "a" * 40, "hub owner/name", "a" * 40, "", {"m.safetensors": "0" * 64})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"revision": "main"}, "no commit of 40 digits"),
        ({"revision": ""}, "without a revision"),
        ({"files": {}}, "no files"),
        ({"files": {"a": "123"}}, "no SHA-256"),
        ({"files": {"../a": "0" * 64}}, "outside of the model"),
    ],
)
def test_a_lock_that_is_none_is_refused(tmp_path, wrong, said):
    path = tmp_path / "models.lock"
    path.write_text(lock.lock_text([dataclasses.replace(GOOD, **wrong)]))
    with pytest.raises(InputError, match=said):
        lock.read_lock(path)


@pytest.mark.parametrize(
    "text", ["", "version = 2\nmodel = []", "[[", json.dumps({"version": 1}), "version = 1\nmodel = [1]"]
)
def test_other_files_are_no_lock(tmp_path, text):
    path = tmp_path / "models.lock"
    path.write_text(text)
    with pytest.raises(InputError, match="the models lock"):
        lock.read_lock(path)
