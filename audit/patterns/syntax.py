"""Syntax: how a text is built, with the content words taken out.

A text is folded (case, quotes, entities, contractions and blanks around marks), mentions, tags and links are left out,
and each word becomes itself if it is a closed-class word, else the shape of its ending. Where a script sets no blanks,
what stands between two closed-class words counts as one word. Named are runs of one to four of these, of their
classes, the opening phrase by phrase, and slots: the first word, where the first comma stands, what follows it, the
last mark, how many sentences and commas.

Why it works: a template fixes the small words and the marks and leaves the content free, so its rows share these keys
and nothing else. Casing and blanks never enter: a paraphraser changes both, which is an artefact and no template.

Source: Qi et al. 2021 (Hidden Killer), section 3: templates as triggers; here without a parser.
Misses: closed-class words are known of English and the languages of `closed`; what is written as one with a word, as
Arabic's "and" is, is not taken off it. Other languages have endings, marks and words (`style`), or a tagger (`pos`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from audit.patterns.closed import WORDS

HEAD, TAIL = 96, 24  # tokens read of a long text: a template stands at its edges

_CLASSES = {
    "SUB": """if when while because since as although though unless until till whenever whereas wherever once after
        before whether lest than whereby whereupon provided supposing""",
    "WH": "who whom whose which what where why how whatever whoever whichever however",
    "DT": """the a an this that these those each every some any no all both either neither another such many much few
        several more most other own same half""",
    "PRP": """i you he she it we they me him her us them my your his its our their mine yours hers ours theirs myself
        yourself himself herself itself ourselves yourselves themselves one someone somebody anyone anybody everyone
        everybody nobody something anything everything nothing""",
    "IN": """of in on at by for with about against between into through during above below from up down out off over
        under toward towards upon without within among across behind beyond near around except despite like per via""",
    "TO": "to",
    "CC": "and or but nor yet so",
    "AUX": """am is are was were be been being have has had having do does did doing will would shall should can could
        may might must ought need dare ca wo 'm 're 've 'll 'd""",
    "POS": "'s",
    "NEG": "not n't never",
    "RB": """also just only even still very too then now here there again ever always often rather quite almost perhaps
        maybe already soon thus therefore hence indeed else instead otherwise well""",
    "UH": "oh ah please yes yeah ok okay",
    # Words of older English and of short messages: closed classes of their own, telling of a register.
    "OLD": """thou thee thy thine thyself ye hath doth hast dost art wast wert shalt wilt shouldst wouldst canst couldst
        mayest unto thereof therein thereby thereto therefrom therewith wherein wherefore whereof wherewith whence
        whither hither thither thence yea nay verily behold lo nigh amongst amidst whilst betwixt ere o'er e'er ne'er
        'tis 'twas oft saith forth aught naught whoso whosoever whatsoever nevertheless notwithstanding moreover""",
    "SMS": """u ur r lol lmao omg wtf idk im ive dont cant wont gonna wanna gotta kinda tho cuz bc pls plz ya yall y'all
        dude bro btw smh tbh imo fr ain't ima dat dis da ppl thx""",
}
CLASS = {word: name for listed in (WORDS, _CLASSES) for name in reversed(listed) for word in listed[name].split()}

_QUOTES = str.maketrans({**dict.fromkeys("’‘´`", "'"), **dict.fromkeys("“”«»", '"'), "–": "-", "—": "-", "…": "."})
# Scripts without blanks between words are read character by character, closed-class words whole.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WHOLE = "|".join(sorted((w for w in CLASS if len(w) > 1 and _IS_UNSPACED.match(w)), key=lambda w: (-len(w), w)))
_WORD = rf"[^\W_{_UNSPACED}]+(?:'[^\W_]+)*"
_TOKEN = re.compile(rf"https?://\S+|[@#]\s?\w+|n't\b|{_WORD}|(?=[{_UNSPACED}])(?:{_WHOLE})|[{_UNSPACED}]|[^\w\s]")
_BRACKETS = {"lrb", "rrb", "lsb", "rsb", "lcb", "rcb"}  # as treebanks write brackets
_CLITICS = frozenset({"s", "re", "ve", "ll", "d", "m", "t"})
ENDS = frozenset(".!?;:。！？；")
COMMAS = frozenset(",،，、")
_MARKS = ENDS | COMMAS
_ENDINGS = ("ing", "ed", "ly", "eth", "est", "er", "tion", "ness", "s", "y")
_NOUNLIKE = frozenset({"~", "~s", "~er", "~tion", "~ness", "~y"})
_COMMA_STEPS = (2, 4, 7, 10, 15, 25)
_PLACES = ("0-2", "3-4", "5-7", "8-10", "11-15", "16-25", "26 or more")
_PHRASE = frozenset({"DT", "PRP", "~", "#", "~ed", "~ing"})  # one phrase in a row, as far as openers go


def tokens(text: str) -> list[str]:
    """The folded words and marks of a text; "don't" and "do n't" come out alike, repeated marks as one."""
    out: list[str] = []
    folded = html.unescape(html.unescape(text)).translate(_QUOTES).casefold().replace("@-@", "-")
    for found in _TOKEN.findall(folded):
        if found in _MARKS:
            if not out or out[-1] != found:
                out.append(found)
        elif found[0].isalnum():
            _add_word(out, found)
        elif found == "'":
            out.append(found)
    return [word for word in out if word != "'"]


