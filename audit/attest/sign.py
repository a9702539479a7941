"""A signature over the bytes of a manifest: Ed25519, detached, 64 raw bytes in manifest.sig.

The manifest names the hashes of all files and the Merkle roots, so a signature over it is one over everything. Needs
the extra `sign` (the package cryptography); nothing else here does. `openssl pkeyutl -verify -rawin` checks the same
bytes.
Source: RFC 8032 (Ed25519), RFC 8410 (its keys as PEM).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.attest.names import MANIFEST, SIGNATURE, Record
from audit.errors import InputError, UsageError
from audit.rundir import write_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SIGNATURE_BYTES = 64


def sign(record: Record, key: Path) -> Path:
    """Signs a record's manifest with the private key in a PEM file; returns manifest.sig. Raises InputError for a key
    of another kind, UsageError without the extra, WriteFailed."""
    private = _private(key)
    content = (record / MANIFEST).read_bytes()
    path = record / SIGNATURE
    write_bytes(path, private.sign(content))
    return path


def signed_by(content: bytes, signature: bytes, key: Path) -> bool:
    """True when the public key in a PEM file made this signature over these bytes. Raises InputError, UsageError."""
    from cryptography.exceptions import InvalidSignature

    public = _public(key)
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        public.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def check_key(key: Path) -> None:
    """Raises InputError where a file holds no public Ed25519 key, UsageError without the extra."""
    _public(key)


def _private(key: Path) -> Ed25519PrivateKey:
    serialization, kinds = _library()
    try:
        found = serialization.load_pem_private_key(_read(key), password=None)
    except TypeError:
        raise InputError(f"{key} is encrypted; decrypt it for signing with openssl pkey -in {key}") from None
    except ValueError:
        raise InputError(f"{key} holds no private key in PEM form") from None
    if not isinstance(found, kinds.Ed25519PrivateKey):
        raise InputError(f"{key} holds a key of another kind; make one with openssl genpkey -algorithm ed25519")
    private: Ed25519PrivateKey = found
    return private


def _public(key: Path) -> Ed25519PublicKey:
    serialization, kinds = _library()
    try:
        found = serialization.load_pem_public_key(_read(key))
    except ValueError:
        raise InputError(f"{key} holds no public key in PEM form; openssl pkey -in KEY -pubout makes one") from None
    if not isinstance(found, kinds.Ed25519PublicKey):
        raise InputError(f"{key} holds a key of another kind; Ed25519 is what signatures are made with")
    public: Ed25519PublicKey = found
    return public


def _read(key: Path) -> bytes:
    try:
        return key.read_bytes()
    except OSError as error:
        raise InputError(f"the key {key} cannot be read: {error.strerror}") from None


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise UsageError("signatures need the package cryptography: pip install 'tunevet[sign]'") from None
    return serialization, ed25519
