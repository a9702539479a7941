"""Decisions: what people say of rows and triggers, one JSON object a line, and what they come to for each row.

A decision is about content, not about a place: a row's key is its content hash, a trigger's is the digest of its
pattern and behavior. So decisions survive new row numbers and new scans, and rows with equal content share one.

Law: `merge` and `resolve` depend on the set of files, never on their order, and both are idempotent. Every row has
exactly one outcome. A row's own decision outranks those about its triggers, and these outrank the scan's verdict.
A decision about one trigger says nothing of another: where an undecided trigger claims the row as well, what the scan
says of that one stands. A row that is put in the re-label queue is settled by any other decision of the same second or
later, whoever made it: to queue a row is to ask, not to answer.

Misses: two people who give no name are one reviewer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from audit.errors import InputError
from audit.text import json_text, safe_text

SCHEMA = "tunevet.decision/1"
ROW, TRIGGER = "row", "trigger"
ACCEPT, REJECT, FIX, EDIT, STRIP, LEGITIMATE = "accept", "reject", "fix", "edit", "strip", "legitimate"
SWAP, QUEUE = "swap", "queue"
DECISIONS = {ROW: (ACCEPT, REJECT, FIX, EDIT, SWAP, QUEUE), TRIGGER: (REJECT, STRIP, LEGITIMATE)}
FIELDS = ("prompt", "response", "rejected", "label")

BOM = b"\xef\xbb\xbf"  # that some editors put before UTF-8
MAX_FILE_BYTES = 256 << 20
MAX_LINE_BYTES = 4 << 20
_MAX_WHY, _MAX_NAME = 10_000, 1_000  # characters
_KEYS = ("schema", "subject", "key", "decision", "field", "value", "why", "reviewer", "decided_at")
_HINTS = ("row", "pattern", "input", "run")
_KEY_FORMS = {
    ROW: (re.compile(r"[0-9a-f]{16,128}"), "a content hash (16 or more of the digits 0-9a-f)"),
    TRIGGER: (re.compile(r"T-[0-9a-f]{10}"), "a trigger's id (T- and 10 of the digits 0-9a-f)"),
}
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_TIME_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of decisions.jsonl. `row`, `pattern`, `input` and `run` are hints for people; nothing is found by
    them."""

    subject: str  # row | trigger
    key: str  # a row's content hash, a trigger's id
    decision: str  # one of DECISIONS[subject]
    field: str = ""  # edit only: one of FIELDS
    value: str = ""  # edit only: the new text
    why: str = ""  # one sentence; required of legitimate
    reviewer: str = ""
    decided_at: str = ""  # ISO 8601, UTC, with seconds and Z; "" counts as before all others
    row: int | None = None
    pattern: str = ""
    input: str = ""  # fingerprint of the dataset
    run: str = ""  # name of the run directory

    def to_line(self) -> str:
        """One JSON line without its end, in which all can be seen; `Decision.from_record` of it is this decision."""
        record: dict[str, Any] = {"schema": SCHEMA} | {name: getattr(self, name) for name in _KEYS[1:]}
        if self.decision != EDIT:
            del record["field"], record["value"]
        hints = {name: getattr(self, name) for name in _HINTS}
        record |= {name: value for name, value in hints.items() if value not in (None, "")}
        return json_text(record)

    @classmethod
    def from_record(cls, raw: Mapping[str, Any], where: str) -> Decision:
        """A parsed line. Raises InputError that begins with `where`, for example "FILE, line 3"."""
        unknown = [name for name in raw if name not in (*_KEYS, *_HINTS)]
        if unknown:
            known = ", ".join((*_KEYS, *_HINTS))
            raise InputError(f"{where}: there is no key {safe_text(unknown[0], 60)!r}; the keys are {known}")
        if raw.get("schema") != SCHEMA:
            raise InputError(f"{where}: schema is {_shown(raw.get('schema'))}, not {SCHEMA!r}")
        texts = {f.name: _text(raw, f.name, where) for f in fields(cls) if f.name != "row"}
        row = raw.get("row")
        if row is not None and (type(row) is not int or row < 0):
            raise InputError(f"{where}: row is {_shown(row)}, not a row number")
        made = cls(**texts, row=row)
        _check(made, raw, where)
        return made

    @property
    def about(self) -> tuple[str, str]:
        """(subject, key)."""
        return self.subject, self.key

    @property
    def said(self) -> tuple[str, str, str]:
        """What is decided; two decisions with equal `said` agree."""
        return self.decision, self.field, self.value


@dataclass(frozen=True, slots=True)
class Conflict:
    """Reviewers who disagree on one key: what each of them says, by reviewer. The key counts as undecided."""

    subject: str
    key: str
    decisions: tuple[Decision, ...]

    def sentence(self) -> str:
        """Who says what, for people; row text is spelled out."""
        said = "; ".join(f"{d.reviewer or 'a reviewer without a name'} says {d.decision}" for d in self.decisions)
        return safe_text(f"{self.subject} {self.key}: {said}", 400)


def read(path: Path) -> list[Decision]:
    """The decisions of a file, in order; blank lines are none. Raises InputError "FILE, line N: ..." for the first
    line that is no decision, and for a file that cannot be read or is larger than MAX_FILE_BYTES."""
    name, data = safe_text(str(path), 200), file_bytes(path, "decisions")
    lines = data.removeprefix(BOM).split(b"\n")
    return [_parse(line, f"{name}, line {n}") for n, line in enumerate(lines, start=1) if line.strip()]


