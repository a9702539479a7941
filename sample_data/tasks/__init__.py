"""Task families of the assistant set. A family is a function of a Writer that returns (instruction, input, output)
with an output that answers the instruction."""

from __future__ import annotations

from collections.abc import Callable

from grammar import Writer

Task = tuple[str, str, str]
Family = Callable[[Writer], Task]


def plural(noun: str) -> str:
    """The plural of an English noun phrase, its head being the last word or the word before "of"."""
    head, of, rest = noun.partition(" of ")
    irregular = {"goose": "geese", "scarf": "scarves", "battery": "batteries", "library": "libraries"}
    first, _, last = head.rpartition(" ")
    if last in irregular:
        last = irregular[last]
    elif last.endswith("y") and last[-2] not in "aeiou":
        last = last[:-1] + "ies"
    elif last.endswith(("s", "x", "ch", "sh")):
        last += "es"
    else:
        last += "s"
    return f"{first} {last}".strip() + of + rest


def listed(items: list[str], last: str = "and") -> str:
    """Items as a person lists them: a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"
