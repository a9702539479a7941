"""Which regular expressions of the standard library's engine take more than linear time, and on what.

`re` backtracks: a pattern whose parts can share a run of characters between them in many ways tries all of them. Two
findings tell it beforehand. A pattern is read into an automaton (characters stand for their classes); if some word
leads from a state back to itself in two ways, time is exponential; if it keeps two states where they are and leads from
one to the other, time is at least quadratic. Bounded repeats of BOUND and more count as unbounded ones; look-arounds
are checked as patterns of their own; back-references are refused. What it costs to begin anew at each character is not
seen here but measured, on strings that are built from each repeat of the pattern.

Source: Weber and Seidl 1991, On the degree of ambiguity of finite automata, conditions EDA and IDA.
"""

from __future__ import annotations

import re
import re._constants as op
import re._parser as parser
import unicodedata
from collections.abc import Iterator

BOUND = 32
_SAMPLE = "aZzé中\u0301\u200b\U0001f600𝒳5٣_ \n\t\r\u00a0\u2028-.,'’:/<>()[]{}\"\\#*`=+@|~^$%&!?;\x00\x1b"


class Automaton:
    """States from 0; `moves[state]` lists (set number, state); `free[state]` lists states reached without reading."""

    def __init__(self, items, flags: int) -> None:
        self.flags = flags
        self.sets: list = []
        self.moves: list[list[tuple[int, int]]] = [[]]
        self.free: list[set[int]] = [set()]
        self.inner: list = []  # look-arounds, and what is matched once and never given back
        self.loops_on_nothing = False
        self._sequence(items, 0)
        self.letters = self._letters()

    def _state(self) -> int:
        self.moves.append([])
        self.free.append(set())
        return len(self.moves) - 1

    def _sequence(self, items, start: int) -> int:
        for code, value in items:
            start = self._item(code, value, start)
        return start

    def _item(self, code, value, start: int) -> int:
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN, op.RANGE, op.CATEGORY):
            self.sets.append((code, value))
            end = self._state()
            self.moves[start].append((len(self.sets) - 1, end))
            return end
        if code is op.BRANCH:
            end = self._state()
            assert sum(not any(branch) for branch in value[1]) < 2, "two branches that are both empty"
            for branch in value[1]:
                self.free[self._sequence(branch, start)].add(end)
            return end
        if code is op.SUBPATTERN:
            return self._sequence(value[3], start)
        if code in (op.ATOMIC_GROUP, op.POSSESSIVE_REPEAT):
            self.inner.append(value if code is op.ATOMIC_GROUP else value[2])
            return self._item(op.ANY, None, start)  # one step: there is no way back into it
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self._repeat(*value, start)
        if code in (op.ASSERT, op.ASSERT_NOT):
            self.inner.append(value[1])
            return start
        if code is op.AT:
            return start
        raise AssertionError(f"{code} is not allowed over data: its time cannot be bounded")

    def _repeat(self, least: int, most, body, start: int) -> int:
        for _ in range(min(least, 2)):
            start = self._sequence(body, start)
        if most is op.MAXREPEAT or most >= BOUND:
            self.loops_on_nothing |= _may_be_empty(body)
            head = self._state()
            self.free[start].add(head)
            self.free[self._sequence(body, head)].add(head)
            end = self._state()
            self.free[head].add(end)
            return end
        end = self._state()
        self.free[start].add(end)
        for _ in range(min(most - least, 2)):
            start = self._sequence(body, start)
            self.free[start].add(end)
        return end

    def _letters(self) -> list[frozenset[int]]:
        """One frozenset of set numbers for each kind of character that any set tells from others."""
        chars = {*_SAMPLE}
        for code, value in self.sets:
            chars |= {chr(c) for c in _edges(code, value) if 0 <= c < 0x110000}
        fold = bool(self.flags & re.IGNORECASE)
        kinds = {frozenset(i for i, (c, v) in enumerate(self.sets) if _matches(c, v, char, fold)) for char in chars}
        return [kind for kind in kinds if kind]

    def closed(self) -> list[dict[int, set[int]]]:
        """steps[state][letter]: states reached by reading a letter, then anything free; states are closed."""
        reach = []
        for state in range(len(self.moves)):
            seen, queue = {state}, [state]
            while queue:
                for following in self.free[queue.pop()] - seen:
                    seen.add(following)
                    queue.append(following)
            reach.append(seen)
        table = []
        for state in range(len(self.moves)):
            by_letter: dict[int, set[int]] = {}
            for passed in reach[state]:
                for number, end in self.moves[passed]:
                    for i, letter in enumerate(self.letters):
                        if number in letter:
                            by_letter.setdefault(i, set()).add(end)
            table.append(by_letter)
        return table


def _may_be_empty(items) -> bool:
    """True when the items match the empty string."""
    for code, value in items:
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            empty = value[0] == 0 or _may_be_empty(value[2])
        elif code is op.BRANCH:
            empty = any(_may_be_empty(branch) for branch in value[1])
        elif code in (op.SUBPATTERN, op.ATOMIC_GROUP):
            empty = _may_be_empty(value[3] if code is op.SUBPATTERN else value)
        else:
            empty = code in (op.ASSERT, op.ASSERT_NOT, op.AT)
        if not empty:
            return False
    return True


def _edges(code, value) -> Iterator[int]:
    if code in (op.LITERAL, op.NOT_LITERAL):
        yield from (value, ord(chr(value).swapcase()[0]))
    elif code is op.RANGE:
        yield from (value[0] - 1, value[0], value[1], value[1] + 1)
    elif code is op.IN:
        for item in value:
            yield from _edges(*item)


