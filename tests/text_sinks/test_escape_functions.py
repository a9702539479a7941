"""The functions that make text fit to be seen, over every code point of the classes that must not stand raw."""

from __future__ import annotations

import json
import sys
import tomllib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from text_sinks.hostile_sequences import FORBIDDEN, SEQUENCES, floods, raw, runs_in_ci

from audit.cli.guarded import Lines, no_json_command
from audit.report.excerpt import chip, excerpt
from audit.text import MAX_MARKS, all_visible, csv_safe, is_invisible, json_text, safe_text, toml_string

NOWHERE = sorted({code for low, high in FORBIDDEN for code in range(low, high + 1)} - {9, 10})
BY_CATEGORY = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
ANY_TEXT = st.text(st.characters(codec=None))


def test_every_code_point_of_the_table_is_spelled_out():
    assert len(NOWHERE) > 140_000
    missed = [hex(code) for code in NOWHERE if not is_invisible(chr(code)) or all_visible(chr(code))]
    assert missed == []
    text = "".join(map(chr, NOWHERE))
    assert safe_text(text) == "".join(f"⟦U+{code:04X}⟧" for code in NOWHERE)
    assert raw("".join(chip(chr(code)) for code in NOWHERE)) == []


def test_every_code_point_of_the_categories_is_spelled_out():
    """By the Unicode version that this Python knows; the table above is written out besides."""
    found = [
        c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in BY_CATEGORY and c not in "\n\t"
    ]
    assert len(found) > 900_000 and [hex(ord(c)) for c in found if not is_invisible(c) or all_visible(c)] == []
    assert is_invisible("\r") and safe_text("\n\t") == "⏎⇥" and safe_text("\n\t", newlines=True) == "\n\t"


def test_ordinary_text_of_many_scripts_is_left_alone():
    for text in (
        "naïve café",
        "Ελληνικά",
        "русский",
        "עברית",
        "العربية",
        "हिन्दी",
        "ไทยภาษา",
        "中文かな한국어",
        "😀👍🏽",
        "é̂",
    ):
        assert safe_text(text) == text and all_visible(text)


@given(ANY_TEXT)
def test_what_is_shown_can_be_seen_and_stays_so(text):
    shown = safe_text(text)
    assert raw(shown) == [] and "\n" not in shown and safe_text(shown) == shown
    assert raw("".join(piece.text for piece in excerpt(text).pieces)) == []


@pytest.mark.parametrize("mark", ["\u0301", "\u0e49", "\u20dd", "\u0489"])
def test_a_flood_of_marks_is_counted(mark):
    """A letter under thousands of marks covered the lines around it."""
    assert safe_text("a" + mark * MAX_MARKS) == "a" + mark * MAX_MARKS
    assert safe_text("a" + mark * (MAX_MARKS + 270) + "b") == "a" + mark * MAX_MARKS + "⟦marks ×270⟧b"
    shown = excerpt("a" + mark * 500 + "b", budget=4_000)
    assert [p.text for p in shown.pieces] == ["a" + mark * MAX_MARKS, f"marks ×{500 - MAX_MARKS}", "b"]
    assert shown.shown == shown.total == 502 and floods("".join(p.text for p in shown.pieces)) == 0


@given(st.recursive(ANY_TEXT | st.integers() | st.none(), lambda v: st.lists(v) | st.dictionaries(ANY_TEXT, v)))
def test_json_reads_back_and_hides_nothing(value):
    assert json.loads(json_text(value)) == json.loads(json.dumps(value)) and raw(json_text(value)) == []
    assert json.loads(no_json_command(json.dumps(value))) == json.loads(json.dumps(value))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_toml_string_reads_back_and_hides_nothing(value):
    made = toml_string(value)
    assert tomllib.loads(f"a = {made}")["a"] == value and raw(made) == [] and "\n" not in made


def test_every_formula_is_guarded_and_ordinary_cells_are_left_alone():
    """Excel in Japanese runs ＝1+1; a line break or a blank before = is taken away by some."""
    formulas = [text for name, text in SEQUENCES.items() if name.startswith("a formula with")]
    starts = [text for text in formulas if not text.startswith(('"', ";"))]
    assert len(starts) >= 14 and all(csv_safe(text) == "'" + text for text in starts)
    assert [text for text in ("a=1", "1-2", "", " x", "(=1)", "é@x", "№+") if csv_safe(text) != text] == []


@pytest.mark.parametrize("start", ["", " ", "\t", "   "])
def test_no_line_of_a_log_is_a_command(start):
    """A row that was wrapped began a line with ::error, and a CI runner ran it."""

    class Out:
        text = ""

        def write(self, text):
            self.text += text

    out = Out()
    lines = Lines(out)
    for part in ("kind ", f"::fine\n{start}", "::error::x\n", f"{start}::a\n::b ::c\n", "x ##[error]y ##vso[z]"):
        lines.write(part)
    assert runs_in_ci(out.text) == []
    assert out.text.count("∷") == 3 and out.text.count("♯♯") == 2 and "::c" in out.text and "::fine" in out.text
