"""Is a run directory, or cleaned data that was published from one, what it was when it was written?

Of a run directory: every output that a done marker names is hashed, the rows are counted once more, and cleaned/ is
checked against its record. Of published data: the record X.provenance beside them is checked, which needs no run
(`audit.attest.check`).

Misses: someone who rewrites everything, markers and record included. A signature, or the manifest's hash kept
elsewhere, shows that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from audit.attest import check as records
from audit.attest import sign
from audit.attest.check import Checked, Signer
from audit.attest.facts import models
from audit.attest.identity import Identity, check_identity
from audit.attest.names import SIGNATURES, SUFFIX, Record, find, walk
from audit.errors import InputError
from audit.provenance import sha256_file
from audit.remedies.fates import FATE_OF
from audit.remedies.restore import broken_laws
from audit.rundir import RunDir, read_json
from audit.schema import Verdict

_CLEANED = "cleaned"
# What a run writes without a marker, or into which its user or the Python API may have written.
_UNMARKED = {
    "config.toml",
    "manifest.json",
    "models.json",
    ".lock",
    *(f"{_CLEANED}{SUFFIX}/{name}" for name in SIGNATURES),
}
_UNMARKED_FOLDERS = ("done/", "failed/", "input/")


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. `checked` files were hashed; paths are relative to the checked folder."""

    checked: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    broken: tuple[str, ...]  # laws that do not hold, one sentence each
    extra: tuple[str, ...] = ()  # what lies there and was never written
    records: tuple[Checked, ...] = ()  # of provenance

    @property
    def ok(self) -> bool:
        """True when nothing is missing, changed, broken or extra."""
        return not (self.missing or self.changed or self.broken or self.extra)


def verify(run: RunDir, key: Signer | None = None, allow: Collection[str] = ()) -> Verification:
    """Checks a run directory and its record. `key`: the public key that must have signed the record; `allow`: further
    paths that may lie in cleaned/. Raises InputError when it is none."""
    markers = sorted((run / "done").glob("*/*.json"))
    if not markers:
        raise InputError(f"{run.path} is not a run directory: nothing in it is marked as done")
    expected: dict[str, str] = {}
    for path in markers:
        expected.update(read_json(path)["outputs"])
    missing = [name for name in expected if not (run / name).is_file()]
    changed = [name for name, hashed in expected.items() if name not in missing and sha256_file(run / name) != hashed]
    broken = [] if missing or changed else _conservation(run)
    record = Record(run / f"{_CLEANED}{SUFFIX}", run.path, whole=False)
    found: tuple[Checked, ...] = ()
    if record.folder.is_dir() or any(name.startswith(record.folder.name) for name in expected):
        found = (records.check(record, key, allow),)
        broken += _same_rows(run, found[0]) if not (missing or changed) else []
    elif key is not None:
        broken.append(f"There is no {record.folder.name}, which the key could have signed.")
    strange = tuple(_strangers(run, set(expected) | set(allow)))
    return _joined(Verification(len(expected), tuple(missing), tuple(changed), tuple(broken), strange, found))


def verify_published(path: Path, key: Signer | None = None, allow: Collection[str] = ()) -> Verification:
    """Checks cleaned data by the records beside them (`names.find`). In a folder that holds data and records, nothing
    else may lie. Raises InputError where there is no record, and for a key that is none."""
    found = find(path)
    known: set[str] = set()
    if len(found) > 1:
        known = {name for one in found for name in records.listed(records.check(one))}
    done = tuple(records.check(one, key, allow, known) for one in found)
    return _joined(Verification(0, (), (), (), records=done))


def verify_path(path: Path, key: Signer | None = None, allow: Collection[str] = ()) -> Verification:
    """Checks whatever a path holds: a run directory or published data. Raises InputError where it is neither."""
    if isinstance(key, Identity):
        check_identity(key)
    elif key is not None:
        sign.check_key(key)
    if (path / "done").is_dir() and (path / "dataset.json").exists():
        return verify(RunDir(path), key, allow)
    return verify_published(path, key, allow)


def _joined(found: Verification) -> Verification:
    """One list of each kind, each name once, records and markers together."""
    lists: dict[str, set[str]] = {
        "missing": set(found.missing),
        "changed": set(found.changed),
        "extra": set(found.extra),
        "broken": set(),
    }
    sentences = [*found.broken]
    for problem in (p for one in found.records for p in one.problems):
        if problem.kind == "broken":
            sentences.append(f"{problem.name}: {problem.text}")
        else:
            lists[problem.kind].add(problem.name)
    checked = found.checked + sum(one.files for one in found.records)
    missing, changed, extra = (tuple(sorted(lists[kind])) for kind in ("missing", "changed", "extra"))
    return Verification(checked, missing, changed, tuple(dict.fromkeys(sentences)), extra, found.records)


def _strangers(run: RunDir, known: Collection[str]) -> Iterator[str]:
    """Files, links and hidden folders of a run directory that nothing wrote."""
    for name, sort in walk(run.path):
        if sort == "folder":
            if name.split("/")[-1].startswith("."):
                yield name
        elif sort != "file" or not (name in known or name in _UNMARKED or name.startswith(_UNMARKED_FOLDERS)):
            yield name


def _same_rows(run: RunDir, checked: Checked) -> Iterator[str]:
    """The record's ledger has the rows and fates of the run's, its manifest the run's models."""
    ledger = checked.ledger
    if ledger is None:
        return
    if checked.facts.get("models") != models(run):
        yield "The record names other models than the run."
    verdicts = pl.read_parquet(run.verdicts, columns=["row", "verdict"]).sort("row")
    if ledger["fate"].to_list() != [FATE_OF.get(verdict) for verdict in verdicts["verdict"]]:
        yield "The record's ledger has other fates than verdicts.parquet."
    raw = run.ledger(["row", "sha256"])
    if raw.height == ledger.height:
        both = ledger.select("row", "sha256").hstack(raw.select(pl.col("sha256").alias("raw")))
        torn = both.filter(pl.col("raw").is_not_null() & (pl.col("raw") != pl.col("sha256")))
        for row in torn["row"].to_list()[:20]:
            yield f"Row {row} has another hash in the record's ledger than in the run's."
    else:
        yield f"The record's ledger has {ledger.height:,} rows, the run's {raw.height:,}."


def _conservation(run: RunDir) -> list[str]:
    """Rows read = keep + review + remove + unreadable, each position once, unreadable as in the ledger; rows and
    regions make up the input, byte for byte."""
    if not run.manifest.exists():
        return ["There is no manifest.json: the run did not come to its end."]
    if not run.verdicts.exists():
        return ["There is no verdicts.parquet: the run stopped before its verdicts."]
    rows = run.dataset().rows
    verdicts = pl.read_parquet(run.verdicts, columns=["row", "verdict"])
    broken = []
    if verdicts["row"].sort().to_list() != list(range(rows)):
        broken.append(f"verdicts.parquet does not hold each of the {rows:,} rows once.")
    if not verdicts["verdict"].is_in(list(Verdict)).all():
        broken.append("verdicts.parquet holds a verdict that there is not.")
    bad = run.ledger(["row", "reason"]).filter(pl.col("reason").is_not_null())["row"].sort().to_list()
    unreadable = verdicts.filter(pl.col("verdict") == Verdict.UNREADABLE)["row"].sort().to_list()
    if bad != unreadable:
        broken.append(f"The ledger has {len(bad):,} unreadable rows, the verdicts have {len(unreadable):,}.")
    return broken + broken_laws(run)
