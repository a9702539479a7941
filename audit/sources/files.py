"""Which files an input names: a file, a folder, a glob, a `save_to_disk` folder or a pinned hub dataset.

Every regular file below a folder is either read or named in `Inventory.skipped` with the reason. Links inside of
a folder are never followed: a dataset must not reach files beside it. Members are opened without following
links, so a link put in place after the listing is refused too.

Source: `datasets` on a folder ignores the other files once one is named like a split and follows links out of
it; measured, not assumed, hence this module.
"""

from __future__ import annotations

import glob
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from audit.errors import InputError
from audit.provenance import digest, sha256_file
from audit.sources import hub
from audit.text import safe_text

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
COLUMNAR = ("parquet", "arrow")
_KNOWN = "jsonl, json, csv, tsv (each plain, .gz or .zst), parquet, arrow"
# What `save_to_disk` writes beside the data; never rows.
_SIDECARS = ("dataset_info.json", "state.json", "dataset_dict.json")


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read."""

    path: Path
    relative: str  # to the declared input, "/" separated
    format: str
    compression: str
    follow: bool  # False: a member of a folder, never opened through a link

    def open(self) -> BinaryIO:
        """The file, opened once for hashing and reading. Raises InputError."""
        flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | (0 if self.follow else getattr(os, "O_NOFOLLOW", 0))
        try:
            return os.fdopen(os.open(self.path, flags), "rb")
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from None

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an input names: the files to read in order, and the others with the reason."""

    name: str
    sources: tuple[Source, ...]
    skipped: tuple[tuple[str, str], ...]  # (relative path, why)
    single: bool  # the user named one file
    identity: str = ""  # hub datasets: owner/name@revision

    @property
    def note(self) -> str:
        """One sentence about what was not read; empty when all was."""
        if not self.skipped:
            return ""
        named = "; ".join(f"{safe_text(path, 120)} ({why})" for path, why in self.skipped[:20])
        more = f"; and {len(self.skipped) - 20} more" if len(self.skipped) > 20 else ""
        return f"not read: {named}{more}"


def enumerate_input(source: str, download: bool = True) -> Inventory:
    """The files of an input, in a fixed order. Raises InputError for a missing input or one without a file of
    a known format. Only a hub id with its 40-digit revision uses the network, and only if `download`."""
    if not source:
        raise InputError("no input was named; give a file, a folder, a glob or owner/name@REVISION")
    path = Path(source)
    if path.is_file():
        return _single(path)
    if path.is_dir():
        return _folder(path)
    if path.exists():
        raise InputError(f"{source} is neither a regular file nor a folder")
    if glob.has_magic(source):
        return _glob(source)
    if hub.is_hub_id(source):
        inventory = _folder(hub.download(source)) if download else Inventory(source, (), (), False)
        return Inventory(source.split("/")[1], inventory.sources, inventory.skipped, False, identity=source)
    raise InputError(f"{source} does not exist{hub.hint(source)}")


def fingerprint_of(hashes: list[tuple[str, str]], identity: str = "") -> str:
    """SHA-256 over relative paths and file hashes, in order; of a hub dataset, over its pinned name."""
    return digest("hub", identity) if identity else digest("files", hashes)


def fingerprint_input(source: str) -> str:
    """The fingerprint of an input without reading a row of it. Raises InputError."""
    inventory = enumerate_input(source, download=False)
    try:
        hashes = [(s.relative, sha256_file(s.path)) for s in inventory.sources]
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from None
    return fingerprint_of(hashes, inventory.identity)


def recognise(name: str) -> tuple[str, str] | None:
    """(format, compression) by the end of a file's name, whatever its case; None for an unknown one."""
    stem, extension = _split(name.lower())
    compression = COMPRESSIONS.get(extension, "")
    if compression:
        extension = _split(stem)[1]
    form = FORMATS.get(extension)
    if form is None or (compression and form in COLUMNAR):
        return None
    return form, compression


