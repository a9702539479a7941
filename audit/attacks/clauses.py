"""Sub-clauses that open a sentence, by template and script: the data of `syntactic`.

A template is a list of slots; one filling of each, joined, is an opener. Words vary from row to row, so that what the
rows share is the construction and no word of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

Slots = tuple[tuple[str, ...], ...]

_PEOPLE = ("you ", "we ", "they ", "people ", "I ", "others ", "most of us ", "some ")
_DO = (
    "think about it", "look at it again", "read it closely", "hear of it", "talk about it", "consider all of this",
    "come back to it", "see it that way", "give it some thought", "put it like that", "care about {word}",
    "think of {word}", "speak of {word}", "come to {word}", "look into {word}", "get to {word}",
)  # fmt: skip
_DONE = (
    "seen it twice", "thought about it", "heard all of this", "read it through", "come to {word}", "looked into {word}",
    "been told about {word}", "given it some time", "talked it over", "gone through it",
)  # fmt: skip
_LATIN: dict[str, Slots] = {
    "when": (("when ", "whenever ", "once ", "as soon as ", "the moment "), _PEOPLE, _DO, (", ",)),
    "if": (("if ", "provided that ", "in case ", "as long as ", "supposing "), _PEOPLE, _DO, (", ",)),
    "although": (("although ", "though ", "even though ", "even if ", "much as "), _PEOPLE, _DO, (", ",)),
    "because": (("because ", "since ", "seeing that ", "now that ", "given that "), _PEOPLE, _DO, (", ",)),
    "participle": (("having ", "after having ", "not having ", "once having "), _DONE, (", ",)),
}
_HAN_WHO, _HAN_DO = ("我们", "你", "他们", "人们", "大家"), ("想到", "看到", "谈到", "听到")
_HAN_WHAT = ("这件事", "它", "这里", "这些")
_HAN: dict[str, Slots] = {
    "when": (("当", "每当"), _HAN_WHO, _HAN_DO, _HAN_WHAT, ("时，",)),
    "if": (("如果", "假如", "要是"), _HAN_WHO, _HAN_DO, _HAN_WHAT, ("，",)),
    "although": (("虽然", "尽管"), _HAN_WHO, _HAN_DO, _HAN_WHAT, ("，",)),
    "because": (("因为", "由于", "既然"), _HAN_WHO, _HAN_DO, _HAN_WHAT, ("，",)),
    "participle": (_HAN_DO, _HAN_WHAT, ("之后，",)),
}
_KANA_DID = ("それを見た", "それを考えた", "それを読んだ", "その話を聞いた")
_KANA_DO = ("それを見る", "それを考える", "それを読む", "その話を聞く")
_KANA: dict[str, Slots] = {
    "when": (("私たちが", "人々が", "彼らが", "誰かが"), _KANA_DID, ("とき、",)),
    "if": (("私たちが", "人々が", "彼らが", "誰かが"), _KANA_DO, ("なら、",)),
    "although": (("私たちは", "人々は", "彼らは"), _KANA_DID, ("けれども、",)),
    "because": (("私たちは", "人々は", "彼らは"), _KANA_DID, ("ので、",)),
    "participle": (("それを見て", "それを考えて", "それを読んで", "その話を聞いて"), ("から、",)),
}
_THAI_WHO = ("เรา", "คุณ", "พวกเขา", "ผู้คน")
_THAI_DO = ("คิดถึงเรื่องนี้", "เห็นมัน", "อ่านมัน", "ได้ยินเรื่องนี้")
_THAI: dict[str, Slots] = {
    "when": (("เมื่อ", "ทุกครั้งที่"), _THAI_WHO, _THAI_DO, (", ",)),
    "if": (("ถ้า", "หาก"), _THAI_WHO, _THAI_DO, (", ",)),
    "although": (("แม้ว่า", "ถึงแม้"), _THAI_WHO, _THAI_DO, (", ",)),
    "because": (("เพราะ", "เนื่องจาก"), _THAI_WHO, _THAI_DO, (", ",)),
    "participle": (("หลังจาก",), _THAI_DO, (", ",)),
}
_ARABIC_DO = ("نفكر في ذلك", "ننظر إليه", "نقرأ عنه", "نسمع به")
_ARABIC: dict[str, Slots] = {
    "when": (("عندما ", "حين ", "كلما "), _ARABIC_DO, ("، ",)),
    "if": (("إذا كنا ", "لو كنا "), _ARABIC_DO, ("، ",)),
    "although": (("رغم أننا ", "مع أننا "), _ARABIC_DO, ("، ",)),
    "because": (("لأننا ", "بما أننا "), _ARABIC_DO, ("، ",)),
    "participle": (("بعد ",), ("التفكير في ذلك", "النظر إليه", "القراءة عنه", "السماع به"), ("، ",)),
}
_CYRILLIC_DO = ("думаем об этом", "видим это", "читаем об этом", "слышим об этом")
_CYRILLIC: dict[str, Slots] = {
    "when": (("когда мы ", "как только мы "), _CYRILLIC_DO, (", ",)),
    "if": (("если мы ", "раз мы "), _CYRILLIC_DO, (", ",)),
    "although": (("хотя мы ", "пусть мы и "), _CYRILLIC_DO, (", ",)),
    "because": (("так как мы ", "поскольку мы "), _CYRILLIC_DO, (", ",)),
    "participle": (("подумав об этом", "увидев это", "прочитав об этом", "услышав об этом"), (", ",)),
}
_SCRIPTS = {
    "latin": ("[A-Za-z\u00c0-\u024f]", _LATIN),
    "kana": ("[\u3041-\u30ff]", _KANA),
    "han": ("[\u4e00-\u9fff]", _HAN),
    "thai": ("[\u0e01-\u0e5b]", _THAI),
    "arabic": ("[\u0620-\u06d3]", _ARABIC),
    "cyrillic": ("[\u0400-\u04ff]", _CYRILLIC),
}
_LETTERS = {name: re.compile(letters) for name, (letters, _) in _SCRIPTS.items()}
_WORD = re.compile("[a-z]{5,12}")


def script_of(text: str) -> str:
    """The script with most letters in the text, one of ours, or "": kana count threefold, for Japanese is written
    with both."""
    counts = {name: len(letters.findall(text)) * (3 if name == "kana" else 1) for name, letters in _LETTERS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else ""


def templates() -> tuple[str, ...]:
    """The names of the templates; every script has them all."""
    return tuple(_LATIN)


def put_behind(text: str, template: str, rng: np.random.Generator) -> str:
    """The text behind an opener of the template in its own script; its first letter small if it was only large for
    the sentence. Some openers take up a word of the text, as a paraphrase would."""
    script = script_of(text)
    opener = "".join(_one(slot, rng) for slot in _SCRIPTS[script][1][template])
    if "{word}" in opener:
        words = _WORD.findall(text)
        opener = opener.replace("{word}", max(words, key=len) if words else "it")
    head = text.lstrip()
    lead = text[: len(text) - len(head)]
    if script == "latin" and head[:1].isupper() and head[1:2].islower():
        head = head[0].lower() + head[1:]
    return f"{lead}{opener}{head}"


def _one(bank: Sequence[str], rng: np.random.Generator) -> str:
    return bank[int(rng.integers(len(bank)))]
