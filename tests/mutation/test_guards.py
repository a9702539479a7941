"""The table of guards does not rot: each stands where it says, once, and its tests exist. `make test-mutation` takes
them out one by one."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from mutation.guard import PROMISES, Guard
from mutation.guards import GUARDS
from mutation.runner import ROOT, Ran, mutated_text

PARAMETERS = [pytest.param(guard, id=guard.name) for guard in GUARDS]


@cache
def functions(file: str) -> frozenset[str]:
    """The names of a test file's functions."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_there_are_guards_of_every_promise():
    assert {guard.promise for guard in GUARDS} == set(PROMISES)
    assert len(GUARDS) >= 60 and len({guard.name for guard in GUARDS}) == len(GUARDS)


def test_the_page_of_promises_has_a_row_for_each():
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")]
    assert rows[2:] == list(PROMISES)


def test_each_guard_stands_once_and_what_takes_its_place_is_python():
    for guard in GUARDS:
        text = (ROOT / guard.file).read_text(encoding="utf-8")
        ast.parse(mutated_text(guard, text), guard.file)
        assert guard.text != guard.instead


def test_the_named_tests_exist():
    for guard in GUARDS:
        assert guard.tests, guard.name
        for test in guard.tests:
            file, _, name = test.partition("::")
            assert name.partition("[")[0] in functions(file), test


def test_a_guard_that_is_not_there_or_stands_twice_is_refused():
    guard = Guard("bytes", "x.py", "if a:", "if False:", ("t.py::t",))
    assert mutated_text(guard, "if a:\n    b\n") == "if False:\n    b\n"
    for text in ("if c:\n", "if a:\n if a:\n"):
        with pytest.raises(ValueError, match=r"x\.py has \d times"):
            mutated_text(guard, text)


def test_an_import_error_is_not_what_a_test_says():
    assert Ran(1, 0, 1, 0, "AssertionError: assert 1 == 2", "").caught
    assert not Ran(1, 0, 1, 0, "NameError: name 'x' is not defined", "").caught
    assert not Ran(2, 0, 0, 1, "", "").caught and not Ran(0, 3, 0, 0, "", "").caught
    assert not Ran(1, 0, 0, 1, "", "").caught and not Ran(-1, 0, 0, 0, "", "").caught  # an error of a fixture; no end


@pytest.mark.mutation
def test_the_named_tests_pass(copy):
    """With every guard in place: what fails without one fails for that."""
    named = sorted({test for guard in GUARDS for test in guard.tests})
    ran = copy.run(named, seconds=1_800)
    assert ran.code == 0 and ran.failed == ran.errors == 0, ran.output[-5_000:]
    assert ran.passed >= len(named)


@pytest.mark.mutation
@pytest.mark.parametrize("guard", PARAMETERS)
def test_a_guard_is_missed(copy, guard):
    assert copy.survives(guard) == ""


@pytest.mark.mutation
def test_a_guard_that_no_test_knows_is_reported(copy):
    """The check itself: a first line guards nothing. And the copy is afterwards what it was."""
    path = copy.folder / "audit" / "text.py"
    before, time = path.read_bytes(), path.stat().st_mtime_ns
    first = before.decode().partition("\n")[0]
    tests = ("tests/test_foundation.py::test_sigmoid_is_symmetric_and_finite",)
    idle = Guard("text", "audit/text.py", first, f"{first} ", tests)
    assert copy.survives(idle) == "1 tests pass without it"
    assert "pytest ended with 4" in copy.survives(idle._replace(tests=("tests/test_foundation.py::test_none",)))
    broken = idle._replace(text="import re\n", instead="")
    assert "NameError" in copy.survives(broken)
    with pytest.raises(ValueError, match="0 times"), copy.without(idle._replace(text="no such text")):
        pytest.fail("taken out")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, time)


@pytest.mark.mutation
def test_tests_that_do_not_end_are_ended(copy):
    test = "tests/test_foundation.py::test_toml_reads_back_to_the_same_configuration"
    ran = copy.run((test,), seconds=0.01)
    assert ran.code == -1 and not ran.caught