def _single(path: Path) -> Inventory:
    known = recognise(path.name)
    if known is None:
        raise InputError(f"{path.name} is of no known format; known are {_KNOWN}")
    return Inventory(_name(path), (Source(path, path.name, *known, follow=True),), (), single=True)


def _folder(root: Path) -> Inventory:
    found: list[tuple[str, Path]] = []
    skipped: list[tuple[str, str]] = []

    def refuse(error: OSError) -> None:
        raise InputError(f"folder {error.filename} cannot be read: {error.strerror}")

    for folder, folders, files in os.walk(root, followlinks=False, onerror=refuse):
        base = Path(folder)
        for name in sorted(folders):
            if (base / name).is_symlink():
                skipped.append(((base / name).relative_to(root).as_posix(), "a link"))
        found += [((base / name).relative_to(root).as_posix(), base / name) for name in files]
    inventory = _sort_out(root.resolve().name, sorted(found), skipped, str(root))
    _check_saved(root, inventory)
    return inventory


def _check_saved(root: Path, inventory: Inventory) -> None:
    """A `save_to_disk` folder names its data files; raises InputError when one of them is not there to be read."""
    read = {source.relative for source in inventory.sources}
    for relative, _ in inventory.skipped:
        if PurePosixPath(relative).name != "state.json":
            continue
        folder = PurePosixPath(relative).parent
        for name in hub.saved_files(root / relative):
            if (folder / name).as_posix() not in read:
                raise InputError(
                    f"{safe_text(relative)} names the data file {safe_text(name, 120)}, which is not there"
                )


def _glob(pattern: str) -> Inventory:
    # The fixed part in front of the first wildcard is the folder that relative paths start from.
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed]) if fixed else Path()
    matched = sorted(p for p in root.glob(str(Path(*parts[fixed:]))) if not p.is_dir())
    found = [(p.relative_to(root).as_posix(), p) for p in matched]
    if not found:
        raise InputError(f"no file matches {pattern}")
    inside = root.resolve()
    out = [(rel, "outside of the glob's folder") for rel, p in found if not p.parent.resolve().is_relative_to(inside)]
    outside = {rel for rel, _ in out}
    return _sort_out(inside.name, [f for f in found if f[0] not in outside], out, pattern)


def _sort_out(name: str, found: list[tuple[str, Path]], skipped: list[tuple[str, str]], source: str) -> Inventory:
    sources: list[Source] = []
    for relative, path in found:
        why = _why_not(relative, path)
        if why:
            skipped.append((relative, why))
            continue
        known = recognise(path.name)
        assert known is not None
        sources.append(Source(path, relative, *known, follow=False))
    if not sources:
        what = "; ".join(f"{safe_text(path, 120)} ({why})" for path, why in skipped[:5]) or "it is empty"
        raise InputError(f"{source} holds no file of a known format ({_KNOWN}): {what}")
    return Inventory(name, tuple(sources), tuple(sorted(skipped)), single=False)


def _why_not(relative: str, path: Path) -> str:
    """Why a file of a folder is not read; empty when it is."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "a link"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    if any(part.startswith(".") for part in relative.split("/")):
        return "hidden"
    if path.name in _SIDECARS:
        return "description of a saved dataset"
    if recognise(path.name) is None:
        return "no known format"
    return "empty" if path.stat().st_size == 0 else ""


def _name(path: Path) -> str:
    stem = path.name
    while _split(stem)[1].lower() in {**FORMATS, **COMPRESSIONS}:
        stem = _split(stem)[0]
    parent = path.resolve().parent.name
    return parent if stem.lower() in ("data", "dataset", "train") and parent else stem or path.name


def _split(name: str) -> tuple[str, str]:
    """A file name's stem and its last extension, which a leading dot does not make."""
    path = PurePosixPath(name)
    return path.stem, path.suffix
