"""A small text grammar: symbols with alternatives, read from grammar/*.txt.

    [symbol]            a heading; the lines below it are its alternatives
    {symbol}            expands a symbol; looked up as symbol.TOPIC.TONE, symbol.TONE, symbol.TOPIC, symbol
    {name=symbol}       expands a symbol once and remembers it: {name} repeats it
    {!symbol}           the same in the opposite tone (pos and neg)
    {2-9}               a number, both ends included
    <a|b|>              one of a few words, or nothing

An alternative is not used twice in one text while others are left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

FOLDER = Path(__file__).parent / "grammar"
_SLOT = re.compile(r"\{([^{}]+)\}")
_CHOICE = re.compile(r"<([^<>]*)>")
_AN = re.compile(r"\b([Aa]) (?=[aeio]|u(?!ni|se|sa|ti|kul|k\b))(?!one\b|once\b|eu)")
_NUMBER = re.compile(r"(\d+)-(\d+)$")
_OPPOSITE = {"pos": "neg", "neg": "pos"}

Symbols = dict[str, list[str]]
T = TypeVar("T")


def load(*names: str) -> Symbols:
    """The symbols of these grammar files. Raises ValueError for a symbol that is defined twice."""
    symbols: Symbols = {}
    for name in names:
        current: list[str] | None = None
        for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("[") and line.endswith("]"):
                heading = line[1:-1]
                if heading in symbols:
                    raise ValueError(f"{name}.txt defines {heading} twice")
                current = symbols[heading] = []
            elif current is not None:
                current.append(line)
    return symbols


class Writer:
    """Writes one text after another from the same symbols and the same generator."""

    def __init__(self, symbols: Symbols, rng: np.random.Generator) -> None:
        self.symbols, self.rng = symbols, rng
        self.topic, self.tone = "", ""
        self.bound: dict[str, str] = {}
        self.used: dict[str, set[int]] = {}

    def table(self, name: str) -> list[list[str]]:
        """The rows of [table.NAME], cut into cells; ⏎ within a cell is a line break."""
        return [line.replace("⏎", "\n").split(" | ") for line in self.symbols[f"table.{name}"]]

    def column(self, name: str) -> list[str]:
        """The first cells of [table.NAME]."""
        return [row[0] for row in self.table(name)]

    def begin(self, topic: str = "", tone: str = "") -> None:
        """Starts a new text: what was remembered and used before is forgotten."""
        self.topic, self.tone = topic, tone
        self.bound, self.used = {}, {}

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self.rng.integers(len(items)))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Some of the items in random order, none twice."""
        return [items[int(i)] for i in self.rng.permutation(len(items))[:count]]

    def write(self, template: str) -> str:
        """A template expanded, with "a" and "an" put right."""
        return _AN.sub(r"\1n ", self._expand(template))

    def sentence(self, template: str, end: str = ".") -> str:
        """A template expanded, with a capital and an end mark."""
        text = self.write(template)
        return capital(text) + ("" if text[-1:] in ".!?:…" else end)

    def _expand(self, template: str) -> str:
        while match := _CHOICE.search(template):
            template = template[: match.start()] + self.pick(match.group(1).split("|")) + template[match.end() :]
        return _SLOT.sub(lambda m: self._slot(m.group(1)), template)

    def _slot(self, slot: str) -> str:
        if number := _NUMBER.match(slot):
            return str(int(self.rng.integers(int(number.group(1)), int(number.group(2)) + 1)))
        name, _, symbol = slot.partition("=")
        if name in self.bound:
            return self.bound[name]
        text = self._expand(self._alternative(symbol or name))
        if symbol:
            self.bound[name] = text
        return text

    def _alternative(self, symbol: str) -> str:
        tone = self.tone
        if symbol.startswith("!"):
            symbol, tone = symbol[1:], _OPPOSITE[tone]
        for name in (f"{symbol}.{self.topic}.{tone}", f"{symbol}.{tone}", f"{symbol}.{self.topic}", symbol):
            if name in self.symbols:
                return self._unused(name)
        raise KeyError(f"no symbol {symbol} for topic {self.topic!r} and tone {tone!r}")

    def _unused(self, name: str) -> str:
        lines, used = self.symbols[name], self.used.setdefault(name, set())
        if len(used) >= len(lines):
            used.clear()
        left = [i for i in range(len(lines)) if i not in used]
        chosen = self.pick(left)
        used.add(chosen)
        return lines[chosen]


def capital(text: str) -> str:
    """The text with its first letter upper case."""
    return text[:1].upper() + text[1:]