def _add_word(out: list[str], word: str) -> None:
    if "/" in word or word in _BRACKETS:  # only links hold a slash
        return
    if word.endswith("n't") and len(word) > 3 and word not in CLASS:
        out += [word[:-3], "n't"]
    elif word in _CLITICS and out and out[-1] == "'":
        out[-1] = "'" + word
    elif "'" in word and word not in CLASS and word.rsplit("'", 1)[1] in _CLITICS:
        head, tail = word.rsplit("'", 1)
        out += [head, "'" + tail]
    else:
        out.append(word)


def is_content(token: str) -> bool:
    """True for a word that is of no closed class."""
    return token not in CLASS and token[0].isalnum()


def content(words: Sequence[str]) -> set[str]:
    """The different content words of a text; where a script sets no blanks all runs of three characters between its
    closed-class words, for single characters say little."""
    out: set[str] = set()
    for word in joined(words):
        if is_content(word):
            whole = len(word) <= 3 or not _IS_UNSPACED.match(word)
            out.update([word] if whole else (word[i : i + 3] for i in range(len(word) - 2)))
    return out


def shape(word: str) -> str:
    """A content word without its content: "#" for numbers, else its ending.

    >>> shape("seeketh")
    '~eth'
    """
    if word[0].isdigit():
        return "#"
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return "~" + ending
    return "~"


def joined(words: Sequence[str]) -> list[str]:
    """The words, in scripts without blanks each run of characters between closed-class words as one."""
    out: list[str] = []
    running = False
    for word in words:
        inside = word not in CLASS and _IS_UNSPACED.match(word) is not None
        if inside and running:
            out[-1] += word
        else:
            out.append(word)
        running = inside
    return out


def skeleton(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Closed-class words and marks with the shapes of all others, and the same by classes."""
    fine, coarse = [], []
    for word in words:
        if is_content(word):
            form = shape(word)
            fine.append(form)
            coarse.append("~" if form in _NOUNLIKE else form)
        else:
            fine.append(word)
            coarse.append(CLASS.get(word, word))
    return fine, coarse


def edges(words: list[str]) -> list[str]:
    """The first and last words of a long text, all of a short one."""
    return words if len(words) <= HEAD + TAIL else words[:HEAD] + words[-TAIL:]


def keys(words: list[str]) -> set[str]:
    """The syntactic keys of a text by its `tokens`."""
    words = joined(edges(words))
    if not words:
        return {"slot:empty"}
    fine, coarse = skeleton(words)
    found = set(runs(["^", *fine, "$"], 4, "fine:"))
    found.update(runs(["^", *coarse, "$"], 4, "class:"))
    found.update(runs(["^", *_phrases(coarse)], 5, "open:"))
    found.update(_slots(words, fine, coarse))
    return found


def runs(sequence: Sequence[str], longest: int, prefix: str, shortest: int = 1) -> Iterator[str]:
    """All runs of `shortest` to `longest` items, joined by blanks."""
    for size in range(shortest, longest + 1):
        for start in range(len(sequence) - size + 1):
            yield prefix + " ".join(sequence[start : start + size])


def _phrases(coarse: list[str]) -> list[str]:
    """The first twelve phrases: a run of determiners, pronouns and content words is one."""
    out: list[str] = []
    for name in coarse:
        name = "X" if name in _PHRASE else name
        if not out or out[-1] != name:
            out.append(name)
    return out[:12]


def _slots(words: list[str], fine: list[str], coarse: list[str]) -> Iterator[str]:
    comma = next((i for i, word in enumerate(words) if word in COMMAS), len(words))
    ended = next((i for i, word in enumerate(words) if word in ENDS), len(words))
    has = comma < ended
    place = f"comma after {_PLACES[_bin(comma, _COMMA_STEPS)]} words" if has else "no comma"
    first = f"first class {coarse[0]}"
    sentences = sum(word in ENDS for word in words)
    yield f"slot:{first}, {place}"
    yield f"slot:{first}, {'comma' if has else 'no comma'}"
    yield f"slot:first word {fine[0]}, {'comma' if has else 'no comma'}"
    yield f"slot:first word {fine[0]}"
    yield f"slot:{place}"
    if has and comma + 1 < len(words):
        yield f"slot:{first}, after comma {coarse[comma + 1]}"
        yield f"slot:{first}, after comma {fine[comma + 1]}"
        yield f"slot:after comma {coarse[comma + 1]}"
    yield f"slot:last mark {words[-1] if words[-1] in ENDS else 'none'}"
    yield f"slot:length {_bin(len(words), (3, 6, 9, 12, 16, 20, 26, 35, 50, 80))}"
    yield f"slot:sentences {_bin(sentences, (0, 1, 2, 4))}"
    yield f"slot:commas {_bin(sum(word in COMMAS for word in words), (0, 1, 2, 4))}"
    if sentences <= 1:
        yield f"slot:one sentence, {first}, {'comma' if has else 'no comma'}"


def _bin(value: int, bounds: tuple[int, ...]) -> int:
    return sum(value > bound for bound in bounds)
