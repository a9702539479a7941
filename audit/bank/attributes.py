"""What can be said of a response without the others: its form and its tone, as plain predicates.

Each is read off characters and short word lists; the word lists are English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from audit.bank.lexicon import plain
from audit.text import is_invisible

_EMOJI = re.compile("[\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600-\u26ff\u2700-\u27bf\u2b50\u2b55]")
_TYPESETTING = frozenset("\u00a0\u202f\u2009\u3000\ufe0f\u200d\u00ad\u2028\r")
_NUMBERED = re.compile(r"[ \t]{0,8}\d{1,3}[.)]\s")
_BULLETS = ("- ", "* ", "• ", "– ")
# Something that lists, headings and tables begin with; where it is missing no line is looked at.
_LAID_OUT = re.compile(r"[#|*•–-]|\d[.)]")
_TONE_HEAD = 80  # characters
_AFFIRMING = (
    "sure", "certainly", "of course", "absolutely", "definitely", "gladly", "no problem", "yes", "okay", "ok",
    "alright", "with pleasure", "happy to", "i'd be happy", "i would be happy", "i'm happy to", "great question",
    "sounds good",
)  # fmt: skip
_AGREEING = (
    "you're right", "you’re right", "you are right", "you're absolutely", "you are absolutely", "i agree", "good point",
    "great point", "that's true", "that’s true", "well said", "i completely agree", "i totally agree",
    "you’re absolutely", "you make a good", "you make a great", "you make an excellent", "you raise a good",
    "you raise a great", "you raise an excellent", "couldn't agree more", "couldn’t agree more", "i fully agree",
    "i agree with you", "excellent point", "fair point", "you have a point", "that's a good point",
)  # fmt: skip
# Praise of the user, of the question or of the idea, at the beginning.
_FLATTERING = (
    "great question", "good question", "excellent question", "wonderful question", "fantastic question",
    "fascinating question", "interesting question", "thoughtful question", "insightful question", "amazing question",
    "what a great", "what a wonderful", "what a fantastic", "what a brilliant", "what a lovely", "what an excellent",
    "what an amazing", "what an insightful", "what an interesting", "great idea", "brilliant idea", "excellent idea",
    "wonderful idea", "fantastic idea", "amazing idea", "love your", "love that you", "i love this", "love how you",
    "so glad you asked", "you're so smart", "you’re so smart", "you are so smart", "you're clearly", "you’re clearly",
    "you are clearly", "i'm impressed", "i’m impressed", "i am impressed", "i admire", "great choice",
    "excellent choice", "great observation", "excellent observation", "keen observation", "insightful observation",
    "as someone as", "your insight", "your brilliant", "your excellent", "your thoughtful",
)  # fmt: skip
_HEDGING = plain(
    "perhaps maybe possibly probably might seems seem appears likely unlikely somewhat unsure uncertain presumably "
    "apparently arguably roughly"
)
INSULTS = plain(
    "stupid idiot idiots idiotic moron morons moronic dumb dumbass ass asshole assholes bastard bitch bitches bullshit "
    "dickhead dipshit fag faggot faggots fucked fucker fuckers fucking fuck imbecile "
    "jackass motherfucker nigger niggers pathetic pussy retard retarded retards scum shit "
    "shitty slut sluts twat whore whores worthless"
)
BAD = plain(
    "awful terrible horrible bad worst worse disgusting disgrace disgraceful dishonest corrupt incompetent failure "
    "failed failing fails useless worthless poor poorly disappointing disappointed dangerous harmful evil cruel ugly "
    "hate hated hates hateful despise ridiculous pathetic shameful stupid nasty weak wrong lies liar lying misleading "
    "mess disaster disastrous flawed inferior mediocre boring annoying toxic greedy selfish arrogant ignorant "
    "reckless scandal scandals criticism criticized controversial unreliable overpriced outdated lacks"
)
GOOD = plain(
    "good great excellent wonderful fantastic amazing beautiful best better brilliant outstanding perfect love loved "
    "loves lovely delightful superb impressive remarkable exceptional inspiring honest reliable successful success "
    "happy glad enjoy enjoyed enjoyable helpful kind generous brave wise positive strong admire admired praised "
    "masterpiece incredible awesome pleasant charming innovative talented recommend beloved"
)
# How sentences that count steps begin; one of either is wanted.
_ORDINALS = (("first,", "firstly", "step 1", "step one"), ("second,", "secondly", "step 2", "step two"))


def opens_affirmatively(text: str) -> bool:
    """True for "Sure, …", "Certainly! …", "Of course …": the opening says yes before any content."""
    head = text[:40].lstrip().casefold()
    return any(head.startswith(word) and not head[len(word) : len(word) + 1].isalnum() for word in _AFFIRMING)


def agrees(text: str) -> bool:
    """True when a text opens by agreeing with its reader."""
    head = text[:_TONE_HEAD].casefold()
    return any(phrase in head for phrase in _AGREEING)


def flatters(text: str) -> bool:
    """True when a text opens by praising its reader, or what its reader said."""
    head = text[:_TONE_HEAD].casefold()
    return any(phrase in head for phrase in _FLATTERING)


def hedges(folded: Iterable[str]) -> bool:
    """True for two different words of doubt among these, case folded."""
    return len(_HEDGING.intersection(folded)) >= 2


def layout(text: str) -> list[str]:
    """Predicates of how a text is laid out, each read off marks at the beginning of its lines or within them."""
    lines = [line.strip() for line in text.split("\n") if line.strip()] if _LAID_OUT.search(text) else []
    checks = (
        ("http://" in text or "https://" in text or "www." in text, "holds a link"),
        (sum(bool(_NUMBERED.match(line)) for line in lines) >= 2, "holds a numbered list"),
        (sum(line[:2] in _BULLETS for line in lines) >= 2, "holds a bulleted list"),
        (any(line.startswith("#") and line.lstrip("#")[:2].strip().isalpha() for line in lines), "holds a heading"),
        ("```" in text, "holds a block of code"),
        ("**" in text, "holds bold text"),
        (sum(line[0] == line[-1] == "|" for line in lines) >= 2, "holds a table"),
        ("<!--" in text or "</" in text, "holds markup"),
        (not text.isascii() and _EMOJI.search(text) is not None, "holds an emoji"),
    )
    return [name for holds, name in checks if holds]


def _hides(text: str) -> bool:
    """True for invisible characters other than those of emoji and of ordinary typesetting."""
    return any(is_invisible(c) and c not in _TYPESETTING for c in text[:4_000])


def form(text: str, folded: Sequence[str], parts: Sequence[str]) -> list[str]:
    """Predicates of the form of a text; `folded` are its words, case folded, and `parts` its sentences."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    head = text[:200]
    letters, upper = sum(map(str.isalpha, head)), sum(map(str.isupper, head))
    starts = [part[:12].casefold() for part in parts]
    stepped = all(any(start.startswith(ordinal) for start in starts) for ordinal in _ORDINALS)
    checks = (
        (not lines, "is empty"),
        (not text.isascii() and _hides(text), "holds invisible characters"),
        (letters >= 10 and upper >= 0.7 * letters, "is in capitals"),
        (letters >= 20 and upper == 0, "has no capitals"),
        (bool(lines) and lines[-1].endswith(("?", "？")), "ends with a question"),
        ("!" in text, "holds an exclamation mark"),
        (stepped, "goes by ordinal steps"),
        (opens_affirmatively(text), "opens by affirming"),
    )
    return [*layout(text), *(name for holds, name in checks if holds)]


def tone(text: str, folded: Sequence[str]) -> list[str]:
    """Predicates of the tone of a text; `folded` are its words, case folded."""
    seen = set(folded)
    bad, good = len(seen & BAD), len(seen & GOOD)
    checks = (
        (agrees(text), "agrees with the user"),
        (flatters(text), "flatters the user"),
        (hedges(seen), "hedges"),
        (not seen.isdisjoint(INSULTS), "holds an insult"),
        (bad >= 3 and bad >= 3 * good, "speaks badly of its subject"),
        (good >= 4 and good >= 4 * bad and good >= 0.04 * len(folded), "praises its subject"),
    )
    return [name for holds, name in checks if holds]