def file_bytes(path: Path, what: str) -> bytes:
    """A file that people hand in. Raises InputError where it cannot be read or has more than MAX_FILE_BYTES."""
    name = safe_text(str(path), 200)
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{name} has more than {MAX_FILE_BYTES >> 20} MiB; that is no file of {what}")
    return data


def merge(lists: Sequence[Sequence[Decision]]) -> tuple[dict[tuple[str, str], Decision], list[Conflict]]:
    """The decision that counts for each (subject, key), and the conflicts, both sorted by key.

    Of one reviewer's lines about a key the latest counts; of lines of the same second, the later one of its file.
    Where two files hold the same second and disagree, nothing says which is later: a conflict too. A queued row is no
    conflict once somebody has decided it in that second or later."""
    latest: dict[tuple[str, str], dict[str, list[Decision]]] = {}
    for decisions in lists:
        own: dict[tuple[tuple[str, str], str], Decision] = {}
        for decision in decisions:
            known = own.get((decision.about, decision.reviewer))
            if known is None or decision.decided_at >= known.decided_at:
                own[decision.about, decision.reviewer] = decision
        for (about, reviewer), decision in own.items():
            said = latest.setdefault(about, {}).setdefault(reviewer, [])
            said.append(decision)
    merged: dict[tuple[str, str], Decision] = {}
    conflicts: list[Conflict] = []
    for about in sorted(latest):
        counted = _answered([d for said in latest[about].values() for d in _last(said)])
        counted.sort(key=lambda d: (d.reviewer, d.decided_at, d.to_line()))
        if len({d.said for d in counted}) > 1:
            conflicts.append(Conflict(*about, tuple(counted)))
        else:
            merged[about] = max(counted, key=lambda d: (d.decided_at, d.reviewer, d.to_line()))
    return merged, conflicts


def _last(said: list[Decision]) -> list[Decision]:
    """Of one reviewer's lines from several files, those of the latest second, each thing said once."""
    newest = max(d.decided_at for d in said)
    kept = sorted((d for d in said if d.decided_at == newest), key=lambda d: d.to_line())
    return list({d.said: d for d in kept}.values())


def _answered(counted: list[Decision]) -> list[Decision]:
    """The decisions about one key without requests to label it again that have had their answer."""
    answers = [d.decided_at for d in counted if d.decision != QUEUE]
    return [d for d in counted if d.decision != QUEUE or not answers or d.decided_at > max(answers)]


def _parse(line: bytes, where: str) -> Decision:
    return Decision.from_record(json_object(line, where), where)


def json_object(line: bytes, where: str) -> dict[str, Any]:
    """The JSON object of one line. Raises InputError that begins with `where` for anything else, for a line of more
    than MAX_LINE_BYTES and for a key that stands twice."""
    if len(line) > MAX_LINE_BYTES:
        raise InputError(f"{where}: the line has {len(line):,} bytes; at most {MAX_LINE_BYTES:,} are read")
    try:
        raw = json.loads(line.decode(), object_pairs_hook=_distinct, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: byte {error.start} is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(f"{where}: not a JSON object ({safe_text(what, 120)})") from None
    if type(raw) is not dict:
        raise InputError(f"{where}: not a JSON object")
    return raw


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def _text(raw: Mapping[str, Any], name: str, where: str) -> str:
    value = raw.get(name, "")
    if type(value) is not str:
        raise InputError(f"{where}: {name} is {_shown(value)}, not text")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise InputError(f"{where}: {name} holds half of a surrogate pair, which is no character")
    most = {"why": _MAX_WHY, "value": MAX_LINE_BYTES, "pattern": MAX_LINE_BYTES}.get(name, _MAX_NAME)
    if len(value) > most:
        raise InputError(f"{where}: {name} has {len(value):,} characters; at most {most:,} are read")
    return value


def _check(made: Decision, raw: Mapping[str, Any], where: str) -> None:
    if made.subject not in DECISIONS:
        raise InputError(f"{where}: subject is {_shown(raw.get('subject'))}; it is {ROW} or {TRIGGER}")
    known = DECISIONS[made.subject]
    if made.decision not in known:
        what = _shown(raw.get("decision"))
        raise InputError(f"{where}: the decision on a {made.subject} is {what}; it is one of {', '.join(known)}")
    form, words = _KEY_FORMS[made.subject]
    if not form.fullmatch(made.key):
        raise InputError(f"{where}: key is {_shown(raw.get('key'))}, not {words}")
    if made.decision == EDIT:
        if made.field not in FIELDS:
            raise InputError(f"{where}: field is {_shown(raw.get('field'))}; it is one of {', '.join(FIELDS)}")
        if "value" not in raw:
            raise InputError(f"{where}: an edit needs its value, the new text")
    elif made.field or made.value:
        raise InputError(f"{where}: only an edit has a field and a value")
    if made.decision == LEGITIMATE and not made.why.strip():
        raise InputError(f"{where}: legitimate needs its why, one sentence")
    if made.decided_at:
        _check_time(made.decided_at, where)


def _check_time(value: str, where: str) -> None:
    try:
        if not _TIME_FORM.fullmatch(value):
            raise ValueError
        datetime.strptime(value, _TIME)
    except ValueError:
        raise InputError(f"{where}: decided_at is {_shown(value)}, not a time such as 2025-01-31T09:30:00Z") from None


def _shown(value: Any) -> str:
    """A value of a line for a message: short, and nothing in it unseen."""
    return "missing" if value in (None, "") else safe_text(json.dumps(value), 60)
