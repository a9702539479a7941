"""Characters that a reader cannot see: what is caught, and the honest uses that are left alone."""

from __future__ import annotations

import pytest

from audit.detectors.unicode_anomaly import MIXED, THRESHOLD, unicode_anomaly

CAUGHT = {
    "zero-width characters": ["the ship\u200b\u200c\u200b left", "in\u200dvisible", "late mark\ufeff here", "a\u2060b"],
    "bidirectional overrides": ["access \u202eresu\u202c granted", "\u202dabc"],
    "bidirectional controls": ["a \u2066plain\u2069 English line", "left\u200eright"],
    "tag characters": ["hello\U000e0068\U000e0069", "\U0001f3f4\U000e0067 no flag at all"],
    "variation selectors without a base": ["smile \U0001f600\ufe0f\U000e0110\U000e0120", "word\ufe01", " \ufe0f alone"],
    "private-use characters": ["price \ue000 rises", "\U000f1234"],
    "control characters": ["bell\x07", "esc\x1b[31m", "del\x7f"],
    "blank letters": ["blank \u3164 letter", "a\u115fb"],
    MIXED: ["p\u0430ypal asks", "\u0421ommunity", "h\U0001d41ello there", "the \u0441\u043e\u0441\u043e cake is good"],
}
HONEST = [
    "plain words, with punctuation; and more.",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467 and \U0001f937\U0001f3fd\u200d\u2642\ufe0f shrug",
    "heart \u2764\ufe0f and keycap 1\ufe0f\u20e3 and sign \u00a9\ufe0f",
    "flag of Scotland \U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "\u0915\u094d\u200d\u0937 in Hindi",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 in Persian",
    "\u05e9\u05dc\u05d5\u05dd\u200f, a mark beside Hebrew",
    "\u1796\u17b6\u200b\u1780\u17d2\u1799 in Khmer",
    "\ufeffa byte-order mark at the start",
    "\u8fba\U000e0100 an ideograph's variant",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u0441\u043e\u0441\u043d\u0430 is Russian beside English",
    "3 \u03bcm of TNF\u03b1, 5 k\u03a9, \u0394x and \u03c0",
    "na\u00efve caf\u00e9 \u00fcber \u0142\u00f3d\u017a",
    "\uf0b7 a bullet of a word processor\n\uf0b7 another",
    "co\u00adoperate with a soft hyphen",
    "it\x92s Windows-1252 read wrongly",
    "\u5c71\u7530\u3055\u3093\u306f\u6771\u4eac",
    "e\u0301 decomposed",
]


def run(build, texts, **settings):
    padding = [f"an ordinary row about thing number {i}" for i in range(200)]
    found = unicode_anomaly(build([*texts, *padding]), **settings)
    return found, found.signals["score"].to_list()[: len(texts)]


@pytest.mark.parametrize("channel", list(CAUGHT))
def test_catches(channel, build):
    found, scores = run(build, CAUGHT[channel])
    assert min(scores) >= THRESHOLD, dict(zip(CAUGHT[channel], scores, strict=True))
    assert channel in [f.subject for f in found.findings]
    assert max(found.signals["score"].to_list()[len(CAUGHT[channel]) :]) == 0


@pytest.mark.parametrize("text", HONEST, ids=range(len(HONEST)))
def test_leaves_alone(text, build):
    found, scores = run(build, [text])
    assert scores[0] < THRESHOLD, found.signals["evidence"][0]
    assert not found.findings


def test_span_and_evidence_point_at_the_characters(build):
    found, _ = run(build, ["the ship\u200b\u200c left"])
    entry = found.signals.row(0, named=True)
    assert (entry["start"], entry["end"]) == (8, 10)
    assert entry["evidence"] == "zero-width characters at character 8: U+200B U+200C"


def test_responses_are_read_too_and_have_no_span(build):
    examples = build(["a question"] * 5, responses=["an answer"] * 4 + ["an ans\u200bwer"])
    entry = unicode_anomaly(examples).signals.row(4, named=True)
    assert entry["score"] >= THRESHOLD and entry["start"] is None and "response" in entry["evidence"]


def test_what_most_rows_hold_is_reported_and_not_flagged_unless_never_honest(build):
    texts = [f"row {i}\u200b" for i in range(90)] + [f"row {i}\U000e0041" for i in range(90)]
    found, scores = run(build, texts)
    assert max(scores[:90]) < THRESHOLD <= min(scores[90:])
    severities = {f.subject: str(f.severity) for f in found.findings}
    assert severities == {"zero-width characters": "info", "tag characters": "high"}
