"""A detector's signature is its declaration: what a wrong one is told, and where detectors come from."""

from __future__ import annotations

import types
from pathlib import Path

import polars as pl
import pytest

from audit import registry
from audit.errors import ConfigError
from audit.registry import check_settings, detector
from audit.schema import Detection, Severity, Skipped, signals_frame


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    registry.detectors()
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))


@pytest.fixture
def module(monkeypatch):
    """Makes a module with a docstring and defines a function in it."""

    def make(source, doc="A check.\n\nSource: a paper.\n\nMisses: much.", name="some_plugin"):
        made = types.ModuleType(name, doc)
        monkeypatch.setitem(__import__("sys").modules, name, made)
        made.__dict__.update(detector=detector, Skipped=Skipped, Detection=Detection, signals_frame=signals_frame)
        exec(source, made.__dict__)
        return made

    return make


CHECK = "@detector(code='{code}', title='A check')\ndef {name}({parameters}):\n    return Skipped('nothing to do')\n"


def source(code="X-1", name="some_check", parameters="examples"):
    return CHECK.format(code=code, name=name, parameters=parameters)


def test_the_signature_is_read(module):
    module(source(parameters="examples, info, *, limit=3, share=0.5"))
    check = registry.detectors()["some_check"]
    assert check.artifacts == ("examples", "info") and check.settings == {"limit": 3, "share": 0.5}
    assert (check.code, check.severity, check.version) == ("X-1", Severity.LOW, 1)
    assert (check.source, check.misses) == ("a paper.", "much.")
    assert check({"examples": 1, "info": 2}, {"limit": 9}) == Skipped("nothing to do")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": "examples, embedings"}, "no artifact embedings; there are examples"),
        ({"parameters": "*arguments"}, "no artifact arguments"),
        ({"parameters": "**options"}, "no artifact options"),
        ({"parameters": "examples, *, limit"}, "setting limit has no default"),
        ({"code": "TV-OUT"}, "code TV-OUT is taken by outliers"),
        ({"name": "outliers"}, "TV-OUT|name outliers is taken by audit.detectors.outliers"),
    ],
)
def test_a_wrong_declaration_fails_when_it_is_imported(changes, message, module):
    before = dict(registry._REGISTRY)
    with pytest.raises(ConfigError, match=message):
        module(source(**changes))
    assert before == registry._REGISTRY


def test_an_artifact_with_the_default_none_is_optional(module):
    found = "examples, embeddings=None, response_embeddings=None, *, limit=3"
    module(CHECK.format(code="X-1", name="some_check", parameters=found).replace("'nothing to do'", "repr(embeddings)"))
    check = registry.detectors()["some_check"]
    assert check.artifacts == ("examples", "embeddings", "response_embeddings") and check.settings == {"limit": 3}
    assert check.optional == {"embeddings", "response_embeddings"}
    had = {"examples": 1, "embeddings": "vectors", "response_embeddings": Skipped("no responses")}
    assert check(had, {}) == Skipped("'vectors'")
    assert check({**had, "embeddings": Skipped("no vectors")}, {}) == Skipped("None")
    assert check({**had, "examples": Skipped("no rows")}, {}) == Skipped("no rows")
    with pytest.raises(ConfigError, match="artifact embeddings may have no default but None"):
        module(source(parameters="examples, embeddings=0", name="other_check", code="X-2"))


def test_checks_of_what_the_proof_leaves_run_after_it(module):
    module(source(parameters="examples, triggers"))
    check = registry.detectors()["some_check"]
    assert check.needs_proof and not check.needs_probe
    strip = registry.detectors()["strip"]
    assert strip.needs_proof and strip.needs_probe and not registry.detectors()["outliers"].needs_proof


@pytest.mark.parametrize("doc", ["A check.", "A check.\n\nSource: a paper.", None])
def test_a_docstring_without_source_and_misses_fails(doc, module):
    with pytest.raises(ConfigError, match="needs Source: and Misses:"):
        module(source(), doc=doc)


def test_an_entry_point_adds_a_check_after_ours(module, monkeypatch):
    class Entry:
        name = "aaa"

        def load(self):
            return module(source(name="aaa_check"))

    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry()] if group == "tunevet.detectors" else [])
    names = list(registry.detectors())
    assert names[-1] == "aaa_check" and names[:-1] == sorted(names[:-1])
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    assert list(registry.detectors()) == names  # the order holds once it is loaded


def test_an_artifact_that_is_skipped_skips_the_check(module):
    module(source(parameters="examples, support"))
    check = registry.detectors()["some_check"]
    assert check({"examples": pl.DataFrame(), "support": Skipped("no support")}, {}) == Skipped("no support")


@pytest.mark.parametrize(
    ("requested", "skip", "message"),
    [
        ({"outlier": {}}, (), "unknown detector outlier"),
        ({}, ("outlier",), "unknown detector outlier"),
        ({"outliers": {"expect": 1}}, (), "has no setting expect; it has expected"),
        ({"outliers": {"expected": "many"}}, (), "is 'many', but wants a float"),
    ],
)
def test_settings_are_checked_before_anything_runs(requested, skip, message):
    with pytest.raises(ConfigError, match=message):
        check_settings(requested, skip)
    check_settings({"outliers": {"expected": 2}}, ("role_tags",))


def test_every_check_of_ours_lies_in_a_file_of_its_name():
    for name, check in registry.detectors().items():
        assert check.run.__module__ == f"audit.detectors.{name}"
        assert check.source and check.misses and check.title


def test_the_page_of_detectors_is_the_registry():
    from audit.cli.rules import rules_markdown

    page = Path(__file__).resolve().parent.parent / "docs" / "detectors.md"
    assert page.read_text(encoding="utf-8") == rules_markdown(), "run: tunevet rules --markdown > docs/detectors.md"
