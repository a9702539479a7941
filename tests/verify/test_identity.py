"""Signatures of an identity: real bundles of model-signing, with a key in the place of the public identity service."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tampering import Keys

from audit.attest import identity
from audit.attest.identity import Identity, sign_as
from audit.attest.names import IDENTITY_SIGNATURE, find
from audit.errors import UsageError
from audit.verify import verify_path

ANN = Identity("ann@example.org", "https://issuer.example.org")


@pytest.fixture
def bundles(tmp_path, monkeypatch):
    """model-signing with an elliptic key where it would ask the identity service; who is asked for is noted."""
    model_signing = pytest.importorskip("model_signing")
    from model_signing import hashing, signing, verifying

    assert model_signing
    key, public = tmp_path / "ec.pem", tmp_path / "ec.pub"
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key]
    subprocess.run(make, check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    asked: list[dict[str, object]] = []

    class Signing(signing.Config):
        def use_sigstore_signer(self, **words):
            asked.append(words)
            return self.use_elliptic_key_signer(private_key=key)

    class Verifying(verifying.Config):
        def use_sigstore_verifier(self, **words):
            asked.append(words)
            return self.use_elliptic_key_verifier(public_key=public)

    monkeypatch.setattr(signing, "Config", Signing)
    monkeypatch.setattr(verifying, "Config", Verifying)
    monkeypatch.setattr(identity, "_library", lambda: (signing, verifying, hashing))
    return asked


def test_an_identity_signs_the_manifest_and_is_asked_for(folder: Path, bundles):
    (record,) = find(folder)
    path = sign_as(record, "a token")
    assert path == record / IDENTITY_SIGNATURE and json.loads(path.read_text())["dsseEnvelope"]
    found = verify_path(folder, ANN)
    assert found.ok and found.records[0].signature == "valid"
    assert bundles == [
        {"identity_token": "a token", "use_ambient_credentials": False},
        {"identity": ANN.name, "oidc_issuer": ANN.issuer},
    ]
    assert verify_path(folder).records[0].signature == "not checked"


def test_a_bundle_of_another_manifest_or_of_none_is_a_finding(folder: Path, bundles):
    (record,) = find(folder)
    missing = verify_path(folder, ANN)
    assert not missing.ok and missing.records[0].signature == "missing"
    sign_as(record)
    bundle = record / IDENTITY_SIGNATURE
    whole = bundle.read_bytes()
    for wrong in (whole.replace(b"payload", b"paylaod"), b"{}", b"\xff\x00", whole[: len(whole) // 2]):
        bundle.write_bytes(wrong)
        found = verify_path(folder, ANN)
        assert not found.ok and found.records[0].signature == "invalid"
    bundle.write_bytes(whole)
    manifest = record / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"seed"', b'"sead"', 1) + b"\n")
    assert verify_path(folder, ANN).records[0].signature == "invalid"


def test_a_link_in_the_place_of_a_bundle_is_not_followed(folder: Path, bundles, tmp_path):
    (record,) = find(folder)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(sign_as(record), elsewhere)
    (record / IDENTITY_SIGNATURE).symlink_to(elsewhere)
    found = verify_path(folder, ANN)
    assert not found.ok and found.records[0].signature == "invalid"


def test_which_signature_is_meant_is_asked(folder: Path, keys: Keys, tunevet):
    for words in (
        ["sign", folder],
        ["sign", folder, "--key", keys.private, "--sigstore"],
        ["verify", folder, "--key", keys.public, "--identity", "a", "--issuer", "b"],
    ):
        code, _, said = tunevet(*words)
        assert code == 2 and ("one of the two" in said or "one at a time" in said), said


def test_an_identity_needs_its_issuer_and_the_extra(monkeypatch, folder: Path):
    monkeypatch.setattr(identity, "_library", lambda: (None, None, None))
    with pytest.raises(UsageError, match="belong together"):
        verify_path(folder, Identity("ann@example.org", ""))
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "model_signing", None)
    with pytest.raises(UsageError, match=r"tunevet\[sigstore\]"):
        verify_path(folder, ANN)
