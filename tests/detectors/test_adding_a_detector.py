"""docs/adding-a-detector.md is run: its file is discovered, its test passes, its settings hold."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import audit.detectors
from audit import config, registry
from audit.errors import ConfigError
from audit.schema import Kind

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "adding-a-detector.md").read_text(encoding="utf-8")
FILE, TEST = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SETTINGS, ENTRY = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Puts the page's file among the detectors, as a user would, and takes it away again."""
    (tmp_path / "echoed_prompt.py").write_text(FILE, encoding="utf-8")
    registry.detectors()
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    monkeypatch.setattr(audit.detectors, "__path__", [*audit.detectors.__path__, str(tmp_path)])
    yield registry.detectors()
    sys.modules.pop("audit.detectors.echoed_prompt", None)


def test_the_file_is_discovered_with_its_settings_and_docs(added):
    check = added["echoed_prompt"]
    assert (check.code, check.artifacts, dict(check.settings)) == ("TV-ECHO", ("examples",), {"min_characters": 20})
    assert check.source.startswith("the rule of this project") and check.misses.startswith("echoes")


def test_the_page_s_tests_pass(added, build):
    space: dict[str, object] = {}
    exec(compile(TEST, "docs/adding-a-detector.md", "exec"), space)
    ran = 0
    for name, test in space.items():
        if not name.startswith("test_"):
            continue
        cases = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
        values = cases[0].args[1] if cases else [None]
        for value in values:
            extra = {"response": value} if "response" in inspect.signature(test).parameters else {}
            test(build=build, **extra)
            ran += 1
    assert ran == 8


@pytest.mark.parametrize("kind", list(Kind))
def test_the_contract_holds_for_it(added, kind, worlds, reorder):
    from audit.detectors import validate
    from audit.schema import Detection

    check, world = added["echoed_prompt"], worlds(kind)
    order = np.random.default_rng(0).permutation(world["examples"].height)
    plain, moved = (check({"examples": w["examples"]}, {}) for w in (world, reorder(world, order)))
    if kind != Kind.CLASSIFICATION:
        assert isinstance(plain, Detection) and plain.signals.equals(moved.signals)
        validate("echoed_prompt", plain, world["examples"])


def test_its_settings_are_checked(added):
    made = config.build(tomllib.loads(SETTINGS))
    registry.check_settings(made.detectors, ())
    with pytest.raises(ConfigError, match="has no setting min_chars"):
        registry.check_settings({"echoed_prompt": {"min_chars": 1}}, ())
    assert "tunevet.detectors" in tomllib.loads(ENTRY)["project"]["entry-points"]


def test_the_page_names_every_artifact():
    assert all(f"`{name}`" in PAGE for name in registry.ARTIFACTS)
