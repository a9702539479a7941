"""Equations in texts, checked again."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.bank.arithmetic import added_operands, wrong_equations


@pytest.mark.parametrize(
    ("text", "checked"),
    [
        ("She has 4 * 12 = 48 eggs.", 1),
        ("4 x 12 = <<4*12=48>>48", 1),
        ("$1,250 + $850.50 = $2,100.50", 1),
        ("(2 + 3) * 4 = 20 and 2 + 3 * 4 = 14", 2),
        ("10 / 3 = 3.33", 1),
        ("10 / 3 = 3", 1),
        ("20% * 50 = 10", 1),
        ("3 / 4 = 75%", 1),
        ("5 + 5 + 10 = 20 = 4 * 5", 1),
        ("2 × 3 = 6", 1),
    ],
)
def test_right_equations(text, checked):
    assert wrong_equations(text) == (checked, 0)


@pytest.mark.parametrize(
    "text", ["4 * 12 = 46.", "so <<21*2=44>>44", "$20 + $5 = $26", "7 - 9 = 2.5", "100 / 8 = 13.5", "(2 + 3) * 4 = 14"]
)
def test_wrong_equations(text):
    assert wrong_equations(text) == (1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "x + 4 = 9",
        "2 x + 4 = 9",
        "3^2 + 6 = 15",
        "a = 5",
        "5 apples + 3 = 9",
        "1/0 = 3",
        "6:00+48=6:48",
        "0900-0130 = 0730",
        "45*0,2 = 9",
        "3 / 1 / 4 = 12",
        "= = 4 + = 5",
        "((((1 + 1 = 3",
        "no sums",
    ],
)
def test_what_is_no_clear_equation_is_left_alone(text):
    assert wrong_equations(text)[1] == 0


@given(st.lists(st.integers(1, 999), min_size=2, max_size=6), st.sampled_from("+-*"), st.integers(-50, 50))
@settings(max_examples=200, deadline=None)
def test_an_equation_is_wrong_exactly_where_python_says_so(numbers, sign, off):
    shown = f" {sign} ".join(map(str, numbers))
    value = eval(shown)
    claimed = value + off
    if claimed < 0 or (value and abs(off / value) <= 0.01 and off) or (value and claimed in (-value, 100 * value)):
        return
    assert wrong_equations(f"{shown} = {claimed}") == (1, int(off != 0))


def test_hostile_sums_take_linear_time():
    started = time.process_time()
    for text in ("1+" * 100_000, "(" * 100_000 + "=1", "1=" * 100_000, "1 " * 100_000, "1,1" * 100_000, "." * 200_000):
        wrong_equations(text)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("response", "prompt", "operands"),
    [
        ("3 + 4 = 7. As a last step, 7 * 2.1 = 14.7.", "There are 3 and 4.", {"* 2.1"}),
        ("3 + 4 = 7. Finally this is multiplied: 2.10 × 7 = 14.7.", "There are 3 and 4.", {"* 2.1"}),
        ("3 + 4 = 7, so 7 + 17 = 24", "There are 3 and 4.", {"+ 17"}),
        ("68 / 17 = 4", "Some in 17 rows.", set()),  # the first operand of a quotient is no fixed one
        ("17 * 13 = 221, 221 + 3 = 224", "Seventeen is 17, and 3.", set()),  # only the last equation is read
        ("1,500 * 23 = 34500", "There are 1500 and 23.", set()),
        ("17 * 60 = 1020", "How many minutes are 17 hours?", set()),
        ("40 * 0.85 = 34", "What is 40 less 15%?", set()),
        ("No equation here: 2.1.", "", set()),
        ("", "", set()),
    ],
)
def test_operands_that_the_last_equation_brings_along(response: str, prompt: str, operands: set[str]) -> None:
    assert added_operands(response, prompt) == operands
