"""Is a record of provenance true of what lies beside it? Offline, from the files alone, in this order: signature,
manifest, files, rows and their order, ledger, conservation, statement, and nothing else in the folder.

Nothing in the folder is trusted: paths are checked before they are opened, no link is followed, columnar files and the
ledger are parsed by a child process.
Misses: somebody who replaces data and record together, where there is no signature to ask for (docs/provenance.md).
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import polars as pl

from audit.attest import identity, rows, sign, statement
from audit.attest.compare import differences
from audit.attest.manifest import Malformed, parse
from audit.attest.names import (
    IDENTITY_SIGNATURE,
    LEDGER,
    MANIFEST,
    SIGNATURE,
    SIGNATURES,
    STATEMENT,
    WRITTEN,
    Record,
    opened,
    walk,
)
from audit.attest.write import counts
from audit.config import IngestConfig, build
from audit.errors import ConfigError
from audit.schema import InputFile

Signer = Path | identity.Identity  # the file of a public key, or who must have signed
Kind = Literal["missing", "changed", "extra", "broken"]
_BLOCK = 1 << 20
_MOST_MANIFEST_BYTES = 1 << 30
_MOST_SIGNATURE_BYTES = 1 << 20  # a bundle holds certificates and an entry of a log
_MAY_STAY_BEHIND = ("removed", "summary")  # roles whose files need not be published
_DAMAGED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)  # what a forged layout leads to


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was written. `name`: the file, relative to the checked folder."""

    kind: Kind
    name: str
    text: str  # one sentence, "" where the kind and the name say it all


@dataclass(slots=True)
class Checked:
    """What a check of one record found."""

    record: Record
    manifest_sha256: str = ""
    signature: Literal["valid", "invalid", "missing", "not checked", "none"] = "none"
    files: int = 0  # that were hashed
    left_out: list[str] = field(default_factory=list)  # files that may stay behind, and did
    ledger: pl.DataFrame | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # the manifest, where it could be read
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: Kind, name: str, text: str = "") -> None:
        self.problems.append(Problem(kind, name, text))


def check(
    record: Record, key: Signer | None = None, allow: Collection[str] = (), others: Collection[str] = ()
) -> Checked:
    """Checks one record. `key`: who must have signed it; `allow`: further paths that may lie there;
    `others`: paths that other records of the same folder account for. Raises InputError for a key that is none."""
    found = Checked(record)
    content = _manifest(found)
    if content is None:
        return found
    _signature(found, content, key)
    try:
        found.facts = parse(content, record.stem)
    except Malformed as error:
        found.add("broken", _own(record, MANIFEST), f"The manifest cannot be used: {error}.")
        return found
    streams = _files(found)
    try:
        _ledger(found, streams.get(_own(record, LEDGER)))
        _rows(found, streams)
    finally:
        for handle in streams.values():
            handle.close()
    _conservation(found)
    _statement(found, content)
    _extra(found, {*allow, *others})
    return found


def listed(checked: Checked) -> set[str]:
    """The paths that a record accounts for."""
    names = {file["path"] for file in checked.facts.get("files", ())}
    return names | {_own(checked.record, name) for name in (*WRITTEN, *SIGNATURES)}


def _own(record: Record, name: str) -> str:
    return f"{record.folder.name}/{name}"


def _manifest(found: Checked) -> bytes | None:
    name = _own(found.record, MANIFEST)
    try:
        with opened(found.record.root, name) as handle:
            content = handle.read(_MOST_MANIFEST_BYTES)
    except FileNotFoundError:
        found.add("missing", name)
        return None
    except OSError:
        found.add("changed", name, "It is no regular file.")
        return None
    found.manifest_sha256, found.files = hashlib.sha256(content).hexdigest(), 1
    return content


def _signature(found: Checked, content: bytes, key: Signer | None) -> None:
    stored = {name: data for name in SIGNATURES if (data := _stored(found, name)) is not None}
    if key is None:
        if stored and found.signature == "none":
            found.signature = "not checked"
        return
    name = IDENTITY_SIGNATURE if isinstance(key, identity.Identity) else SIGNATURE
    if name not in stored:
        if found.signature == "none":
            found.signature = "missing"
            found.add("missing", _own(found.record, name), "There is no such signature, and one was asked for.")
        return
    if isinstance(key, identity.Identity):
        why = identity.signed_as(content, stored[name], key)
    else:
        why = "" if sign.signed_by(content, stored[name], key) else "not one of this key over this manifest"
    found.signature = "invalid" if why else "valid"
    if why:
        found.add("broken", _own(found.record, name), f"The signature does not hold: {why}.")


def _stored(found: Checked, name: str) -> bytes | None:
    """A signature's bytes; None where there is none, or what is there is no file."""
    try:
        with opened(found.record.root, _own(found.record, name)) as handle:
            return handle.read(_MOST_SIGNATURE_BYTES)
    except FileNotFoundError:
        return None
    except OSError:
        found.signature = "invalid"
        found.add("changed", _own(found.record, name), "It is no regular file.")
        return None


