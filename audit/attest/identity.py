"""A signature by an identity in place of a key: a Sigstore bundle over manifest.json, in manifest.sigstore.json.

`model-signing` makes and checks it (extra `sigstore`): an in-toto statement with the SHA-256 of the manifest, in a DSSE
envelope, with a certificate that names who signed and an entry in a public log. Signing needs a network; so does
checking, the first time on a machine (the roots of trust are fetched). Its own command checks the same bundle:
`model_signing verify sigstore manifest.json --signature manifest.sigstore.json --identity WHO --identity_provider URL`.

Source: Sigstore bundle v0.3; DSSE; OpenSSF model signing 1.1.
Misses: whether that identity may sign your data is yours to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.attest.names import IDENTITY_SIGNATURE, MANIFEST, Record
from audit.durable import temporary_folder
from audit.errors import InputError, UsageError
from audit.rundir import write_bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """Who must have signed: a mail address or the URL of a workflow, and the OpenID Connect issuer that says so."""

    name: str
    issuer: str


def sign_as(record: Record, token: str | None = None) -> Path:
    """Signs a record's manifest with the identity of an OpenID Connect token, of the machine (in CI), or of whoever
    logs in by the browser; returns manifest.sigstore.json. Raises InputError where no signature comes about, UsageError
    without the extra, WriteFailed."""
    signing, _, hashing = _library()
    with temporary_folder("tunevet-") as folder:
        manifest, bundle = folder / MANIFEST, folder / IDENTITY_SIGNATURE
        write_bytes(manifest, (record / MANIFEST).read_bytes())
        try:
            config = signing.Config().set_hashing_config(_whole(hashing))
            config.use_sigstore_signer(identity_token=token, use_ambient_credentials=token is None)
            config.sign(manifest, bundle)
        except Exception as error:
            raise InputError(f"no signature came about: {_words(error)}") from error
        signature = bundle.read_bytes()
    path = record / IDENTITY_SIGNATURE
    write_bytes(path, signature)
    return path


def signed_as(content: bytes, signature: bytes, identity: Identity) -> str:
    """Why a bundle is no signature of this identity over these bytes; empty where it is one. Raises UsageError."""
    _, verifying, hashing = _library()
    with temporary_folder("tunevet-") as folder:
        manifest, bundle = folder / MANIFEST, folder / IDENTITY_SIGNATURE
        write_bytes(manifest, content)
        write_bytes(bundle, signature)
        try:
            config = verifying.Config().set_hashing_config(_whole(hashing))
            config.use_sigstore_verifier(identity=identity.name, oidc_issuer=identity.issuer)
            config.verify(manifest, bundle)
        except Exception as error:  # noqa: BLE001 - the bundle is hostile: whatever it leads to, it is no signature
            return _words(error)
    return ""


def check_identity(identity: Identity) -> None:
    """Raises UsageError without the extra, or where a name or issuer is empty."""
    _library()
    if not identity.name or not identity.issuer:
        raise UsageError("--identity and --issuer belong together: who must have signed, and who says that it is them")


def _whole(hashing: Any) -> Any:
    """SHA-256 over the whole file, no path left out."""
    config = hashing.Config().use_file_serialization(hashing_algorithm="sha256", allow_symlinks=False)
    return config.set_ignored_paths(paths=[], ignore_git_paths=False)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"


def _library() -> tuple[Any, Any, Any]:
    try:
        from model_signing import hashing, signing, verifying
    except ImportError:
        raise UsageError("an identity's signature needs model-signing: pip install 'tunevet[sigstore]'") from None
    return signing, verifying, hashing
