"""Ingests a hostile file and holds what came of it against the verdict and the law of conservation."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from audit import errors
from audit.config import build
from audit.rundir import Context, RunDir
from audit.schema import NoProgress
from audit.sources import ingest
from hostile.cases import Built, Case
from hostile.generate import write

COUNTS: Counter[str] = Counter()
CLASSES: set[str] = set()
_SEPARATORS = {
    "jsonl": re.compile(rb"(\xef\xbb\xbf)?[ \t\r\n]*"),
    "csv": re.compile(rb"[\r\n]*"),
    "tsv": re.compile(rb"[\r\n]*"),
    "json": re.compile(rb"[ \t\r\n,]*"),
}


class Ingested:
    """A finished ingest: its info, examples and ledger."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.info, self.examples, self.ledger = run.dataset(), run.examples(), run.ledger()


def judge(case: Case, tmp_path: Path) -> None:
    """Fails unless the file gets its verdict."""
    CLASSES.add(case.defect)
    COUNTS["files"] += 1
    built = case.make()
    path = write(case, tmp_path / "input")
    run = RunDir(tmp_path / "run")
    config = build({"source": str(path), "ingest": built.settings})
    try:
        ingest(Context(run, config, NoProgress()), "all")
    except errors.TunevetError as error:
        _refused(built, error)
        return
    except BaseException:
        COUNTS["crashes"] += 1
        raise
    assert built.error in ("", "?"), f"should end with {built.error}"
    got = Ingested(run)
    COUNTS["silent"] += 1  # taken back when nothing was lost or changed in silence
    conserved(got, built)
    if built.rows is not None:
        found = list(got.ledger.select("raw", "reason").iter_rows())
        assert found == list(built.rows)
    if built.check is not None:
        built.check(got)
    COUNTS["silent"] -= 1


def _refused(built: Built, error: errors.TunevetError) -> None:
    """The run ended with the error that it should, which names every reason of the rows."""
    assert built.error in (type(error).__name__, "?"), f"{type(error).__name__}: {error}"
    assert re.search(built.match, str(error)), str(error)
    assert not any(ord(char) < 32 for char in str(error)), "a control character in a message"
    for reason, count in Counter(reason for _, reason in built.rows or () if reason).items():
        if built.error == "NothingScanned":
            assert f"{count} {reason}" in str(error)


def conserved(got: Ingested, built: Built) -> None:
    """Each record position has one ledger row and one fate; each byte of a text file is in a row or a separator."""
    ledger, info = got.ledger, got.info
    assert ledger["row"].to_list() == list(range(info.rows))
    readable = set(ledger.filter(pl.col("reason").is_null())["row"])
    assert set(got.examples["row"]) == readable and info.readable == len(readable)
    assert sum(info.bad.values()) == info.rows - info.readable
    assert sum(file.records for file in info.files) == info.rows
    for raw, sha256 in ledger.select("raw", "sha256").iter_rows():
        assert sha256 == (None if raw is None else hashlib.sha256(raw).hexdigest())
    for number, file in enumerate(info.files):
        stored = built.files.get(file.path)
        assert stored is None or file.sha256 == hashlib.sha256(stored).hexdigest()
        if file.path in built.stream and file.format in _SEPARATORS:
            _covered(ledger.filter(pl.col("file") == number), built.stream[file.path], file)


def _covered(rows: pl.DataFrame, stream: bytes, file: Any) -> None:
    """Rows stand where they say, in order, and only separators stand between."""
    separator, at = _SEPARATORS[file.format], 0
    # The envelope of a .json file, the header of a table.
    first = _prefix(file, stream)
    for offset, raw, reason in rows.select("offset", "raw", "reason").iter_rows():
        assert stream[offset : offset + len(raw)] == raw, f"other bytes at {offset}"
        between = stream[max(at, first) : offset]
        assert offset >= at and separator.fullmatch(between), f"lost in front of {offset}: {between[:80]!r}"
        at = offset + len(raw)
        if reason == "too_long":
            end = stream.find(b"\n", at)
            at = len(stream) if end < 0 else end
        if reason in ("truncated_input", "damaged_input", "resource_limit"):
            return  # what follows could not be decoded
    rest = stream[max(at, first) :]
    if file.format == "json":
        assert re.fullmatch(rb"\s*[\]}]?.*", rest, re.DOTALL)
        suffix = file.layout["suffix"].encode("utf-8", "surrogateescape")
        assert not rest or rest.strip() == suffix.strip() or rows.height == 0
    else:
        assert separator.fullmatch(rest), f"lost at the end: {rest[:80]!r}"


def _prefix(file: Any, stream: bytes) -> int:
    if file.format == "json":
        return len(file.layout["prefix"].encode("utf-8", "surrogateescape"))
    if file.format in ("csv", "tsv"):
        header = file.layout["header"].encode("utf-8", "surrogateescape")
        return stream.find(header) + len(header)
    return 0


def counts() -> str:
    """One line for the end of a test run."""
    return (
        f"{len(CLASSES)} classes, {COUNTS['files']} files, {COUNTS['silent']} silent losses or changes, "
        f"{COUNTS['crashes']} crashes of the parent"
    )


def parameters(cases: list[Case], *marks: Any) -> list[Any]:
    return [pytest.param(case, id=case.id.replace(" ", "_"), marks=marks) for case in cases]
