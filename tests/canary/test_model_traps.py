"""Booby-trapped models are refused before any library opens them: nothing runs, nothing outside is read."""

from __future__ import annotations

import pickle
import re
import time

import pytest
from canary import traps
from confinement.watch import watching

from audit.errors import InputError, UntrustedModel
from audit.models import header, language, weights
from audit.models.folder import check_folder


@pytest.fixture
def place(tmp_path):
    """(an honest model's folder, the canary, a folder outside with a secret)"""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_text(f'{{"key": "{traps.SECRET}"}}')
    (outside / "secret.safetensors").write_bytes(traps.safetensors(traps.HONEST))
    return traps.honest_model(tmp_path / "model"), tmp_path / "canary", outside


def test_the_honest_model_is_accepted(place):
    folder, _, _ = place
    files = weights.resolve(str(folder))
    assert len(files.hashes) == len(check_folder(folder)) == 8
    assert weights.licence_of(files) == "apache-2.0"


def test_the_traps_are_armed(place):
    _, canary, _ = place
    pickle.loads(pickle.dumps(traps.Payload(canary)))
    assert canary.exists()


@pytest.mark.parametrize("name", traps.MODEL_TRAPS)
def test_a_trapped_model_is_refused(name, place):
    folder, canary, outside = place
    trap, sentence = traps.MODEL_TRAPS[name]
    trap(folder, canary, outside)
    with watching() as seen, pytest.raises(UntrustedModel, match=re.escape(sentence)) as refused:
        weights.resolve(str(folder))
    assert not canary.exists()
    assert not seen.below(outside) and not seen.unpickled and not seen.connected
    assert traps.SECRET not in str(refused.value)
    assert len(str(refused.value)) < 700 and str(refused.value).isprintable()


def test_there_are_enough_traps():
    assert len(traps.MODEL_TRAPS) >= 60


@pytest.mark.parametrize("name", ["a header of 10 GB", "a tensor of 10 GB", "settings that nest without end"])
def test_a_lying_header_is_refused_at_once(name, place):
    folder, canary, outside = place
    traps.MODEL_TRAPS[name][0](folder, canary, outside)
    started = time.perf_counter()
    with pytest.raises(UntrustedModel):
        header.read_header(folder / "model.safetensors")
    assert time.perf_counter() - started < 1


def test_a_sparse_file_of_10_gb_is_refused_at_once(tmp_path):
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((10 << 30).to_bytes(8, "little"))
        file.truncate(11 << 30)
    started = time.perf_counter()
    with pytest.raises(UntrustedModel, match="claims a header of 10,737,418,240 bytes"):
        header.read_header(path)
    assert time.perf_counter() - started < 1


def test_the_header_reader_agrees_with_the_reference(tmp_path):
    numpy = pytest.importorskip("numpy")
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "model.safetensors"
    arrays = {"a": numpy.ones((3, 4), dtype=numpy.float32), "b": numpy.zeros(7, dtype=numpy.int64)}
    arrays["none"] = numpy.zeros((0, 5), dtype=numpy.float16)
    save_file(arrays, path, metadata={"format": "np"})
    found = header.read_header(path)
    with safe_open(path, framework="np") as reference:
        assert set(found) == set(reference.keys())
        for name in found:
            assert list(found[name].shape) == reference.get_slice(name).get_shape()
            assert found[name].dtype == reference.get_slice(name).get_dtype()


@pytest.mark.parametrize("name", ["owner/name", "owner/name@main", "owner/name@v1.0", "owner/name@" + "0" * 39])
def test_a_floating_revision_is_refused(name):
    with watching() as seen, pytest.raises(InputError, match="40-digit revision"):
        weights.resolve(name)
    assert not seen.connected


def test_a_language_model_is_held_to_the_same(place):
    folder, canary, outside = place
    traps.MODEL_TRAPS["an adapter of a base at a URL"][0](folder, canary, outside)
    with pytest.raises(UntrustedModel, match="merge it into its base"):
        language.find(str(folder), "full")


def test_a_hub_model_is_fetched_into_a_folder_and_checked_there(place, tmp_path, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    folder, canary, outside = place
    asked = {}

    def fetch(name, *, revision, local_dir, **patterns):
        asked.update(name=name, revision=revision, **patterns)
        folder.rename(local_dir) if not local_dir.exists() else None

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    (tmp_path / "hub" / "tunevet" / "models").mkdir(parents=True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    name = "owner/name@" + "a1" * 20
    weights._fetched.cache_clear()
    found = weights.opened(weights.resolve(name))
    assert found.location.startswith(str(tmp_path / "hub")) and len(found.hashes) == 8
    assert asked["revision"] == "a1" * 20 and not any(p.endswith((".bin", ".py")) for p in asked["allow_patterns"])
    traps.MODEL_TRAPS["auto_map in the configuration"][0](
        tmp_path / "hub/tunevet/models" / name.replace("/", "--"), canary, outside
    )
    weights._fetched.cache_clear()
    with pytest.raises(UntrustedModel, match="asks with auto_map"):
        weights.opened(weights.resolve(name))
    weights._fetched.cache_clear()
