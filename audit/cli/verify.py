"""`tunevet verify` and `tunevet sign`: is what lies there what was written, and by whom?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.options import Json
from audit.cli.streams import Streams, open_streams, reporting, write_object
from audit.cli.words import plain
from audit.errors import EXIT_FINDINGS, EXIT_OK, InputError, IntegrityError, UsageError

_WORDS = {
    "valid": "signed, as asked",
    "invalid": "NOT signed as asked",
    "missing": "not signed, and a signature was asked for",
    "not checked": "signed; give --key or --identity to check by whom",
    "none": "not signed",
}


def verify(
    path: Annotated[Path, typer.Argument(help="A run directory, or published data with their .provenance folder.")],
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key (PEM) that must have signed.", dir_okay=False)
    ] = None,
    identity: Annotated[
        str | None, typer.Option("--identity", help="Who must have signed with Sigstore: an address or a workflow.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option("--issuer", help="The OpenID Connect issuer that names the identity.")
    ] = None,
    row: Annotated[
        int | None, typer.Option("--row", help="Prove this row of the input by its Merkle path.", min=0)
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="A path that may lie there besides, such as README.md. Repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that a run directory or published data are as they were written. Offline (but for --identity).

    Exits 0 when all stands, 1 with the names of files and rows that were changed, dropped, added or moved, 2 when
    there is nothing to check.
    """
    from audit.verify import verify_path

    streams = open_streams()
    with reporting(streams, as_json):
        found = verify_path(path, _signer(key, identity, issuer), allow or ())
        proofs = _proofs(found, row) if row is not None else None
        lists = {name: list(getattr(found, name)) for name in ("missing", "changed", "extra", "broken")}
        if as_json:
            signed = [{"manifest_sha256": r.manifest_sha256, "signature": r.signature} for r in found.records]
            more = {"row": proofs} if proofs else {}
            write_object({"ok": found.ok, "checked": found.checked, **lists, "records": signed, **more})
        else:
            _screen(streams, found, proofs)
    raise typer.Exit(EXIT_OK if found.ok else EXIT_FINDINGS)


def _signer(key: Path | None, identity: str | None, issuer: str | None) -> Any:
    """Who must have signed: the file of a public key, an identity, or nobody in particular."""
    from audit.attest.identity import Identity

    if identity is None and issuer is None:
        return key
    if key is not None:
        raise UsageError("--key and --identity ask for two signatures; check one at a time")
    return Identity(identity or "", issuer or "")


def _proofs(found: Any, row: int) -> dict[str, Any]:
    from audit.attest.prove import prove

    if len(found.records) != 1:
        raise InputError(f"--row needs data with one record of provenance; there are {len(found.records)}")
    entry, proofs = prove(found.records[0], row)
    return {"entry": entry, "proofs": [proof.to_dict() for proof in proofs]}


def _screen(streams: Streams, found: Any, proofs: dict[str, Any] | None) -> None:
    out = streams.out
    for word in ("missing", "changed", "extra"):
        for name in getattr(found, word):
            out.print(plain(f"{word}  {name}", style="red"), soft_wrap=True)
    for sentence in found.broken:
        out.print(plain(sentence, style="red"), soft_wrap=True)
    for record in found.records:
        for name in record.left_out:
            out.print(plain(f"not here  {name} (need not be published)"), soft_wrap=True)
        out.print(plain(f"manifest  {record.manifest_sha256 or 'none'}, {_WORDS[record.signature]}"), soft_wrap=True)
    if proofs:
        _path(streams, proofs)
    ending = "all as written, and rows in = rows out." if found.ok else "not as written."
    out.print(f"{found.checked:,} files checked: {ending}")


def _path(streams: Streams, proofs: dict[str, Any]) -> None:
    entry = proofs["entry"]
    words = f"row {entry['row']}: {entry['fate']}, SHA-256 {entry['sha256'] or 'none'}"
    streams.out.print(plain(words, style="bold"), soft_wrap=True)
    for proof in proofs["proofs"]:
        place = f"leaf {proof['index']} of {proof['leaves']} of the tree over {proof['tree']}"
        streams.out.print(plain(place), soft_wrap=True)
        streams.out.print(plain(f"  leaf   {proof['leaf']}"), soft_wrap=True)
        for step in proof["path"]:
            streams.out.print(plain(f"  {step['side']:5}  {step['sha256']}"), soft_wrap=True)
        streams.out.print(plain(f"  root   {proof['root']}"), soft_wrap=True)
        style = "" if proof["holds"] else "red"
        streams.out.print(plain("  proved" if proof["holds"] else "  NOT proved", style=style), soft_wrap=True)


def sign(
    path: Annotated[Path, typer.Argument(help="A run directory, or published data with their .provenance folder.")],
    key: Annotated[Path | None, typer.Option("--key", help="A private Ed25519 key (PEM).", dir_okay=False)] = None,
    sigstore: Annotated[
        bool, typer.Option("--sigstore", help="Sign as yourself, or as this CI job, with Sigstore. Needs a network.")
    ] = False,
    token: Annotated[
        str | None, typer.Option("--token", help="An OpenID Connect token for --sigstore.", envvar="SIGSTORE_ID_TOKEN")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign the manifest of cleaned data, after it was checked. Needs the extra `sign`, or `sigstore`.

    A key: openssl genpkey -algorithm ed25519 -out key.pem, and openssl pkey -in key.pem -pubout -out key.pub
    """
    from audit.attest.identity import sign_as
    from audit.attest.sign import sign as sign_record
    from audit.verify import verify_path

    streams = open_streams()
    with reporting(streams, as_json):
        if (key is None) == (not sigstore):
            raise UsageError("give --key KEY or --sigstore, one of the two")
        found = verify_path(path)
        if not found.ok:
            raise IntegrityError(f"{path} is not as it was written, so it is not signed; see tunevet verify {path}")
        if not found.records:
            raise InputError(f"{path} holds no record of provenance to sign")
        written = [sign_record(r.record, key) if key else sign_as(r.record, token) for r in found.records]
        if as_json:
            write_object({"signed": [str(p) for p in written], "manifests": [r.manifest_sha256 for r in found.records]})
        for place in written if not as_json else ():
            streams.out.print(plain(str(place)), soft_wrap=True)
