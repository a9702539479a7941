"""Every regular expression of audit and flows takes linear time, for row text is written by an attacker.

All calls into `re` are found by reading the syntax trees: a pattern is a literal, a constant of its module, or stands
in DYNAMIC with examples. Each is checked as an automaton (`linear.ambiguity`) and timed on strings made from its own
repeats and on published ones. A new pattern is checked without being entered anywhere.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from functools import cache
from pathlib import Path

import linear
import pytest

ROOT = Path(__file__).resolve().parent.parent
TREES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text("utf-8"))
    for package in ("audit", "flows")
    for path in sorted((ROOT / package).rglob("*.py"))
}
FUNCTIONS = {"compile", "search", "match", "fullmatch", "sub", "subn", "findall", "finditer", "split"}
METHODS = ("search", "match", "fullmatch")  # anchored or ending early; all else runs over the whole text
LENGTH = 8_000  # characters
SLOW_SECONDS = 0.05
LOOK_SECONDS = 0.01  # from here on it is asked whether time grows faster than the text

# module:function of patterns that are made as they are needed -> what they are made of.
DYNAMIC = {
    "audit.text:_special": lambda: importlib.import_module("audit.text")._special(),
    "audit.text:_general_word": lambda: importlib.import_module("audit.text")._general_word(),
    "audit.text:_flood": lambda: importlib.import_module("audit.text")._flood(),
    "audit.patterns.invisible:_marked": lambda: importlib.import_module("audit.patterns.invisible")._marked(),
    # One class of single characters, from those that stand in a text.
    "audit.patterns.invisible:invisible_runs": lambda: re.compile(f"[{re.escape(chr(0x200B) + chr(0x2060) + '-]^')}]+"),
    # Escaped words: nothing repeats.
    "audit.detectors.rare_tokens:_locate": lambda: re.compile(rf"(?<![^\W_]){re.escape('a(b)+c')}(?![^\W_])"),
    "audit.attacks.style_rules:_replace_everywhere": lambda: re.compile("|".join(map(re.escape, ("a+", "(b)*", "ab")))),
}
# Published strings that made regular expressions of other projects hang: (string, where it was seen).
PUBLISHED = {
    "a run before an exclamation mark (OWASP)": "a" * 30 + "!",
    "an e-mail without an end (OWASP)": "a" * 200 + "@" + "a." * 200 + "!",
    "a class name (OWASP)": "aaaa." * 300 + "$",
    "spaces before a mark (Stack Exchange, 2016)": "x" + " " * 20_000 + "x",
    "a nested number (Cloudflare, 2019)": "x=" + "x" * 4_000,
    "an open tag with attributes (marked)": "<a " + "b=" * 3_000,
    "brackets without an end (markdown-it)": "[" * 5_000,
    "stars (CommonMark)": "*a **a " * 1_000,
    "backticks (CommonMark)": "`" * 5_000,
    "a link that nests (CommonMark)": "[a](" * 2_000,
    "a comment without an end (CPython html.parser)": "<!--" * 2_000,
    "a declaration (CPython html.parser)": "<!" + "-" * 5_000,
    "an encoded word (CPython email)": "=?utf-8?q?" + "=20" * 2_000,
    "a cookie (CPython http.cookies)": "a=" + '\\"' * 3_000,
    "an authentication header (CPython urllib)": "Basic " + "," * 5_000,
    "a user agent (ua-parser)": "Mozilla/" + "1" * 5_000 + "x",
    "a colour (color-string)": "hsl(" + "0" * 5_000,
    "a version (semver)": "1.0.0-" + "0" * 5_000 + "!",
    "white space before an end (trim)": "\t" * 5_000 + "\x00",
    "a date (moment)": "1" * 5_000 + "Z",
    "a quoted string (Pygments)": '"' + "\\\\" * 3_000,
    "digits with points (Rails)": "1." * 3_000 + "x",
}


@cache
def calls() -> tuple[tuple[str, str, ast.Call], ...]:
    """(module, function or "", the call) of every call into re."""
    return tuple(_calls())


def _calls():
    for module, tree in TREES.items():
        stack = [(tree, "")]
        while stack:
            node, function = stack.pop()
            for child in ast.iter_child_nodes(node):
                inner = child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
                stack.append((child, inner))
            called = node.func if isinstance(node, ast.Call) else None
            named = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "re"
            if named and called.attr in FUNCTIONS:
                yield module, function, node


def held(value, depth=0):
    """The patterns in a constant, however deep in tables."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, set, frozenset)) and depth < 4:
        for item in value:
            yield from held(item, depth + 1)
    elif isinstance(value, dict) and depth < 4:
        yield from held([*value, *value.values()], depth + 1)
    elif type(value).__module__.startswith("audit.") and hasattr(value, "__dataclass_fields__") and depth < 4:
        yield from held([getattr(value, name) for name in value.__dataclass_fields__], depth + 1)


@cache
def constants() -> dict[str, tuple[re.Pattern, str]]:
    """module.NAME -> (pattern, how the module uses it: a method's name, or "finditer")."""
    found = {}
    for module in sorted({module for module, function, _ in calls() if not function}):
        for name, value in vars(importlib.import_module(module)).items():
            for i, pattern in enumerate(held(value)):
                used = set(re.findall(rf"\b{re.escape(name)}\.(\w+)\(", ast.unparse(TREES[module])))
                how = used.pop() if len(used) == 1 and name.startswith("_") else "finditer"
                found[f"{module}.{name}[{i}]"] = (pattern, how if how in METHODS else "finditer")
    return found


