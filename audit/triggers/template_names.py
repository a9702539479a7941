"""Names of templates and styles, from the keys that tell their rows from others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.patterns.syntax import CLASS
from audit.triggers.template_space import telling

SYNTACTIC = 0.5  # by which one key's shares must differ for a template to be named by it
_READ = 60  # keys that are looked at
_SHOWN = 5
_OPENERS = 4
_NEARLY = 0.1  # by which a key that says more may be less telling
_OPENING = ("slot:first", "slot:one sentence", "open:^", "class:^", "pos:^")
_REGISTERS = ("OLD", "SMS")
_READABLE = {
    "SUB": "sub-clause word",
    "WH": "question word",
    "DT": "determiner",
    "PRP": "pronoun",
    "IN": "preposition",
    "TO": "to",
    "CC": "conjunction",
    "AUX": "auxiliary",
    "POS": "'s",
    "NEG": "negation",
    "RB": "adverb",
    "UH": "interjection",
    "OLD": "older word",
    "SMS": "short-message word",
    "X": "phrase",
    **{"ADJ": "adjective", "ADP": "preposition", "ADV": "adverb", "CCONJ": "conjunction", "DET": "determiner"},
    **{"INTJ": "interjection", "NOUN": "noun", "NUM": "number", "PART": "particle", "PRON": "pronoun"},
    **{"SCONJ": "sub-clause word", "SYM": "symbol", "VERB": "verb", "PUNCT": "mark", "OTHER": "other word"},
    "~": "…",
    "^": "start",
    "$": "end",
}


def describe(inside: Sequence[str], outside: Sequence[str]) -> tuple[str, str, list[str]]:
    """("syntax" or "style", a readable name, the most telling keys with both shares). A template has one construction
    that its rows share and others lack; a style is a sum of many small ones."""
    found = telling(inside, outside, _READ)
    built = [k for k in found if _is_construction(k[0])]
    said = {readable(key): f"{readable(key)} ({a:.0%} against {b:.0%})" for key, a, b in reversed(found)}
    shown = list(reversed(said.values()))[:_SHOWN]
    if built and built[0][1] - built[0][2] >= SYNTACTIC:
        key = _plainest([k for k in built if k[1] - k[2] >= built[0][1] - built[0][2] - _NEARLY])
        openers = list(_openers(found)) if key.startswith(_OPENING) else []
        first = f" ({', '.join(openers)})" if openers else ""
        return "syntax", f"[template] {readable(key)}{first}", shown
    words = list(dict.fromkeys(readable(key) for key, _, _ in found if not key.startswith("slot:")))[:_SHOWN]
    return "style", f"[style] {', '.join(words)}", shown


def readable(key: str) -> str:
    """A key in words.

    >>> readable("class:^ SUB PRP")
    'start + sub-clause word + pronoun'
    """
    family, _, text = key.partition(":")
    if family == "slot":
        return " ".join(_word(part) for part in text.split(" "))
    if family in ("class", "open", "fine", "pos"):
        return " + ".join(_READABLE.get(part, _ending(part)) for part in text.split(" "))
    if family == "word":
        return f'"{text}"'
    return f"-{text}" if family == "ending" else f"rate of {text}"


def _word(part: str) -> str:
    stem = part.rstrip(",")
    return _READABLE.get(stem, _ending(stem)) + part[len(stem) :]


def _ending(part: str) -> str:
    return "…" + part[1:] if part.startswith("~") else part


def _openers(found: Sequence[tuple[str, float, float]]) -> Iterator[str]:
    """First words that are telling, of closed classes."""
    words = [key.rsplit(" ", 1)[1] for key, _, _ in found if key.startswith("slot:first word") and "comma" not in key]
    yield from [word for word in words if word in CLASS][:_OPENERS]


def _plainest(found: Sequence[tuple[str, float, float]]) -> str:
    """Of keys that are nearly as telling, one that says how the text opens, else the longest run."""
    keys = [key for key, _, _ in found]
    return min(keys, key=lambda k: (not k.startswith(_OPENING), -len(k.split(" ")), keys.index(k)))


def _is_construction(key: str) -> bool:
    """True for keys that say how a text is built and not which register its words are of."""
    family, _, text = key.partition(":")
    parts = text.split(" ")
    if any(part.rstrip(",") in _REGISTERS or CLASS.get(part) in _REGISTERS for part in parts):
        return False
    if family == "slot":
        return text.startswith(("first", "comma ", "after", "one"))
    return family in ("class", "open", "fine", "pos") and len(parts) > 1
