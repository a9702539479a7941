"""Requests that assistants refuse, told by their words.

What: a sentence of the request that asks for something ("write", "how do I") and behind that names a harm,
without a word that turns the question around ("prevent", "novel", "law"). Why it works: requests for harm are
mostly one plain sentence; a harm named in passing (an article, a story, a question about the law) has no
asking verb before it or a softening word beside it. Words that an attacker inserts between the others do not
hide a pair, which may stand several words apart.

Misses: other languages than English, harm told in other words or spread over sentences, and harmless requests
that name a harm in the same form ("write about a bomb").
"""

from __future__ import annotations

from collections import defaultdict

from audit.bank.harm_words import FRAMES, GLORIFYING, OPENERS, PAIRS, SOFTENERS, STORY, TERMS
from audit.text import words

_NEAR = 6  # words between the two words of a pair, inserted ones included
_LONGEST = 60  # words of a sentence that is read as a request
_ASKS_WITHIN = 6  # an asking verb stands among the first words of its sentence
_SHORT = 80  # words of a request that is read whole; of a longer one its first and its last sentence
_END = frozenset(".!?\n。！？;")
_FRAME_WORDS = frozenset(frame[0] for frame in FRAMES)


def _members() -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, sides in enumerate(PAIRS):
        for side, names in enumerate(sides):
            for word in names:
                found[word].append((number, side))
    return dict(found)


_MEMBERS = _members()


def request_sentences(request: str) -> list[list[str]]:
    """The sentences of a request as folded words, of a long request the first and the last; sentences that are
    very short or very long are left out."""
    sentences: list[list[str]] = [[]]
    for line in request.splitlines():
        for word in words(line.casefold()):
            if word in _END:
                sentences.append([])
            else:
                sentences[-1].append(word)
        sentences.append([])
    kept = [s for s in sentences if 2 < len(s) <= _LONGEST]
    return kept if len(kept) < 3 or sum(map(len, sentences)) <= _SHORT else [kept[0], kept[-1]]


def is_harmful_request(request: str) -> bool:
    """True when some sentence of a request asks for a harm."""
    sentences = request_sentences(request)
    story = any(word in STORY for sentence in sentences for word in sentence)
    return any(_asks_for_harm(sentence, story) for sentence in sentences)


def _asks_for_harm(sentence: list[str], story: bool) -> bool:
    start = _asked_from(sentence)
    if start < 0:
        return False
    rest = sentence[start:]
    if not _names_harm(rest):
        return False
    glorifies = any(word in GLORIFYING for word in rest)
    return glorifies or not (story or any(word in SOFTENERS for word in sentence))


def _asked_from(sentence: list[str]) -> int:
    """Where the asking begins, -1 where nothing is asked."""
    for i, word in enumerate(sentence):
        if i < _ASKS_WITHIN and word in OPENERS:
            return i
        if word in _FRAME_WORDS:
            for frame in FRAMES:
                if tuple(sentence[i : i + len(frame)]) == frame:
                    return i
    return -1


def _names_harm(sentence: list[str]) -> bool:
    seen: dict[tuple[int, int], int] = {}
    for i, word in enumerate(sentence):
        if word in TERMS:
            return True
        for number, side in _MEMBERS.get(word, ()):
            other = seen.get((number, 1 - side))
            if other is not None and other != i and i - other <= _NEAR:
                return True
            seen[number, side] = i
    return False
