"""Folders: links, odd names, other formats under a data file's name, schemas that differ from file to file."""

from __future__ import annotations

import io
import itertools
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile.cases import Built, Case, Row, good, packed, verdicts
from hostile.columns import TABLE, parquet

A, B, C = b"\n".join(good(2)), b"\n".join(good(2, 2)), b"\n".join(good(2, 4))


class Canary:
    """Unpickled, it would make a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch canary-was-here",)


def folder(
    files: dict[str, bytes],
    read: list[str],
    skipped: dict[str, str],
    arrange: Callable[[Path], None] | None = None,
    error: str = "",
) -> Built:
    """A folder of which exactly `read` are read, in order, and the others are named with their reason."""

    def check(got: Any) -> None:
        assert [file.path for file in got.info.files] == read
        for name, why in skipped.items():
            assert f"{name} ({why})" in got.info.note, got.info.note
        assert not Path("canary-was-here").exists()

    rows: list[Row] = []
    for name in read:
        rows += verdicts(line for line in files[name].split(b"\n") if line)
    stream = {name: files[name] for name in read}
    return Built(files, rows, error, stream=stream, arrange=arrange, check=check, whole_folder=True)


def _link(name: str, target: str) -> Callable[[Path], None]:
    def arrange(root: Path) -> None:
        secret = root.parent / "outside"
        secret.mkdir(exist_ok=True)
        (secret / "secret.jsonl").write_bytes(b'{"text": "secret", "label": 1}\n')
        (root / name).symlink_to(target)

    return arrange


def _fifo(root: Path) -> None:
    os.mkfifo(root / "z.jsonl")


def links() -> Iterator[Case]:
    targets = {
        "to_a_file_outside": ("z.jsonl", "../outside/secret.jsonl"),
        "to_a_folder_outside": ("z", "../outside"),
        "to_a_file_inside": ("z.jsonl", "a.jsonl"),
        "to_nothing": ("z.jsonl", "nowhere"),
        "to_itself": ("z.jsonl", "z.jsonl"),
        "to_its_folder": ("z", "."),
        "to_the_passwords": ("z.csv", "/etc/passwd"),
    }
    for label, (name, target) in targets.items():
        make = _link(name, target)
        yield Case("symbolic link", label, lambda n=name, m=make: folder({"a.jsonl": A}, ["a.jsonl"], {n: "a link"}, m))
    yield Case(
        "no regular file", "fifo", lambda: folder({"a.jsonl": A}, ["a.jsonl"], {"z.jsonl": "not a regular file"}, _fifo)
    )


def names() -> Iterator[Case]:
    skipped = {
        "hidden_file": (".hidden.jsonl", "hidden"),
        "hidden_folder": (".git/x.jsonl", "hidden"),
        "backup": ("a.jsonl.bak", "no known format"),
        "tilde": ("a.jsonl~", "no known format"),
        "double": ("a.jsonl.gz.gz", "no known format"),
        "text": ("notes.txt", "no known format"),
        "script": ("loader.py", "no known format"),
        "pickle": ("data.pkl", "no known format"),
        "zip": ("data.zip", "no known format"),
        "tar": ("data.tar.gz", "no known format"),
        "parquet_gz": ("d.parquet.gz", "no known format"),
        "no_ending": ("data", "no known format"),
        "empty": ("empty.jsonl", "empty"),
    }
    for label, (name, why) in skipped.items():
        some = b"" if label == "empty" else B
        yield Case(
            "hidden and odd names",
            label,
            lambda n=name, w=why, s=some: folder({"a.jsonl": A, n: s}, ["a.jsonl"], {n: w}),
        )
    read = {
        "upper": "B.JSONL",
        "mixed": "b.JsonL",
        "ndjson": "b.ndjson",
        "space": "b c.jsonl",
        "newline": "b\n.jsonl",
        "bidi": "b\u202egpj.jsonl",
        "escape": "b\x1b[31m.jsonl",
        "dash": "-rf.jsonl",
        "dots": "b...jsonl",
        "test_split": "test_x.jsonl",
        "deep": "x/y/z/b.jsonl",
        "long": "b" * 200 + ".jsonl",
        "quote": "b'\";$(x).jsonl",
    }
    for label, name in read.items():
        order = sorted(["a.jsonl", name])
        yield Case("odd names that are read", label, lambda n=name, o=order: folder({"a.jsonl": A, n: B}, o, {}))
    yield Case("dataset card with a path", "traversal", _card)


def _card() -> Built:
    """`data_files` of a README is no instruction to us."""
    card = b"---\nconfigs:\n- config_name: default\n  data_files: ../outside/secret.jsonl\n---\n"
    return folder({"a.jsonl": A, "README.md": card}, ["a.jsonl"], {"README.md": "no known format"})


def disguised() -> Iterator[Case]:
    archive, tar = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("../../evil.jsonl", A)
    with tarfile.open(fileobj=tar, mode="w") as out:
        member = tarfile.TarInfo("../../evil.jsonl")
        member.size = len(A)
        out.addfile(member, io.BytesIO(A))
    contents = {
        "pickle": pickle.dumps(Canary()),
        "zip": archive.getvalue(),
        "tar": tar.getvalue(),
        "elf": b"\x7fELF" + bytes(range(256)) * 4,
        "png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    }
    for kind, data in contents.items():
        for ending in ("jsonl", "csv", "json", "parquet", "arrow", "jsonl.gz", "jsonl.zst"):
            yield Case(
                "another format under a data name", f"{kind}.{ending}", lambda d=data, e=ending: _disguised(d, e)
            )


def _disguised(data: bytes, ending: str) -> Built:
    """A folder with one honest file: the disguised one gives no row, and is never run or unpacked."""

    def check(got: Any) -> None:
        assert not Path("canary-was-here").exists()
        assert not list(Path(got.run.path).parent.rglob("evil.jsonl"))
        assert [raw for raw, reason in got.ledger.select("raw", "reason").iter_rows() if reason is None] == good(2)
        assert got.examples.height == 2

    files = {"a.jsonl": A, f"d.{ending}": data}
    return Built(files, None, check=check, whole_folder=True)


def schemas() -> Iterator[Case]:
    """Three files whose columns and types differ: rows are the same in every order, none changed for another's sake."""
    parts = {
        "number": b'{"text": "n", "label": 7}',
        "string": b'{"text": "s", "label": "7"}',
        "more": b'{"text": "m", "label": 1, "extra": {"k": [1]}}',
    }
    for order in itertools.permutations(parts):
        files = {f"{i}_{name}.jsonl": parts[name] + b"\n" for i, name in enumerate(order)}
        yield Case("schemas differ from file to file", "-".join(order), lambda f=files: folder(f, sorted(f), {}))
    mixed = {"a.jsonl": A, "b.csv": b"text,label\nrow x,1\n", "c.json": b"[" + good(1)[0] + b"]"}
    for order in itertools.permutations(mixed):
        names = {f"{i}_{name}": mixed[name] for i, name in enumerate(order)}
        yield Case("formats differ from file to file", "-".join(order), lambda f=names: _formats(f))
    yield Case("parquet beside text", "both", _beside)


