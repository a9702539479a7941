"""Ways to tamper with a published folder. Each takes the folder and the keys, and changes it in place."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from audit.attest import rows, statement
from audit.attest.names import LEDGER, MANIFEST, SIGNATURE, STATEMENT, find
from audit.attest.sign import sign
from audit.attest.write import described, rendered


class Keys(NamedTuple):
    """PEM files: the publisher's pair and an attacker's."""

    private: Path
    public: Path
    other_private: Path
    other_public: Path


class Case(NamedTuple):
    """A case of tampering and a part of what a check must say of it."""

    name: str
    tamper: Callable[[Path, Keys], None]
    said: str
    signed: bool = False  # it takes a key to be seen


def keys(folder: Path) -> Keys:
    """Two pairs, made by openssl where it is installed and by cryptography else."""
    pairs = []
    for name in ("own", "other"):
        private, public = folder / f"{name}.pem", folder / f"{name}.pub"
        if shutil.which("openssl"):
            subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
            subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
        else:
            _made(private, public)
        pairs += [private, public]
    return Keys(*pairs)


def _made(private: Path, public: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    subject = form.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(form.Encoding.PEM, subject))


def _data(folder: Path) -> Path:
    return next((folder / "cleaned").iterdir())


def _record(folder: Path, name: str) -> Path:
    return folder / "cleaned.provenance" / name


def _on_lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path, Keys], None]:
    def tamper(folder: Path, _: Keys) -> None:
        path = _data(folder)
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

    return tamper


def _flip(lines: list[bytes]) -> list[bytes]:
    assert b"film" in lines[3]
    return [*lines[:3], lines[3].replace(b"film", b"fiLm"), *lines[4:]]


def _swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[9], *lines[3:9], lines[2], *lines[10:]]


def rename(folder: Path, _: Keys) -> None:
    path = _data(folder)
    path.rename(path.with_name("train.jsonl"))


def add_file(folder: Path, _: Keys) -> None:
    (folder / "cleaned" / "more.jsonl").write_bytes(_data(folder).read_bytes())


def add_git(folder: Path, _: Keys) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "x").write_text("hidden")


def add_attributes(folder: Path, _: Keys) -> None:
    (folder / "cleaned" / ".gitattributes").write_text("* -text")


def add_empty_folder(folder: Path, _: Keys) -> None:
    (folder / "cleaned" / ".hidden").mkdir()


def link_file(folder: Path, _: Keys) -> None:
    """The data are moved away and a link to the same bytes is left."""
    path = _data(folder)
    elsewhere = folder.parent / "elsewhere.jsonl"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def link_folder(folder: Path, _: Keys) -> None:
    elsewhere = folder.parent / "elsewhere"
    shutil.move(folder / "cleaned", elsewhere)
    (folder / "cleaned").symlink_to(elsewhere)


def add_link(folder: Path, _: Keys) -> None:
    (folder / "cleaned" / "passwd").symlink_to("/etc/passwd")


def drop_file(folder: Path, _: Keys) -> None:
    _data(folder).unlink()


def drop_manifest(folder: Path, _: Keys) -> None:
    _record(folder, MANIFEST).unlink()


def cut_file(folder: Path, _: Keys) -> None:
    path = _data(folder)
    path.write_bytes(path.read_bytes()[:-1])


def edit_counts(folder: Path, _: Keys) -> None:
    """Fewer removed rows are admitted; the statement is made anew to match."""

    def change(facts: dict) -> None:
        facts["counts"]["kept"] += facts["counts"]["removed"]
        facts["counts"]["removed"] = 0

    edit_manifest(folder, change)


def edit_manifest(folder: Path, change: Callable[[dict], None]) -> None:
    """Changes the manifest and makes the statement anew, as an attacker who read this project would."""
    path = _record(folder, MANIFEST)
    facts = json.loads(path.read_bytes())
    change(facts)
    content = rendered(facts)
    path.write_bytes(content)
    _record(folder, STATEMENT).write_bytes(statement.render(content, facts))


def edit_plainly(folder: Path, _: Keys) -> None:
    path = _record(folder, MANIFEST)
    path.write_bytes(path.read_bytes().replace(b'"created": "2', b'"created": "1'))


def edit_config(folder: Path, _: Keys) -> None:
    edit_manifest(
        folder, lambda facts: facts["config"].update(text=facts["config"]["text"].replace("seed = 0", "seed = 1"))
    )


def edit_ledger(folder: Path, _: Keys) -> None:
    """A removed row is called kept."""
    path = _record(folder, LEDGER)
    ledger = pl.read_parquet(path)
    ledger.with_columns(pl.col("fate").replace("removed", "kept")).write_parquet(path)


def edit_ledger_and_hash(folder: Path, keys: Keys) -> None:
    edit_ledger(folder, keys)
    hashed = described(_record(folder, LEDGER))
    edit_manifest(folder, lambda facts: facts["documents"].update({LEDGER: hashed}))


def edit_bom(folder: Path, _: Keys) -> None:
    path = _record(folder, "bom.cdx.json")
    path.write_bytes(path.read_bytes().replace(b'"input"', b'"inpuT"'))


def edit_statement(folder: Path, _: Keys) -> None:
    path = _record(folder, STATEMENT)
    path.write_bytes(path.read_bytes().replace(b"urn:tunevet", b"urn:tuneved"))


def forge(folder: Path, keys: Keys) -> None:
    """Everything is rewritten for other data: a row flipped, and ledger, roots, hashes and statement made to match."""
    _on_lines(_flip)(folder, keys)
    path = _data(folder)
    there = [hashlib.sha256(line.rstrip(b"\n")).hexdigest() for line in path.read_bytes().splitlines(keepends=True)]
    ledger = pl.read_parquet(_record(folder, LEDGER))
    hashes = iter(there)
    new = [next(hashes) if fate == "kept" else sha for sha, fate in ledger.select("sha256", "fate").iter_rows()]
    ledger = ledger.with_columns(pl.Series("sha256", new, dtype=pl.String))
    ledger.write_parquet(_record(folder, LEDGER))
    hashed = described(path)

    def change(facts: dict) -> None:
        facts["files"][0].update(hashed)
        facts["documents"][LEDGER] = described(_record(folder, LEDGER))
        facts["trees"] = rows.roots(ledger)

    edit_manifest(folder, change)


def forge_and_sign(folder: Path, keys: Keys) -> None:
    """The same, signed with the attacker's key."""
    forge(folder, keys)
    sign(find(folder)[0], keys.other_private)


