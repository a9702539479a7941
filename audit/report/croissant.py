"""`Export` -> report/croissant.json: Croissant 1.0 metadata of the cleaned set, as JSON-LD.

Each cleaned file is a FileObject with its SHA-256 and size, and has a RecordSet whose fields are its columns, with the
types of the file's schema or else of its first records; a column that is a list of objects, such as the turns of a
conversation, has sub-fields. Put it beside the cleaned files: its content URLs are relative to them.
Source: MLCommons, Croissant Format Specification, version 1.0.
Misses: licence, URL and citation, which are the publisher's to say; types of values after the first records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from audit.config import IngestConfig
from audit.report.card import kept_rows
from audit.report.exports import CleanedFile, Export
from audit.sources.files import COLUMNAR
from audit.sources.readers import reread
from audit.sources.record import Number
from audit.text import safe_text

_SAMPLE = 100  # records whose values are looked at
_TEXT, _INTEGER, _FLOAT, _BOOLEAN = "sc:Text", "sc:Integer", "sc:Float", "sc:Boolean"
_MIME = {
    "jsonl": "application/jsonlines",
    "json": "application/json",
    "csv": "text/csv",
    "tsv": "text/tsv",
    "parquet": "application/x-parquet",
    "arrow": "application/vnd.apache.arrow.file",
    "gz": "application/gzip",
    "zst": "application/zstd",
}
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def render(export: Export) -> bytes:
    """The metadata as ASCII JSON, keys in the order of the specification's examples."""
    return encoded(metadata(export))


def encoded(value: dict[str, Any]) -> bytes:
    """A JSON-LD value as bytes."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=1).encode("ascii") + b"\n"


def metadata(export: Export) -> dict[str, Any]:
    """The JSON-LD value."""
    report = export.report
    about = f"{kept_rows(export):,} rows of a {export.kind} dataset, left of {report.count('rows'):,} by an audit with "
    about += (
        f"tunevet {report.version} that removed {report.count('remove'):,} rows and held {report.count('review'):,} "
    )
    about += f"for review. Verdict on the original: {report.verdict}."
    return described(report.dataset.name, str(export.kind), about, report.dataset.fingerprint, export.cleaned)


def described(name: str, kind: str, about: str, fingerprint: str, files: Sequence[CleanedFile]) -> dict[str, Any]:
    """The JSON-LD value for these files; their paths are relative to where it will stand."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": _name(safe_text(name, 80)) or "dataset",
        "description": about,
        "keywords": ["tunevet", "audited", kind],
        "version": f"0.0.0+{fingerprint[:12]}",
        "distribution": [_file_object(file, at) for at, file in enumerate(files)],
        "recordSet": [_record_set(file, at) for at, file in enumerate(files)],
    }


def _file_object(file: CleanedFile, at: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": _file_id(at),
        "name": PurePosixPath(safe_text(file.path, 200)).name,
        "contentUrl": quote(file.path.encode("utf-8", "surrogateescape"), safe="/-._~"),
        "contentSize": f"{file.size_bytes} B",
        "encodingFormat": _MIME.get(file.compression or file.format, "application/octet-stream"),
        "sha256": file.sha256,
    }


def _record_set(file: CleanedFile, at: int) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": f"records-{at}",
        "name": f"records-{at}",
        "description": f"The rows of {safe_text(file.path, 200)}.",
        "field": [
            _field(f"records-{at}", _file_id(at), column, number, shape)
            for number, (column, shape) in enumerate(columns(file).items())
        ],
    }


def _file_id(at: int) -> str:
    return f"file-{at}"


