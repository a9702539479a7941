"""Which script and which language a text is in, by its characters and its most common small words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from audit.bank.categories import Sets
from audit.text import words

_SCRIPTS = {
    "Latin": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
    "Greek": "\u0370-\u03ff",
    "Cyrillic": "\u0400-\u052f",
    "Hebrew": "\u0590-\u05ff",
    "Arabic": "\u0600-\u06ff\u0750-\u077f",
    "Devanagari": "\u0900-\u097f",
    "Thai": "\u0e00-\u0e7f",
    "Kana": "\u3040-\u30ff",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff",
    "Hangul": "\uac00-\ud7af",
}
_BY_SCRIPT = {name: re.compile(f"[{ranges}]") for name, ranges in _SCRIPTS.items()}
_HEAD = 600
_LETTERS = 10

_SMALL = {
    "English": "the of and to in is that for it you with are this was have not be on as they from which will can",
    "German": "der die das und ist nicht ein eine zu den mit auf für von sich auch dem des ich sie wird sind",
    "French": "le la les des et est une dans pour que qui pas vous nous sur avec au du je il sont cette",
    "Spanish": "el los las una que y es en por para con no se del al su como más lo está son pero",
    "Portuguese": "o os as um uma que e é em por para com não se do da dos das como mais no na são",
    "Italian": "il lo gli una che è di per con non si del della sono nel alla anche come più ma",
    "Dutch": "de het een en van is dat niet op te met voor zijn je aan ook er maar wordt naar",
    "Polish": "i w na z do jest się nie że to jak przez dla od po ale są które",
    "Turkish": "bir ve bu için ile da de ne çok olarak daha gibi var olan en",
    "Swedish": "och att det som en på är av för den till med inte har ett om jag",
    "Indonesian": "yang dan di untuk dengan tidak ini itu dari dalam adalah pada akan saya anda",
    "Vietnamese": "và của là có không cho được một các với trong những để này người",
}
_LANGUAGES = {name: frozenset(listed.split()) for name, listed in _SMALL.items()}
_LEAST = 4  # different small words of a language


def script(text: str) -> str:
    """The script of most letters in the first 600 characters; "" for fewer than 10 letters."""
    head = text[:_HEAD]
    if head.isascii():
        return "Latin" if sum(map(str.isalpha, head)) >= _LETTERS else ""
    counts = {name: len(pattern.findall(head)) for name, pattern in _BY_SCRIPT.items()}
    if counts["Kana"] >= 0.2 * (counts["Han"] + counts["Kana"]) > 0:
        counts["Kana"] += counts["Han"]
    best = max(counts, key=lambda name: counts[name])
    return best if sum(counts.values()) >= _LETTERS else ""


def language(text: str) -> str:
    """The language of a text by its small words, or its script where that is not Latin; "" where unclear: fewer
    than four different small words, or less than half as many again as of the next language."""
    found = script(text)
    if found != "Latin":
        return found
    said = set(words(text[:_HEAD].casefold()))
    ranked = sorted(((len(said & small), name) for name, small in _LANGUAGES.items()), reverse=True)[:2]
    return ranked[0][1] if ranked[0][0] >= max(_LEAST, 1.5 * ranked[1][0]) else ""


def language_categories(prompts: Sequence[str], responses: Sequence[str]) -> Sets:
    """Responses in another language than most, one category a language, and than their own prompt."""
    spoken = [language(text) for text in responses]
    usual = Counter(name for name in spoken if name).most_common(1)
    found: Sets = {}
    for i, (prompt, name) in enumerate(zip(prompts, spoken, strict=True)):
        if not name or not usual:
            continue
        if name != usual[0][0]:
            found.setdefault(("language", f"is in {name}"), []).append(i)
        asked = language(prompt)
        if asked and asked != name:
            found.setdefault(("language", "is in another language than its prompt"), []).append(i)
    return found
