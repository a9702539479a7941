"""White space that a reader does not notice, against the style of the house."""

from __future__ import annotations

import pytest

from audit.detectors.whitespace_anomaly import THRESHOLD, whitespace_anomaly

ROWS = 1_000


def score(build, *texts):
    found = whitespace_anomaly(build([*texts, *(f"plain row number {i}" for i in range(ROWS))]))
    return found, found.signals["score"].to_list()[: len(texts)]


@pytest.mark.parametrize(
    "text", ["thin\u2009space", "hair\u200aspace", "wide\u3000space in ASCII", "no\u00a0break here"]
)
def test_catches_spaces_that_keyboards_do_not_make(text, build):
    found, scores = score(build, text)
    assert scores[0] >= THRESHOLD and len(found.findings) == 1
    start, end = found.signals.row(0)[2:4]
    assert text[start:end].isspace()


@pytest.mark.parametrize(
    "text",
    [
        "two  spaces",
        "a line\nand another\n\nand a third",
        "def f():\n    return 1\n\tx",
        "Vraiment\u00a0? Oui\u202f! \u00ab\u00a0bien\u00a0\u00bb 10\u00a0\u20ac",
        "\u65e5\u672c\u3000\u8a9e",
        "windows\r\nlines\r\n",
    ],
)
def test_leaves_alone(text, build):
    _, scores = score(build, text)
    assert scores[0] == 0


@pytest.mark.parametrize("text", ["a   b", "a\tb", "trailing  ", " leading", "a\rb", "a\n\n\n\n\n\nb"])
def test_ranks_odd_shapes_without_flagging_them(text, build):
    _, scores = score(build, text)
    assert 0 < scores[0] < THRESHOLD


def test_a_shape_of_many_rows_is_the_style_of_the_house(build):
    rare, common = (
        whitespace_anomaly(build([f"no\u00a0break {i}" for i in range(n)] + ["plain"] * 1_000)) for n in (1, 200)
    )
    assert rare.signals["score"][0] >= THRESHOLD > 0 == common.signals["score"][0]
    assert [str(f.severity) for f in common.findings] == ["info"]
