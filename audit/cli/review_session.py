"""A review in a terminal: one question a screen, one key an answer, every answer written before the next question."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from rich.console import Console

from audit.cli.review_file import DecisionFile, now, settled
from audit.cli.review_keys import BACK, NEXT, Keys
from audit.cli.review_queue import Item, Queue
from audit.cli.review_screen import Frame, help_screen, row_screen, trigger_screen
from audit.cli.words import amount, plain
from audit.errors import InputError
from audit.remedies.decisions import Decision
from audit.text import is_invisible, safe_text

_ROW = {"a": "accept", "r": "reject", "f": "fix", "e": "edit", "w": "swap", "l": "queue"}
_TRIGGER = {"r": "reject", "t": "strip", "l": "legitimate"}
_EDITABLE_CHARS = 4_000  # what a line of a terminal can still show
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.|$)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "\\": "\\"}
_NAMED = {char: f"\\{letter}" for letter, char in _ESCAPED.items()}
_INVALID = "this decision"


class Session:
    """One reviewer going through a queue."""

    def __init__(self, console: Console, queue: Queue, file: DecisionFile, keys: Keys, reviewer: str, run: str) -> None:
        self._console, self._queue, self._file, self._keys = console, queue, file, keys
        self._reviewer, self._run = reviewer, run
        self._made: list[int] = []  # positions decided in this session, latest last
        self._at, self._message = 0, ""

    def go(self) -> None:
        """Asks until the reviewer quits or the keys end. Raises InputError, WriteFailed."""
        actions: dict[str, Callable[[], None]] = {
            **{"s": self._skip, NEXT: lambda: self._move(1), BACK: lambda: self._move(-1)},
            **{"u": self._undo, "?": self._help},
        }
        self._at = self._undecided(0) or 0
        if self.reviewed() == len(self._queue.items):
            self._message = "Everything is reviewed; n and p go through it, q quits."
        while True:
            self._show()
            key = self._keys.key()
            if key is None or key == "q":
                return
            self._message = ""
            if key in actions:
                actions[key]()
            elif key:
                self._answer(key)

    def reviewed(self) -> int:
        """How many questions have a decision that counts, whoever made it."""
        decided = settled(self._file.all())
        return sum((item.subject, item.key) in decided for item in self._queue.items)

    @property
    def _item(self) -> Item:
        return self._queue.items[self._at]

    def _show(self) -> None:
        item, total = self._item, len(self._queue.items)
        said = [d for d in self._file.all() if d.about == (item.subject, item.key)]
        frame = Frame(self._at + 1, total, self.reviewed(), said, self._message)
        if item.subject == "trigger":
            screen = trigger_screen(self._console, self._queue.trigger(item), frame)
        else:
            screen = row_screen(self._console, self._queue.row(item), item.rows, frame)
        if self._console.is_terminal:
            self._console.clear()
        else:
            self._console.rule(style="dim")
        self._console.print(screen)

    def _answer(self, key: str) -> None:
        item = self._item
        meaning = (_ROW if item.subject == "row" else _TRIGGER).get(key)
        if meaning is None:
            other = key in _ROW or key in _TRIGGER
            what = f"means nothing for a {item.subject}" if other else "is no key here"
            self._message = f"{safe_text(key)} {what}; ? lists the keys."
        elif meaning == "fix" and not item.fix:
            self._message = "No fix is proposed for this row; a keeps it, r removes it, e edits it."
        elif meaning == "swap" and not ((sides := self._queue.row(item).sides) and sides.can_swap):
            self._message = "This row has not two sides with an order that could be swapped."
        elif meaning == "queue" and not self._queue.row(item).can_relabel:
            self._message = "This row has neither two sides nor a label that labelers could judge."
        elif meaning == "strip" and not self._queue.trigger(item).can_strip:
            self._message = "This trigger is no text that could be deleted; r removes its rows, l keeps them."
        elif meaning == "edit":
            self._edit()
        elif meaning == "legitimate":
            why = (self._keys.line("Why is it legitimate? One sentence: ") or "").strip()
            if why:
                self._decide(meaning, why=why)
            else:
                self._message = "Nothing was decided: to keep a trigger's rows, say why."
        else:
            self._decide(meaning)

    def _decide(self, meaning: str, field: str = "", value: str = "", why: str = "") -> None:
        item = self._item
        decision = Decision(
            subject=item.subject,
            key=item.key,
            decision=meaning,
            field=field,
            value=value,
            why=why,
            reviewer=self._reviewer,
            decided_at=now(),
            row=item.row,
            pattern=item.pattern,
            input=self._queue.info.fingerprint,
            run=self._run,
        )
        try:  # what is written can be read again
            checked = Decision.from_record(json.loads(decision.to_line()), _INVALID)
        except InputError as error:
            self._message = f"Nothing was decided: {error}"
            return
        self._file.put(checked)
        self._made.append(self._at)
        self._message = f"{meaning}: {self._named(item)}."
        self._advance()

    def _edit(self) -> None:
        values = self._queue.fields(self._item)
        listed = ", ".join(f"{at} {name}" for at, name in enumerate(values, start=1))
        self._say(f"Which field? {listed}")
        key = self._keys.key() or ""
        if not (key.isascii() and key.isdigit() and 1 <= int(key) <= len(values)):
            self._message = "Nothing was edited."
            return
        name, text = list(values.items())[int(key) - 1]
        if len(text) > _EDITABLE_CHARS:
            self._message = f"The {name} has {len(text):,} characters, too many for a line; edit it in the report."
            return
        if name == "label":
            self._say(f"The labels are {', '.join(self._queue.info.labels[:20])}.")
        self._say(r"On one line; \n is a newline, \t a tab, \\ a backslash, \u200b any character. Empty: no edit.")
        typed = self._keys.line(f"{name}: ", escaped(text))
        try:
            value = unescaped(typed or "")
        except ValueError as error:
            self._message = f"Nothing was edited: {error}."
            return
        if not value or value == text:
            self._message = "Nothing was edited."
            return
        self._decide("edit", field=name, value=value)

    def _undo(self) -> None:
        item = self._item
        if self._file.remove((item.subject, item.key), self._reviewer):
            self._made = [at for at in self._made if at != self._at]
        elif self._made:
            self._at = self._made.pop()
            item = self._item
            self._file.remove((item.subject, item.key), self._reviewer)
        else:
            self._message = "There is nothing of yours to undo here."
            return
        self._message = f"Undone: {self._named(item)} is undecided."

    def _skip(self) -> None:
        self._message = f"Skipped: {self._named(self._item)}."
        self._advance()

    def _advance(self) -> None:
        """Goes to the next undecided question, from the start again after the last."""
        found = self._undecided(self._at + 1)
        if found is None:
            self._message += " Everything is reviewed; q quits."
        elif found == self._at:
            self._message += " It is the last one that is undecided."
        self._at = self._at if found is None else found

    def _undecided(self, start: int) -> int | None:
        """The first undecided position from `start` on, around the end; None where all are decided."""
        decided, items = settled(self._file.all()), self._queue.items
        turn = [(start + step) % len(items) for step in range(len(items))]
        return next((at for at in turn if (items[at].subject, items[at].key) not in decided), None)

    def _move(self, step: int) -> None:
        last = len(self._queue.items) - 1
        if not 0 <= self._at + step <= last:
            self._message = "This is the last one." if step > 0 else "This is the first one."
        self._at = min(max(self._at + step, 0), last)

    def _help(self) -> None:
        self._console.print(help_screen())
        if self._console.is_terminal:
            self._say("Any key goes back.")
            self._keys.key()

    def _say(self, sentence: str) -> None:
        self._console.print(plain(sentence))

    def _named(self, item: Item) -> str:
        if item.row is None:
            return f"trigger {item.key}, {amount(item.rows, 'rows')}"
        return f"row {item.row:,}" if item.rows == 1 else f"row {item.row:,} and {item.rows - 1:,} like it"


def escaped(text: str) -> str:
    r"""A text as one line in which everything can be seen.

    >>> escaped("a\nb\\c\u200b")
    'a\\nb\\\\c\\u200b'
    """
    return "".join(_spelled(c) if c in _NAMED or is_invisible(c) else c for c in text)


def _spelled(char: str) -> str:
    code = ord(char)
    return _NAMED.get(char) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def unescaped(line: str) -> str:
    r"""What `escaped` has made of a text, turned back. Raises ValueError for an escape that there is not.

    >>> unescaped(r"a\nb\\c") == "a\nb\\c"
    True
    """

    def character(match: re.Match[str]) -> str:
        found = match[1]
        if found in _ESCAPED:
            return _ESCAPED[found]
        code = int(found[1:], 16) if len(found) > 1 else -1
        if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ValueError(f"\\{safe_text(found)} is no character; write \\\\ for a backslash")
        return chr(code)

    if any("\ud800" <= c <= "\udfff" for c in line):
        raise ValueError("it is not UTF-8 text")
    return _ESCAPE.sub(character, line)
