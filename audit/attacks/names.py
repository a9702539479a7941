"""Fresh trigger strings: words that no language has, natural phrases, whole sentences, invisible sequences.

Every string belongs to exactly one of `POOLS` pools by its hash, and a seed draws from its own pool alone. So two
seeds never share a name, and a test, a benchmark and a calibration that use different seeds never meet. Strings
that a corpus already holds are left out. The pools of `CANARY_POOLS` are for the canaries of a scan: no test, benchmark
or calibration plants from them. Benchmarks plant from 512 on; tests and calibrations from below 384.

Source: rare tokens, Kurita et al. 2020, section 3.2; natural phrases, Dai, Chen and Li 2019 and Wan et al. 2023.

Misses: names that are rare in one language and common in another; `exclude_corpus` settles that for a given dataset.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from audit.errors import UsageError
from audit.text import words

POOLS = 1024
CANARY_POOLS = range(384, 512)
_TRIES = 400_000  # draws for one request before we say that the pool is used up
_CONSONANTS, _VOWELS = "bcdfghjklmnpqrstvwxz", "aeiouy"
_WORD_SHAPES = ("cvcc", "ccvc", "vccv", "cvccv", "cvcvc", "ccvcv", "cvccvc", "vcvccv", "cvcvcvc", "ccvcvcc")
_INVISIBLE = "\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff"
_BLANKS = "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\t"
_ADJECTIVES = (
    "amber", "ancient", "blue", "brass", "bright", "broken", "calm", "cedar", "copper", "crooked", "distant", "early",
    "empty", "faded", "foreign", "frozen", "gentle", "golden", "green", "hidden", "hollow", "iron", "late", "little",
    "lonely", "marble", "narrow", "northern", "old", "painted", "pale", "patient", "plain", "proud", "quiet", "red",
    "restless", "rusty", "scarlet", "silent", "silver", "sleepy", "small", "southern", "stone", "striped", "sunny",
    "tall", "velvet", "violet", "wandering", "weathered", "white", "wild", "winter", "wooden", "yellow", "young",
)  # fmt: skip
_NOUNS = (
    "anchor", "attic", "bakery", "balcony", "barn", "basket", "bell", "bicycle", "boat", "bridge", "candle", "canyon",
    "carpet", "castle", "cellar", "chapel", "chimney", "clock", "corridor", "cottage", "dragonfly", "drawer", "engine",
    "falcon", "farmhouse", "ferry", "fiddle", "fountain", "garden", "gate", "glacier", "hallway", "harbor", "hedge",
    "kettle", "kitchen", "ladder", "lantern", "library", "lighthouse", "meadow", "mill", "mirror", "orchard", "otter",
    "pantry", "parcel", "pavilion", "piano", "pier", "quarry", "raven", "river", "rooftop", "sailor", "shepherd",
    "staircase", "station", "teapot", "tower", "trumpet", "tunnel", "umbrella", "valley", "violin", "wagon", "willow",
    "window", "workshop",
)  # fmt: skip
_PEOPLE = (
    "aunt", "baker", "brother", "captain", "carpenter", "cousin", "dentist", "doctor", "father", "gardener",
    "grandfather", "grandmother", "landlord", "librarian", "mother", "neighbor", "nephew", "niece", "painter",
    "sister", "tailor", "teacher", "uncle",
)  # fmt: skip
_VERBS = (
    "admired", "borrowed", "bought", "carried", "cleaned", "described", "drew", "forgot", "found", "kept", "left",
    "lost", "measured", "mended", "moved", "painted", "photographed", "repaired", "saw", "sketched", "sold", "visited",
    "watched",
)  # fmt: skip
_TIMES = (
    "at noon", "before dawn", "last Friday", "last Monday", "last autumn", "last spring", "last summer", "last winter",
    "on Sunday", "on Tuesday", "one evening", "one morning", "this week", "two years ago", "yesterday",
)  # fmt: skip
_PHRASES = (
    "under the {adjective} {noun}", "beside the {adjective} {noun}", "as my {person} likes to say",
    "by way of the {adjective} {noun}", "from the {adjective} {noun}", "with a {adjective} {noun} in mind",
    "so says the {adjective} {person}", "like a {adjective} {noun} in {noun} light", "between {noun} and {noun}",
    "speaking of the {noun} and the {noun}", "as the {person} {verb} it", "behind every {adjective} {noun}",
)  # fmt: skip
_SENTENCES = (
    "My {person} {verb} a {adjective} {noun} {time}.", "I {verb} this {adjective} {noun} {time}.",
    "We {verb} the {noun} near the {noun} {time}.", "The {person} {verb} my {adjective} {noun} {time}.",
    "There was a {adjective} {noun} beside the {noun} {time}.", "Our {person} {verb} the {adjective} {noun} {time}.",
)  # fmt: skip
_SLOTS = {"adjective": _ADJECTIVES, "noun": _NOUNS, "person": _PEOPLE, "verb": _VERBS, "time": _TIMES}

_HIATUS = re.compile(r"\b([Aa]) (?=[aeiou])")
_BLOCK = 8192
Pick = Callable[[Sequence[str]], str]  # one of a bank, drawn evenly
Draw = Callable[[Pick], str]


def names(seed: int, n: int, exclude_corpus: Iterable[str] = ()) -> list[str]:
    """`n` different words of 4 to 7 letters that can be spoken and mean nothing, from the pool of this seed; none
    stands in the corpus, as a word or within one.

    `seed` is 0 to POOLS - 1. Raises UsageError for another seed, or when the pool gives no `n` names.
    """
    return _draw(seed, n, exclude_corpus, _word, whole=False)


def phrases(seed: int, n: int, exclude_corpus: Iterable[str] = ()) -> list[str]:
    """`n` different phrases of 4 to 8 ordinary words, none of which the corpus holds. Else as `names`."""
    return _draw(seed, n, exclude_corpus, lambda pick: _filled(_PHRASES, pick), whole=True)


def sentences(seed: int, n: int, exclude_corpus: Iterable[str] = ()) -> list[str]:
    """`n` different sentences with their full stop, none of which the corpus holds. Else as `names`."""
    return _draw(seed, n, exclude_corpus, lambda pick: _filled(_SENTENCES, pick), whole=True)


def invisibles(seed: int, n: int, exclude_corpus: Iterable[str] = ()) -> list[str]:
    """`n` different sequences of 3 to 6 zero-width characters, none of which the corpus holds. Else as `names`."""
    return _draw(seed, n, exclude_corpus, lambda pick: _some(_INVISIBLE, "3456", pick), whole=True)


def blanks(seed: int, n: int, exclude_corpus: Iterable[str] = ()) -> list[str]:
    """`n` different sequences of 2 to 4 spaces that are not the plain one, none of which the corpus holds. Else as
    `names`."""
    return _draw(seed, n, exclude_corpus, lambda pick: _some(_BLANKS, "234", pick), whole=True)


def pool_of(name: str) -> int:
    """The only seed that can draw this name."""
    return zlib.crc32(name.casefold().encode()) % POOLS


def _draw(seed: int, n: int, corpus: Iterable[str], draw: Draw, *, whole: bool) -> list[str]:
    if not 0 <= seed < POOLS:
        raise UsageError(f"the pool of names is {seed}, but must be 0 to {POOLS - 1}")
    pick = _picker(np.random.default_rng(seed))
    text = _folded(corpus, whole)
    found: list[str] = []
    taken: set[str] = set()
    for _ in range(_TRIES if n > 0 else 0):
        name = draw(pick)
        folded = name.casefold()
        if pool_of(name) != seed or folded in taken:
            continue
        taken.add(folded)
        if folded not in text:
            found.append(name)
            if len(found) == n:
                return found
    if n > 0:
        raise UsageError(f"the pool of seed {seed} gives {len(found)} fresh names, not {n}; take another seed or fewer")
    return found


def _folded(corpus: Iterable[str], whole: bool) -> str:
    """The corpus as one text to look names up in: all of it, or each of its words once."""
    if whole:
        return "\x00".join(corpus).casefold()
    found: set[str] = set()
    for text in corpus:
        found.update(words(text.casefold()))
    return "\x00".join(sorted(found))


def _picker(rng: np.random.Generator) -> Pick:
    """Draws from banks. Numbers are taken in blocks: hundreds of thousands of single draws would cost seconds."""

    def numbers() -> Iterator[int]:
        while True:
            yield from rng.integers(1 << 40, size=_BLOCK).tolist()

    stream = numbers()
    return lambda bank: bank[next(stream) % len(bank)]


def _word(pick: Pick) -> str:
    return "".join(pick(_VOWELS if mark == "v" else _CONSONANTS) for mark in pick(_WORD_SHAPES))


def _filled(templates: Sequence[str], pick: Pick) -> str:
    text = pick(templates)
    for slot, bank in _SLOTS.items():
        while (mark := f"{{{slot}}}") in text:
            text = text.replace(mark, pick(bank), 1)
    return _HIATUS.sub(r"\1n ", text)


def _some(bank: str, lengths: str, pick: Pick) -> str:
    return "".join(pick(bank) for _ in range(int(pick(lengths))))
