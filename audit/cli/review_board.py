"""What the pages of a served report have shown, and what comes of what they send.

A page sends all of its decisions after each change. What is written is the difference to what that page had, so two
pages, or a page and a terminal, do not undo each other. What a page does not show it cannot take back.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from audit.cli.review_file import DecisionFile, Key
from audit.errors import InputError
from audit.remedies.decisions import Decision

MAX_PAGES = 100  # pages whose state is kept; older ones have to be opened anew
State = dict[tuple[str, str, str], Decision]  # by subject, key and reviewer


class Refused(Exception):
    """A request that is not met: the status and one sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Board:
    """What pages have shown and what they may change. Safe to share between threads."""

    file: DecisionFile
    reviewer: str  # whose decisions pages show and write; "": those of all
    asked: frozenset[Key]  # what the report asks about
    pages: dict[str, State] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def state(self) -> State:
        """The latest decision of each reviewer that pages show, about each key."""
        return stated(d for d in self.file.all() if self.reviewer in ("", d.reviewer))

    def open_page(self) -> tuple[str, State]:
        """A new page's name, and the decisions that it starts from."""
        with self.lock:
            name, state = secrets.token_urlsafe(8), self.state()
            self.pages[name] = state
            while len(self.pages) > MAX_PAGES:
                del self.pages[next(iter(self.pages))]
            return name, state

    def save(self, sent: Iterable[Decision], page: str = "") -> int:
        """Writes what a page has changed: `sent` is all that it says now. Without a page it is all that this reviewer
        says. Returns how many decisions stand. Raises Refused, InputError, WriteFailed."""
        with self.lock:
            if page and page not in self.pages:
                raise Refused(HTTPStatus.CONFLICT, "This page is too old to be saved; reload it.")
            known, says = self.pages[page] if page else self.state(), stated(sent)
            gone = [d for who, d in known.items() if who not in says and d.about in self.asked]
            new = [d for who, d in says.items() if not _same(known.get(who), d)]
            self.file.update(lambda lines: self._changed(lines, gone, new))
            if page:
                lost = {(*d.about, d.reviewer) for d in gone}
                self.pages[page] = {who: d for who, d in known.items() if who not in lost} | says
            return len(self.state())

    def _changed(self, lines: list[Decision], gone: Sequence[Decision], new: Sequence[Decision]) -> list[Decision]:
        """The lines without what a page took back, and with what it says anew in the place of what it said before."""
        signed = [replace(d, reviewer=d.reviewer or self.reviewer) for d in new]
        old = {(*d.about, d.reviewer or self.reviewer) for d in (*gone, *new)}
        return [d for d in lines if (*d.about, d.reviewer) not in old] + signed


def stated(lines: Iterable[Decision]) -> State:
    """The latest of each reviewer's decisions about each key; of equal times the later line."""
    found: State = {}
    for decision in lines:
        who = (*decision.about, decision.reviewer)
        if who not in found or decision.decided_at >= found[who].decided_at:
            found[who] = decision
    return found


def _same(known: Decision | None, sent: Decision) -> bool:
    """True where a page sends back what it was given; hints may have been left out."""
    return known is not None and (known.said, known.why, known.decided_at) == (sent.said, sent.why, sent.decided_at)


def parse(body: bytes, lines: bool = False) -> list[Decision]:
    """The decisions of a request: a JSON array of records, or with `lines` one record a line. Raises InputError that
    names the first bad one."""
    if lines:
        records = [_loads(line, f"line {n}") for n, line in enumerate(body.split(b"\n"), start=1) if line.strip()]
    else:
        records = _loads(body, "the request")
    if type(records) is not list:
        raise InputError("the request is no list of decisions")
    for at, record in enumerate(records, start=1):
        if type(record) is not dict:
            raise InputError(f"decision {at} is not a JSON object")
    return [Decision.from_record(record, f"decision {at}") for at, record in enumerate(records, start=1)]


def _loads(raw: bytes, where: str) -> Any:
    try:
        return json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise InputError(f"{where} is not JSON in UTF-8") from None