def _formats(files: dict[str, bytes]) -> Built:
    rows: list[Row] = []
    for name in sorted(files):
        raws = {"jsonl": good(2), "csv": [b"row x,1"], "json": good(1)}[name.rsplit(".", 1)[1]]
        rows += verdicts(raws)
    return Built(files, rows, stream=dict(files), whole_folder=True)


def _beside() -> Built:
    rows: list[Row] = [*verdicts(good(2)), *[(None, None)] * 30]
    return Built({"a.jsonl": A, "b.parquet": parquet(TABLE)}, rows, stream={"a.jsonl": A}, whole_folder=True)


def missing() -> Iterator[Case]:
    """Inputs of which nothing can be read."""
    for name, files in {
        "no_file": {},
        "no_known_format": {"a.txt": A},
        "hidden_alone": {".a.jsonl": A},
        "empty_alone": {"a.jsonl": b""},
    }.items():
        yield Case("folder without data", name, lambda f=files: Built(f, None, "InputError", whole_folder=True))
    state = json.dumps({"_data_files": [{"filename": "data-00000.arrow"}]}).encode()
    lost = {"state.json": state, "other.jsonl": A}
    yield Case("saved dataset without its file", "arrow", lambda: Built(lost, None, "InputError", whole_folder=True))
    away = {"state.json": state.replace(b"data-00000", b"../../../etc/x"), "other.jsonl": A}
    yield Case("saved dataset without its file", "path", lambda: Built(away, None, "InputError", whole_folder=True))


def cases() -> Iterator[Case]:
    for part in (links, names, disguised, schemas, missing):
        yield from part()
    yield from packed("columns of no kind", "other_names", _unknown)


def _unknown(packing: str) -> Built:
    from hostile.cases import pack

    return Built(
        {f"d.jsonl{packing}": pack(b'{"foo": 1, "bar": [2]}\n' * 5, packing)}, None, "InputError", "no known kind"
    )