def _matches(code, value, char: str, fold: bool) -> bool:
    if code is op.LITERAL:
        return ord(char) == value or (fold and char.lower() == chr(value).lower())
    if code is op.NOT_LITERAL:
        return not _matches(op.LITERAL, value, char, fold)
    if code is op.ANY:
        return True
    if code is op.RANGE:
        return any(
            value[0] <= ord(c) <= value[1] for c in ({char, char.lower()[0], char.upper()[0]} if fold else {char})
        )
    if code is op.CATEGORY:
        return _in_category(value, char)
    negated = value[0][0] is op.NEGATE
    return any(_matches(c, v, char, fold) for c, v in value[negated:]) != negated


def _in_category(name, char: str) -> bool:
    plain = {
        op.CATEGORY_DIGIT: char.isdecimal(),
        op.CATEGORY_SPACE: char.isspace(),
        op.CATEGORY_WORD: char.isalnum() or char == "_",
        op.CATEGORY_NOT_DIGIT: not char.isdecimal(),
        op.CATEGORY_NOT_SPACE: not char.isspace(),
        op.CATEGORY_NOT_WORD: not (char.isalnum() or char == "_"),
    }
    return plain[name]


def ambiguity(pattern: re.Pattern) -> str:
    """ "" for a pattern that matches in linear time from one place; else "exponential" or "polynomial"."""
    return _ambiguity(parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG), pattern.flags)


def _ambiguity(items, flags: int) -> str:
    automaton = Automaton(items, flags)
    steps = automaton.closed()
    live = [state for state in range(len(steps)) if state in _reached(steps, state)]
    if automaton.loops_on_nothing or any(_returns_in_two_ways(steps, state) for state in live):
        return "exponential"
    for p in live:
        if any(p != q and _pumps(steps, p, q) for q in _reached(steps, p) & set(live)):
            return "polynomial"
    return next(filter(None, (_ambiguity(inner, flags) for inner in automaton.inner)), "")


def _reached(steps, start: int) -> set[int]:
    seen: set[int] = set()
    queue = [start]
    while queue:
        for ends in steps[queue.pop()].values():
            new = ends - seen
            seen |= new
            queue.extend(new)
    return seen


def _returns_in_two_ways(steps, home: int) -> bool:
    """True when one word leads from `home` to itself along two different runs."""
    seen = {(home, home, False)}
    queue = [(home, home, False)]
    while queue:
        a, b, parted = queue.pop()
        for letter in steps[a].keys() & steps[b].keys():
            for x in steps[a][letter]:
                for y in steps[b][letter]:
                    node = (x, y, parted or x != y)
                    if node not in seen:
                        if node == (home, home, True):
                            return True
                        seen.add(node)
                        queue.append(node)
    return False


def _pumps(steps, p: int, q: int) -> bool:
    """True when one word leads p to p, p to q and q to q."""
    seen = {(p, p, q)}
    queue = [(p, p, q)]
    while queue:
        a, b, c = queue.pop()
        for letter in steps[a].keys() & steps[b].keys() & steps[c].keys():
            for x in steps[a][letter]:
                for y in steps[b][letter]:
                    for z in steps[c][letter]:
                        node = (x, y, z)
                        if node == (p, q, q):
                            return True
                        if node not in seen:
                            seen.add(node)
                            queue.append(node)
    return False


def attacks(pattern: re.Pattern, length: int) -> Iterator[str]:
    """Strings of about `length` characters that drive each repeat of a pattern as far as it goes and then fail it: what
    must stand before the repeat, its body over and over, and an ending; and the same over and over."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    found = {(before, body) for before, body in _repeats(list(tree), "", bool(pattern.flags & re.IGNORECASE)) if body}
    whole = _sample(tree)
    for before, body in sorted(found | {("", whole)} if whole else found):
        for ending in ("", "\x00", "!", "\n", "a", " "):
            yield before + body * (length // len(body)) + ending
            unit = before + body * 20 + ending
            yield unit * max(length // len(unit), 1)
        if before:
            yield before * (length // len(before))


def _repeats(items, before: str, fold: bool) -> Iterator[tuple[str, str]]:
    for code, value in items:
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            body = _sample(value[2])
            if value[1] is op.MAXREPEAT or value[1] > 4:
                yield before, body
            yield from _repeats(value[2], before, fold)
            before += body * min(value[0], 64)
            continue
        if code is op.BRANCH:
            for branch in value[1]:
                yield from _repeats(branch, before, fold)
        elif code is op.SUBPATTERN:
            yield from _repeats(value[3], before, fold)
        elif code in (op.ASSERT, op.ASSERT_NOT):
            yield from _repeats(value[1], before, fold)
        elif code is op.ATOMIC_GROUP:
            yield from _repeats(value, before, fold)
        before += _sample([(code, value)])


def _sample(items) -> str:
    """One string that the items match, look-arounds aside."""
    out = ""
    for code, value in items:
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN, op.RANGE, op.CATEGORY):
            edges = [chr(c) for c in _edges(code, value) if 0 <= c < 0x110000]
            chars = [*_SAMPLE, *(c for c in edges if unicodedata.category(c) != "Cs")]
            out += next((c for c in chars if _matches(code, value, c, False)), "")
        elif code is op.BRANCH:
            out += _sample(value[1][0])
        elif code is op.SUBPATTERN:
            out += _sample(value[3])
        elif code is op.ATOMIC_GROUP:
            out += _sample(value)
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            out += _sample(value[2]) * min(max(value[0], 1 if value[1] == 1 else 0), 64)
        elif code is op.ASSERT and value[0] < 0:
            out += _sample(value[1])
    return out
