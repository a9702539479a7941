"""Style: which words and endings a writer chooses, whatever the text is about.

Named are words and pairs of words, the last two and three letters of each word ("-eth", "-in"), and rates in steps:
of closed-class words, of words of older writing and of short messages, of contractions, and the mean word length.
Topic words are among the words; what they say about a behavior is for the support to know and for the strata of
`triggers.templates` to cancel, and rewriting a text in another style changes its content words too.

Source: for function words as style, Mosteller and Wallace 1963; for endings and short character runs, Stamatatos 2009,
section 3.2; for style as a trigger, Qi et al. 2021 (Mind the style of text).
Misses: casing and blanks, on purpose (`syntax`); styles that show in whole arguments only.
"""

from __future__ import annotations

from collections.abc import Iterator

from audit.patterns.syntax import CLASS, edges, is_content, runs

_STEPS = {
    "closed class": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "older words": (0.0, 0.03, 0.06, 0.1, 0.15),
    "short messages": (0.0, 0.03, 0.06, 0.1, 0.15),
    "contraction": (0.0, 0.03, 0.06, 0.1),
    "word length": (3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0),
}


def keys(words: list[str]) -> set[str]:
    """The stylistic keys of a text by its `syntax.tokens`."""
    words = edges(words)
    found = set(runs(words, 2, "word:"))
    for word in words:
        if word[0].isalpha() and len(word) > 3:
            found.add("ending:" + word[-3:])
            found.add("ending:" + word[-2:])
    found.update(_rates(words))
    return found


def rates(words: list[str]) -> dict[str, float]:
    """Shares of the words that are of a class, and their mean length in characters."""
    spelled = [word for word in words if word[0].isalnum() or word in CLASS]
    total = max(len(spelled), 1)
    classes = [CLASS.get(word, "") for word in spelled]
    content = [word for word in spelled if is_content(word)]
    return {
        "closed class": (len(spelled) - len(content)) / total,
        "older words": classes.count("OLD") / total,
        "short messages": classes.count("SMS") / total,
        "contraction": sum(word.startswith("'") or word == "n't" for word in spelled) / total,
        "word length": sum(len(word) for word in content) / max(len(content), 1),
    }


def _rates(words: list[str]) -> Iterator[str]:
    for name, value in rates(words).items():
        yield f"rate:{name} {sum(value > step for step in _STEPS[name])}"