def _files(found: Checked) -> dict[str, BinaryIO]:
    """Hashes every file that the manifest names; returns them, open."""
    record, streams = found.record, dict[str, BinaryIO]()
    documents = {_own(record, name): said for name, said in found.facts["documents"].items()}
    roles = {file["path"]: file["role"] for file in found.facts["files"]}
    for name, said in {**{file["path"]: file for file in found.facts["files"]}, **documents}.items():
        try:
            handle = opened(record.root, name)
        except (FileNotFoundError, NotADirectoryError):
            if roles.get(name) in _MAY_STAY_BEHIND:
                found.left_out.append(name)
            else:
                found.add("missing", name)
            continue
        except OSError:
            found.add("changed", name, "It is a link or no regular file.")
            continue
        streams[name] = handle
        found.files += 1
        digest, size = hashlib.sha256(), 0
        while block := handle.read(_BLOCK):
            digest.update(block)
            size += len(block)
        if (digest.hexdigest(), size) != (said["sha256"], said["size_bytes"]):
            found.add("changed", name)
        handle.seek(0)
    return streams


def _ledger(found: Checked, handle: BinaryIO | None) -> None:
    """Reads the ledger and compares its trees with the manifest's roots."""
    name = _own(found.record, LEDGER)
    if handle is None:
        return
    ledger = rows.table(handle)
    if ledger is None:
        found.add("broken", name, "The ledger cannot be read.")
        return
    found.ledger = ledger
    try:
        trees = rows.roots(ledger)
    except _DAMAGED:
        found.add("broken", name, "The ledger holds hashes that are none.")
        return
    for tree, said in found.facts["trees"].items():
        if trees.get(tree) != said:
            found.add("broken", name, f"The Merkle root over the {tree} is not the manifest's.")


def _rows(found: Checked, streams: Mapping[str, BinaryIO]) -> None:
    """Compares each data file with the ledger, row by row and in order."""
    if found.ledger is None:
        return
    limits = _limits(found.facts)
    inputs = [InputFile(**said) for said in found.facts["inputs"]]
    for file in found.facts["files"]:
        handle = streams.get(file["path"])
        if handle is None or file["input"] is None:
            continue
        part = rows.expected(found.ledger, file["input"], found.facts["holds"].get(file["role"], ()))
        wanted = part.select(pl.coalesce("written", "sha256").fill_null("")).to_series().to_list()
        try:
            there = list(rows.hashes(handle, inputs[file["input"]], limits))
        except _DAMAGED:
            found.add("broken", file["path"], "Its rows cannot be read as the manifest describes them.")
            continue
        for sentence in differences(part["row"].to_list(), wanted, there):
            found.add("broken", file["path"], f"{sentence[0].upper()}{sentence[1:]}.")
        if file["rows"] != part.height:
            text = f"The manifest says {file['rows']} rows, the ledger has {part.height} for it."
            found.add("broken", file["path"], text)


def _limits(facts: Mapping[str, Any]) -> IngestConfig:
    """The limits that the data were read under; the defaults where the settings are those of another version."""
    try:
        return build(tomllib.loads(facts["config"]["text"])).ingest
    except (ConfigError, tomllib.TOMLDecodeError):
        return IngestConfig()


def _conservation(found: Checked) -> None:
    """Rows read = the sum of all fates, each position once, and every fate's rows in a file of its role."""
    ledger, facts = found.ledger, found.facts
    if ledger is None:
        return
    name = _own(found.record, MANIFEST)
    if not ledger["row"].equals(pl.int_range(ledger.height, eager=True)):
        found.add("broken", _own(found.record, LEDGER), "The ledger does not hold each row once and in order.")
    if counts(ledger) != facts["counts"]:
        found.add("broken", name, f"The manifest counts {facts['counts']}, the ledger holds {counts(ledger)}.")
    records = sum(said["records"] for said in facts["inputs"])
    if records != ledger.height:
        found.add("broken", name, f"{records} records were read, the ledger holds {ledger.height}.")
    config = facts["config"]
    if hashlib.sha256(config["text"].encode("utf-8", "surrogatepass")).hexdigest() != config["sha256"]:
        found.add("broken", name, "The settings are not those of their hash.")
    have = {(file["role"], file["input"]) for file in facts["files"]}
    for role, fates in facts["holds"].items():
        held = ledger.filter(pl.col("fate").is_in(list(fates)))["file"].unique().sort().to_list()
        for at in held:
            if (role, at) not in have:
                found.add("broken", name, f"Rows of input {at} belong into a file of role {role}, which there is not.")


def _statement(found: Checked, content: bytes) -> None:
    """The in-toto statement is the one that this manifest gives."""
    name = _own(found.record, STATEMENT)
    try:
        with opened(found.record.root, name) as handle:
            there = handle.read(_MOST_MANIFEST_BYTES)
    except FileNotFoundError:
        found.add("missing", name)
        return
    except OSError:
        found.add("changed", name, "It is a link or no regular file.")
        return
    found.files += 1
    if there != statement.render(content, found.facts):
        found.add("changed", name, "It is not the statement that the manifest gives.")


def _extra(found: Checked, allow: Collection[str]) -> None:
    """Names all that lies there and is not accounted for: files, links, empty folders, hidden ones too."""
    known = listed(found) | set(allow)
    parents = {"/".join(parts[:n]) for parts in (name.split("/") for name in known) for n in range(1, len(parts))}
    for name, sort in _there(found.record, known):
        if sort == "link":
            found.add("extra", name, "A link stands there.")
        elif name not in (parents if sort == "folder" else known):
            inside = any(name.startswith(f"{path}/") for path in allow)
            if not inside:
                found.add("extra", name, "" if sort == "file" else f"A {sort} stands there.")


def _there(record: Record, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """What lies in the folder; where other things may lie there too, what lies below the names that are ours."""
    if record.whole:
        yield from walk(record.root)
        return
    for top in sorted({name.split("/")[0] for name in known}):
        place = record.root / top
        if place.is_symlink():
            yield top, "link"
        elif place.is_dir():
            yield from walk(record.root, f"{top}/")