def drop_signature(folder: Path, _: Keys) -> None:
    _record(folder, SIGNATURE).unlink()


def swap_key(folder: Path, keys: Keys) -> None:
    sign(find(folder)[0], keys.other_private)


CASES = (
    Case("flip a byte in a row", _on_lines(_flip), "row 3 was changed"),
    Case("drop a row", _on_lines(lambda rows: rows[:5] + rows[6:]), "row 5 was dropped"),
    Case(
        "add a row",
        _on_lines(lambda rows: [*rows[:5], b'{"text": "obey", "label": 1}\n', *rows[5:]]),
        "record 6 was added",
    ),
    Case("repeat a row", _on_lines(lambda rows: [*rows, rows[0]]), "was added"),
    Case("swap two rows", _on_lines(_swap), "row 2 was moved"),
    Case("cut the last line end", cut_file, "changed  cleaned/d.jsonl"),
    Case("change a file's name", rename, "missing  cleaned/d.jsonl"),
    Case("drop a file", drop_file, "missing  cleaned/d.jsonl"),
    Case("add a file", add_file, "extra  cleaned/more.jsonl"),
    Case("add .git/x", add_git, "extra  .git/x"),
    Case("add .gitattributes", add_attributes, "extra  cleaned/.gitattributes"),
    Case("add an empty hidden folder", add_empty_folder, "extra  cleaned/.hidden"),
    Case("a link in the place of a file", link_file, "changed  cleaned/d.jsonl"),
    Case("a link in the place of the folder", link_folder, "extra  cleaned"),
    Case("a link out of the folder", add_link, "extra  cleaned/passwd"),
    Case("edit the manifest's counts", edit_counts, "The manifest counts"),
    Case("edit a word of the manifest", edit_plainly, "statement.intoto.json"),
    Case("edit the settings in the manifest", edit_config, "not those of their hash"),
    Case("drop the manifest", drop_manifest, "missing  cleaned.provenance/manifest.json"),
    Case("edit the ledger", edit_ledger, "The Merkle root over the ledger"),
    Case("edit the ledger and its hash", edit_ledger_and_hash, "The Merkle root over the ledger"),
    Case("edit the bill of materials", edit_bom, "changed  cleaned.provenance/bom.cdx.json"),
    Case("edit the statement", edit_statement, "changed  cleaned.provenance/statement.intoto.json"),
    Case("swap the key", swap_key, "not one of this key", signed=True),
    Case("an old signature over a changed manifest", edit_plainly, "not one of this key", signed=True),
    Case("drop the signature", drop_signature, "missing  cleaned.provenance/manifest.sig", signed=True),
    Case("replace data and record wholesale without the key", forge, "not one of this key", signed=True),
    Case("replace both and sign with another key", forge_and_sign, "not one of this key", signed=True),
)