def _field(records: str, file: str, column: str, number: int, shape: Any) -> dict[str, Any]:
    """A column as a field: `shape` is a type, or a list of one type, or a list of objects by key."""
    name = _name(column) or f"column-{number}"
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{records}/{number}-{name}",
        "name": name,
        "description": f"Column {safe_text(column, 200)}.",
    }
    source = {"fileObject": {"@id": file}, "extract": {"column": column}}
    inner = shape[0] if isinstance(shape, list) else shape
    if isinstance(shape, list):
        found["repeated"] = True
    if not isinstance(inner, Mapping):
        return {**found, "dataType": inner, "source": source}
    found["subField"] = [
        {
            "@type": "cr:Field",
            "@id": f"{records}/{number}-{name}/{at}-{_name(key) or 'key'}",
            "name": _name(key) or f"key-{at}",
            "description": f"Key {safe_text(key, 200)}.",
            "dataType": kind if isinstance(kind, str) else _TEXT,
            "source": {**source, "transform": {"jsonPath": _json_path(key)}},
        }
        for at, (key, kind) in enumerate(inner.items())
    ]
    return found


def columns(file: CleanedFile) -> dict[str, Any]:
    """Column -> shape: a type such as "sc:Text", [type] for lists, {key: type} for objects. Of columnar files by their
    schema, of others by the first records."""
    if file.format in COLUMNAR:
        return {field.name: shape_of_type(field.type) for field in _schema(file)}
    shapes: dict[str, Any] = {}
    for record in islice(reread(file.file, file.input, IngestConfig()), _SAMPLE):
        for column, value in (record.fields or {}).items():
            shapes[column] = merge(shapes.get(column), shape_of(value))
    return {column: shape or _TEXT for column, shape in shapes.items()}


def _schema(file: CleanedFile) -> pa.Schema:
    """The columns of a file of ours and their types."""
    if file.format == "parquet":
        return pq.read_schema(file.file)
    with pa.OSFile(str(file.file), "rb") as handle:
        by_file = handle.read(6) == b"ARROW1"
        handle.seek(0)
        return pa.ipc.open_file(handle).schema if by_file else pa.ipc.open_stream(handle).schema


def shape_of_type(kind: pa.DataType) -> Any:
    """The shape of the values of an Arrow type."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [shape_of_type(kind.value_type)]
    if pa.types.is_struct(kind):
        shapes = {kind.field(at).name: shape_of_type(kind.field(at).type) for at in range(kind.num_fields)}
        return {key: shape if isinstance(shape, str) else _TEXT for key, shape in shapes.items()}
    if pa.types.is_boolean(kind):
        return _BOOLEAN
    if pa.types.is_integer(kind):
        return _INTEGER
    return _FLOAT if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else _TEXT


def shape_of(value: Any) -> Any:
    """The shape of one value; None where it says nothing."""
    if value is None:
        return None
    if isinstance(value, bool):
        return _BOOLEAN
    if isinstance(value, Number):
        return _INTEGER if re.fullmatch(r"-?\d+", value) else _FLOAT
    if isinstance(value, int):
        return _INTEGER
    if isinstance(value, float):
        return _FLOAT
    if isinstance(value, Mapping):
        return {str(key): shape_of(v) if not isinstance(v, (Mapping, list)) else _TEXT for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_merged(shape_of(v) for v in value)]
    return _TEXT


def merge(one: Any, other: Any) -> Any:
    """What holds both shapes: text where they differ, a float where both are numbers."""
    if one is None or other is None or one == other:
        return other if one is None else one
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])]
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: merge(one.get(key), other.get(key)) for key in {**one, **other}}
    numbers = (_INTEGER, _FLOAT)
    return _FLOAT if isinstance(one, str) and one in numbers and other in numbers else _TEXT


def _merged(shapes: Iterable[Any]) -> Any:
    found: Any = None
    for shape in shapes:
        found = merge(found, shape)
    return found or _TEXT


def _name(text: str) -> str:
    """A name as identifiers may hold it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.")[:80]


def _json_path(key: str) -> str:
    """A key of an object as a path; quoted where it is no plain word."""
    return key if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) else f"$[{json.dumps(key)}]"
