"""Writes X.provenance beside cleaned data X: the ledger, Croissant, the bill of materials, the manifest, the statement.

Before a hash is written down the data are read once more and compared with the ledger row by row, so a record is never
made of files that do not hold what they should.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from audit.attest import bom, facts, rows, statement
from audit.attest.names import BOM, CROISSANT, LEDGER, MANIFEST, SCHEMA, STATEMENT, WRITTEN
from audit.attest.rows import DataFile
from audit.config import Config
from audit.errors import ConservationError
from audit.provenance import sha256_file
from audit.rundir import RunDir, write_bytes


def write(
    folder: Path,
    name: str,
    run: RunDir,
    config: Config,
    files: Sequence[DataFile],
    fates: pl.DataFrame,
    holds: Mapping[str, Sequence[str]],
    decisions: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Writes the record of the data called `name` into `folder`; returns its files. `fates` are those of
    `rows.gather`; `holds` says which fates the files of each role hold; `decisions` what people decided, if anybody.
    Raises ConservationError where the files do not hold the rows of the ledger, WriteFailed."""
    info = run.dataset()
    ledger, counted = rows.settle(rows.gather(run, fates), files, info.files, holds)
    said = {
        "schema": SCHEMA,
        "name": name,
        "created": facts.created(),
        **facts.versions(),
        **facts.of_run(run, config, info),
        **({"decisions": decisions} if decisions is not None else {}),
        "files": [_file(file, counted.get(file.path)) for file in files],
        "holds": {role: list(held) for role, held in holds.items()},
        "counts": counts(ledger),
        "trees": rows.roots(ledger),
    }
    if said["counts"]["rows"] != info.rows:
        raise ConservationError(f"{info.rows} rows were read, the ledger has {said['counts']['rows']}")
    rows.write(folder / LEDGER, ledger)
    write_bytes(folder / CROISSANT, _croissant(name, info.kind, info.files, files, said))
    write_bytes(folder / BOM, bom.render(said))
    documents = {n: described(folder / n) for n in (LEDGER, CROISSANT, BOM)}
    content = rendered({**said, "documents": documents})
    write_bytes(folder / MANIFEST, content)
    write_bytes(folder / STATEMENT, statement.render(content, json.loads(content)))
    return [folder / n for n in WRITTEN]


def rendered(value: Mapping[str, Any]) -> bytes:
    """A manifest as the bytes that are hashed and signed: ASCII JSON with sorted keys."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def counts(ledger: pl.DataFrame) -> dict[str, int]:
    """`rows`, and how many have each fate."""
    found = ledger.group_by("fate").len().sort("fate")
    return {"rows": ledger.height, **dict(found.iter_rows())}


def described(path: Path) -> dict[str, Any]:
    """SHA-256 and size of a file."""
    return {"sha256": sha256_file(path), "size_bytes": path.stat().st_size}


def _file(file: DataFile, count: int | None) -> dict[str, Any]:
    return {"path": file.path, "role": file.role, "input": file.input, "rows": count, **described(file.place)}


def _croissant(
    name: str, kind: str, inputs: Sequence[Any], files: Sequence[DataFile], said: Mapping[str, Any]
) -> bytes:
    from audit.report import croissant  # loads what reports need, which a check does not
    from audit.report.exports import CleanedFile

    shown = [file for file in files if file.role == "data" and file.input is not None]
    listed = {f["path"]: f for f in said["files"]}
    cleaned = [
        CleanedFile(
            path=f"../{file.path}",  # relative to X.provenance
            format=inputs[file.input].format,
            compression=inputs[file.input].compression,
            sha256=listed[file.path]["sha256"],
            size_bytes=listed[file.path]["size_bytes"],
            file=file.place,
            input=inputs[file.input],
        )
        for file in shown
        if file.input is not None
    ]
    kept = sum(listed[file.path]["rows"] or 0 for file in shown)
    about = f"{kept:,} rows of a {kind} dataset, left of {said['counts']['rows']:,} by an audit with tunevet "
    about += f"{said['tool']['version']}. {name}.provenance holds the hash and the fate of every row."
    dataset = said["dataset"]
    return croissant.encoded(croissant.described(dataset["name"], kind, about, dataset["fingerprint"], cleaned))
