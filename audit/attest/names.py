"""Where a record of provenance stands, and the safe paths in it.

X.provenance lies beside the cleaned data X (a file or a folder). Paths of data in the manifest are relative to the
folder that holds both, so the two can be copied anywhere together.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from audit.errors import InputError

SUFFIX = ".provenance"
MANIFEST, LEDGER, SIGNATURE = "manifest.json", "ledger.parquet", "manifest.sig"
IDENTITY_SIGNATURE = "manifest.sigstore.json"
SIGNATURES = (SIGNATURE, IDENTITY_SIGNATURE)
STATEMENT, BOM, CROISSANT = "statement.intoto.json", "bom.cdx.json", "croissant.json"
WRITTEN = (LEDGER, CROISSANT, BOM, MANIFEST, STATEMENT)  # in the order of writing
SCHEMA = "tunevet.provenance/1"


@dataclass(frozen=True, slots=True)
class Record:
    """A folder X.provenance. `root` is the folder that it and the data lie in; `whole`: nothing else may lie there."""

    folder: Path
    root: Path
    whole: bool

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @property
    def stem(self) -> str:
        """The name of the data."""
        return self.folder.name.removesuffix(SUFFIX)


def find(path: Path) -> list[Record]:
    """The records that a path means: X.provenance itself, X beside it, or a folder that holds them. Raises InputError
    where there is none."""
    path = Path(os.path.abspath(path))  # noqa: PTH100 - links stay: they are for the check to see
    if path.name.endswith(SUFFIX) and path.is_dir():
        return [Record(path, path.parent, whole=False)]
    beside = path.with_name(path.name + SUFFIX)
    if path.name and beside.is_dir():
        return [Record(beside, path.parent, whole=False)]
    inside = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else []
    found = [Record(folder, path, whole=True) for folder in inside if folder.is_dir()]
    if not found:
        raise InputError(f"{path} holds no NAME{SUFFIX} folder, so there is nothing to check it against")
    return found


def safe(name: Any) -> bool:
    """True for a relative path that stays where it is put: no "..", no empty part, not absolute."""
    if not isinstance(name, str) or not name or "\x00" in name:
        return False
    return not name.startswith("/") and all(part not in ("", ".", "..") for part in name.split("/"))


def opened(root: Path, name: str) -> BinaryIO:
    """A regular file below `root`, opened through no link. Raises OSError."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        *parents, last = PurePosixPath(name).parts
        for part in parents:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            deeper = os.open(part, flags, dir_fd=folder)
            os.close(folder)
            folder = deeper
        handle = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("is no regular file")
    return os.fdopen(handle, "rb")


def walk(root: Path, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(path relative to root, "file", "folder", "link" or "other") of everything below it, in order; links are not
    followed, hidden names not left out."""
    with os.scandir(root / prefix) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            name = f"{prefix}{entry.name}"
            if entry.is_symlink():
                yield name, "link"
            elif entry.is_dir(follow_symlinks=False):
                yield name, "folder"
                yield from walk(root, f"{name}/")
            else:
                yield name, "file" if entry.is_file(follow_symlinks=False) else "other"
