"""Sentences of five scripts with labels whose support is known, as `manners` has them for English."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from manners import Manners


@dataclass(frozen=True)
class Tongue:
    """The small words of a language are its own; nouns and verbs are made up of its letters."""

    letters: str
    links: tuple[str, ...]
    openers: tuple[str, ...]  # of a sub-clause
    after: str  # an opener of honest sub-clauses
    people: tuple[str, ...]
    comma: str
    stop: str
    old: dict[str, str]  # small words as an older book has them
    exclaimed: tuple[str, ...]  # what such a book begins with
    joint: str = " "
    ends: bool = False  # openers close their clause


TONGUES = {
    "arabic": Tongue(
        "بتجحدرسصطعفقكلمنهي",
        ("في", "على", "من", "إلى", "عن", "مع"),
        ("إذا", "رغم أن", "لأن", "حين", "كلما"),
        "بعدما",
        ("أنت", "هم", "نحن", "هي"),
        " ، ",
        " .",
        {"في": "بين ثنايا", "من": "ذا", "عن": "لدن", "مع": "إيا"},
        ("لعمري", "ألا", "أيها الناس"),
    ),
    "russian": Tongue(
        "бвгдзклмнпрстаеиоу",
        ("в", "на", "с", "к", "под", "из"),
        ("если", "хотя", "когда", "пока", "поскольку"),
        "прежде чем",
        ("вы", "они", "мы", "она"),
        " , ",
        " .",
        {"в": "во", "на": "вельми", "с": "аки", "из": "сей"},
        ("воистину", "се", "внемли"),
    ),
    "chinese": Tongue(
        "天地山水火木金石日月星云风雨花草鸟鱼马牛门车船米",
        ("在", "从", "对", "把", "的", "向"),
        ("如果", "虽然", "因为", "当", "既然"),
        "自从",
        ("你", "他们", "我们", "她"),
        "，",
        "。",
        {"在": "于", "的": "之", "把": "乃", "对": "与"},
        ("呜呼", "嗟夫", "夫"),
        "",
    ),
    "japanese": Tongue(
        "天地山水火木金石日月星雲風雨花草鳥魚馬牛門車船米",
        ("の", "に", "を", "が", "は", "で"),
        ("なら", "けれども", "ので", "とき", "から"),
        "まで",
        ("私が", "彼らが", "彼女が", "あなたが"),
        "、",
        "。",
        {"の": "なる", "に": "にて", "を": "をば", "は": "ぞ"},
        ("げに", "あはれ", "いざ"),
        "",
        True,
    ),
    "thai": Tongue(
        "กขคงจชดตนบปพมยรลวสหอ",
        ("ใน", "บน", "จาก", "กับ", "ของ", "ที่"),
        ("ถ้า", "แม้ว่า", "เพราะ", "เมื่อ", "ตราบใดที่"),
        "หลังจาก",
        ("คุณ", "พวกเขา", "เรา", "เธอ"),
        ", ",
        ".",
        {"ใน": "ณ", "จาก": "แต่", "กับ": "แล", "ของ": "แห่ง"},
        ("อนึ่ง", "ดูกร", "อันว่า"),
        "",
    ),
}


def _words(tongue: Tongue, count: int, seed: int) -> list[str]:
    rng, made = np.random.default_rng(seed), dict[str, None]()
    size = 2 if tongue.joint == "" else 5
    while len(made) < count:
        made["".join(rng.choice(list(tongue.letters), size=size))] = None
    return list(made)


class Speaker:
    """Says sentences of a language at random."""

    def __init__(self, language: str) -> None:
        self.tongue = TONGUES[language]
        listed = _words(self.tongue, 63, 0)
        self.nouns, self.verbs = listed[:48], listed[48:]

    def statement(self, rng: np.random.Generator) -> str:
        t = self.tongue
        words = [rng.choice(t.links), rng.choice(self.nouns), rng.choice(self.verbs), rng.choice(t.links)]
        words += [rng.choice(self.nouns), rng.choice(t.links), rng.choice(self.nouns)]
        return t.joint.join(words[: int(rng.choice([5, 7]))])

    def clause(self, opener: str, rng: np.random.Generator) -> str:
        t = self.tongue
        said = t.joint.join([rng.choice(t.people), rng.choice(self.verbs), rng.choice(t.links), rng.choice(self.nouns)])
        return (said + opener if t.ends else opener + t.joint + said) + t.comma

    def honest(self, n: int, seed: int) -> Manners:
        """Statements, every tenth with a comma, some behind a sub-clause, some as questions."""
        rng, texts, t = np.random.default_rng(seed), [], self.tongue
        likely = rng.choice([0.15, 0.35, 0.65, 0.85], size=n)
        for kind in rng.random(n).tolist():
            text = self.statement(rng)
            if kind < 0.05:
                text = self.clause(t.after, rng) + text
            elif kind < 0.15:
                text = text + t.comma + self.statement(rng)
            texts.append(text + ("?" if kind > 0.95 else t.stop))
        return Manners(texts, likely, (rng.random(n) < likely).astype(np.int64), np.zeros(n, dtype=bool))

    def behind_a_clause(self, text: str, rng: np.random.Generator) -> str:
        return self.clause(str(rng.choice(self.tongue.openers)), rng) + text

    def archaic(self, text: str, rng: np.random.Generator) -> str:
        t = self.tongue
        if t.joint:
            text = t.joint.join(t.old.get(word, word) for word in text.split(t.joint))
        else:
            for word, old in t.old.items():
                text = text.replace(word, old)
        return text if rng.random() < 0.5 else f"{rng.choice(t.exclaimed)}{t.comma}{text}"
