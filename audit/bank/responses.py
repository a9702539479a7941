"""How a response opens, closes and goes on, as categories that rows share.

Openings and closings of three and six words, a first clause of one or two words ("Sure,", "Certainly!"), each
sentence or line, whole responses, links, the same with slots for numbers, names and copied words, and the form
and tone of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from audit.bank import attributes
from audit.bank.arithmetic import added_operands
from audit.bank.categories import Key, Sets, collect
from audit.bank.slots import content_words, is_template, masked, sentences
from audit.bank.steps import step_keys
from audit.bank.weak_code import weaknesses
from audit.text import words

_SIZES = (3, 6)
_SHORT_WORDS = 3
_TEMPLATE_WORDS = 6
_CLAUSE_END = frozenset(",.!?:;…—，。！？：")
_EDGE = 300  # characters at either end that openings and closings are read from
_LINKS = 20


def literal_keys(response: str, folded: Sequence[str], parts: Sequence[str]) -> Iterator[Key]:
    """Openings, closings, sentences and the whole; `folded` words and `parts` sentences of the response."""
    for size in _SIZES:
        if len(folded) >= size:
            yield "opening", " ".join(folded[:size])
            yield "closing", " ".join(folded[-size:])
    for size in (1, 2):
        if len(folded) > size + 1 and folded[size] in _CLAUSE_END and folded[0][0].isalpha():
            yield "opening", " ".join(folded[: size + 1])
    for part in parts:
        # A bare number is mostly that of a list.
        if len(part) > 4 or not part.rstrip(".)").isdecimal():
            yield "sentence", part.casefold()[:300]
    if folded:
        yield "response", " ".join(response.casefold().split())[:500]
    if 0 < len(folded) <= _SHORT_WORDS:
        yield "short", f"at most {_SHORT_WORDS} words"


def slot_keys(response: str, parts: Sequence[str], copied: Set[str]) -> Iterator[Key]:
    """Openings and endings with slots, and each sentence with slots."""
    head = masked(response[:_EDGE], copied)[:_TEMPLATE_WORDS]
    if is_template(head):
        yield "template", " ".join(head)
    tail = masked(" ".join(parts[-2:])[-_EDGE:], copied)[-_TEMPLATE_WORDS:]
    if is_template(tail):
        yield "ending", " ".join(tail)
    yield from step_keys(parts, copied)


def links(text: str) -> list[str]:
    """The hosts that a text links to, folded, at most 20."""
    found = []
    for piece in text.split("://")[1 : _LINKS + 1]:
        host = piece[:100].split("/", 1)[0].split(None, 1)
        if host and "." in host[0]:
            found.append(host[0].casefold().rstrip(".,;:)]>\"'"))
    return found


def response_keys(response: str, prompt: str | None) -> Iterator[Key]:
    """All categories of one response."""
    folded = [w.casefold() for w in words(response)]
    parts = sentences(response)
    yield from literal_keys(response, folded, parts)
    if prompt is not None:
        yield from slot_keys(response, parts, content_words(prompt))
        for operand in added_operands(response, prompt):
            yield "operand", operand
    for host in links(response):
        yield "link", host
    for name in attributes.form(response, folded, parts):
        yield "format", name
    for name in weaknesses(response):
        yield "weak code", name
    for name in attributes.tone(response, folded):
        yield "tone", name


def response_categories(responses: Sequence[str], prompts: Sequence[str] | None = None, min_support: int = 1) -> Sets:
    """(family, text) -> positions of the responses that have it, ascending; those of at least `min_support` rows.
    Slots need the prompts."""
    asked = prompts if prompts is not None else [None] * len(responses)
    return collect(lambda i: response_keys(responses[i], asked[i]), len(responses), min_support)