@cache
def patterns() -> dict[str, tuple[re.Pattern, str]]:
    """Every pattern of the house with how it is used."""
    found = dict(constants())
    for module, function, call in calls():
        if function and isinstance(call.args[0], ast.Constant):
            method = call.func.attr
            key = f"{module}:{function} {call.args[0].value!r}"
            found[key] = (re.compile(call.args[0].value), method if method in METHODS else "finditer")
    return found | {key: (make(), "finditer") for key, make in DYNAMIC.items()}


def seconds(pattern: re.Pattern, how: str, text: str) -> float:
    """Processor time of one use over a text."""
    given = text.encode("utf-8", "surrogatepass") if isinstance(pattern.pattern, bytes) else text
    started = time.thread_time()
    if how in METHODS:
        getattr(pattern, how)(given)
    else:
        for _ in pattern.finditer(given):
            pass
    return time.thread_time() - started


def grows(pattern: re.Pattern, how: str, texts) -> list[str]:
    """Texts that take longer than a linear pattern would: slow again when tried again, and far less slow at an eighth
    of their length."""
    found = []
    for text in texts:
        if seconds(pattern, how, text) > LOOK_SECONDS:
            again = min(seconds(pattern, how, text) for _ in range(3))
            short = min(seconds(pattern, how, text[: len(text) // 8]) for _ in range(3))
            if again > LOOK_SECONDS and again > 20 * short:
                found.append(f"{text[:40]!r}... takes {again:.3f} s, an eighth of it {short:.4f} s")
    return found


def as_text(pattern: re.Pattern) -> re.Pattern:
    """A pattern over bytes as one over text, for its structure."""
    if isinstance(pattern.pattern, str):
        return pattern
    return re.compile(pattern.pattern.decode("latin-1"), pattern.flags & ~re.LOCALE)


def test_every_pattern_is_known():
    strange = []
    for module, function, call in calls():
        literal = isinstance(call.args[0], ast.Constant)
        if not (literal or not function or f"{module}:{function}" in DYNAMIC):
            strange.append(f"{module}:{function} line {call.lineno}")
    assert not strange, f"patterns made as they are needed, with no example in DYNAMIC: {strange}"
    known = {f"{module}:{function}" for module, function, _ in calls()}
    assert set(DYNAMIC) <= known, f"in DYNAMIC, but no longer there: {set(DYNAMIC) - known}"


def test_every_constant_is_found():
    """No pattern of a module hides where `held` does not look."""
    written = {}
    for module, function, call in calls():
        if not function and call.func.attr == "compile":
            written[module] = written.get(module, 0) + 1
    for module, count in written.items():
        held_here = sum(key.rpartition(".")[0] == module for key in constants())
        assert held_here >= count, f"{module} compiles {count} patterns, {held_here} are reachable as constants"


@pytest.mark.parametrize("module", sorted(TREES))
def test_the_backtracking_engine_is_called_as_re_alone(module):
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom):
            assert node.module not in ("re", "sre_compile", "sre_parse", "regex"), (
                f"{module} imports from {node.module}"
            )
        if isinstance(node, ast.Import):
            names = {alias.name: alias.asname for alias in node.names}
            assert "regex" not in names and names.get("re") is None, f"{module} has another name for re"


def test_patterns_are_not_taken_from_settings():
    """No setting and no option is a pattern: what a user could write is not checked here."""
    from audit import registry
    from audit.config import Config

    names = [*Config.model_fields, *(name for check in registry.detectors().values() for name in check.settings)]
    assert not [name for name in names if "regex" in name or name.endswith("_pattern")]


@pytest.mark.parametrize("key", sorted(patterns()))
def test_pattern_is_linear(key):
    pattern, how = patterns()[key]
    shape = as_text(pattern)
    assert linear.ambiguity(shape) == "", f"{key} backtracks: {pattern.pattern!r}"
    assert not grows(pattern, how, {*linear.attacks(shape, LENGTH)}), key


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_strings_take_no_time(name):
    slow = []
    for key, (pattern, how) in patterns().items():
        if seconds(pattern, how, PUBLISHED[name]) > SLOW_SECONDS:  # again: another process may have had the core
            slow += [key] if min(seconds(pattern, how, PUBLISHED[name]) for _ in range(3)) > SLOW_SECONDS else []
    assert not slow


def test_there_are_enough_published_strings():
    assert len(PUBLISHED) >= 20 and len(patterns()) > 100


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"(a+)+$", "exponential"),
        (r"([a-z]+)*\d", "exponential"),
        (r"^(\w+\s?)*$", "exponential"),
        (r"(?:a{1,100}){1,100}b", "exponential"),
        (r"(?=(a+)+b)c", "exponential"),
        (r"(?>(?:x*)*y)z", "exponential"),
        (r"a*a*b", "polynomial"),
        (r"\s*\n\s*x", "polynomial"),
        (r"\w+\d+$", "polynomial"),
        (r"[^\W_]+(?:['’][^\W_]+)*", ""),
        (r"\d[\d,]*(?:\.\d+)?", ""),
        (r"(?:ab|ac)*d", ""),
        (r"(?:[a-z]{1,2}|x)++", ""),
        (r"a?a?a?b", ""),
    ],
)
def test_the_check_of_shapes_sees_what_is_wrong(text, found):
    assert linear.ambiguity(re.compile(text)) == found


@pytest.mark.parametrize("text", [r"\s+$", r"<[^>]*>", r"(?:x+)y"])
def test_the_clock_sees_what_begins_anew_at_each_character(text):
    pattern = re.compile(text)
    assert linear.ambiguity(pattern) == ""
    assert any(grows(pattern, "finditer", [text]) for text in linear.attacks(pattern, LENGTH))


def test_back_references_are_refused():
    with pytest.raises(AssertionError, match="cannot be bounded"):
        linear.ambiguity(re.compile(r"(a+)b\1"))
