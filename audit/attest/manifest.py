"""A manifest that somebody else may have written, read with suspicion: its form is checked before it is used."""

from __future__ import annotations

import json
import re
from typing import Any

from audit.attest.names import BOM, CROISSANT, LEDGER, SCHEMA, SUFFIX, safe
from audit.sources.files import FORMATS

_FILE = {"path": str, "role": str, "input": (int, type(None)), "rows": (int, type(None)), "sha256": str}
_FORM: dict[str, Any] = {
    "schema": str,
    "name": str,
    "files": [_FILE | {"size_bytes": int}],
    "inputs": [
        {
            "path": str,
            "format": str,
            "compression": str,
            "size_bytes": int,
            "sha256": str,
            "records": int,
            "layout": dict,
        }
    ],
    "documents": {name: {"sha256": str, "size_bytes": int} for name in (LEDGER, CROISSANT, BOM)},
    "holds": {"data": [str], "held": [str]},
    "counts": dict,
    "trees": {name: {"root": str, "leaves": int} for name in ("rows", "ledger")},
    "config": {"sha256": str, "text": str},
}
_ROLES = ("data", "held", "removed", "summary")
_HASH = re.compile(r"[0-9a-f]{64}")


class Malformed(Exception):
    """The manifest is not of the form that this version writes; says what is wrong, without its text."""


def parse(content: bytes, stem: str) -> dict[str, Any]:
    """The manifest of the data called `stem`. Raises Malformed."""
    try:
        value: dict[str, Any] = json.loads(content, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Malformed("it is no JSON, or a key stands twice in it") from None
    _fits(value, _FORM, "manifest")
    if value["schema"] != SCHEMA:
        raise Malformed(f"its schema is not {SCHEMA}")
    if value["name"] != stem:
        raise Malformed("it is the manifest of data of another name")
    _check_files(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _fits(value: Any, form: Any, place: str) -> None:
    """Raises Malformed where a value has not the form: a type or types, a list of one form, or an object whose named
    fields have theirs. A field that the form does not name may be anything."""
    if isinstance(form, dict):
        if not isinstance(value, dict):
            raise Malformed(f"{place} is no object")
        for name, inner in form.items():
            if name not in value:
                raise Malformed(f"{place} has no {name}")
            _fits(value[name], inner, f"{place}.{name}")
    elif isinstance(form, list):
        if not isinstance(value, list):
            raise Malformed(f"{place} is no list")
        for item in value:
            _fits(item, form[0], f"an entry of {place}")
    elif not isinstance(value, form) or isinstance(value, bool):
        raise Malformed(f"{place} is of another type")


def _check_files(value: dict[str, Any]) -> None:
    names = [file["path"] for file in value["files"]]
    record = f"{value['name']}{SUFFIX}"
    if len(set(names)) != len(names) or not all(map(safe, names)):
        raise Malformed("a path of its files stands twice or leads elsewhere")
    if any(name.split("/")[0] == record for name in names):
        raise Malformed("a path of its files lies in the record itself")
    for file in value["files"]:
        if file["role"] not in _ROLES or (file["input"] is None) != (file["role"] not in ("data", "held")):
            raise Malformed("a file has a role that there is not")
        if file["input"] is not None and not 0 <= file["input"] < len(value["inputs"]):
            raise Malformed("a file holds rows of an input that there is not")
    for said in value["inputs"]:
        if said["format"] not in FORMATS.values() or said["compression"] not in ("", "gz", "zst"):
            raise Malformed("an input is of no known format")
        if set(said) != set(_FORM["inputs"][0]):
            raise Malformed("an input has other fields")
    if set(value["documents"]) != {LEDGER, CROISSANT, BOM} or set(value["trees"]) != {"rows", "ledger"}:
        raise Malformed("it names other documents or trees")
    digests = [f["sha256"] for f in (*value["files"], *value["inputs"], *value["documents"].values())]
    if not all(_HASH.fullmatch(digest) for digest in digests):
        raise Malformed("a hash in it is none")
