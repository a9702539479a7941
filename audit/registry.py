"""A detector is a function; its signature is its declaration.

Positional parameters name artifacts out of a closed list, keyword-only parameters are settings with
defaults. Both are read at import, and a wrong name fails at once. An artifact with the default None is
optional: where a dataset cannot have it, the check is handed None and runs. Discovery imports every module
of audit.detectors and every entry point of the group "tunevet.detectors"; there is no list to edit.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, TypeVar

from audit.errors import ConfigError
from audit.schema import Detection, Severity, Skipped

# What a detector may ask for; the type it is handed is on the right.
ARTIFACTS: Mapping[str, str] = {
    "examples": "pl.DataFrame of schema EXAMPLES",
    "info": "DatasetInfo: kind, labels, columns",
    "embeddings": "(n, d) float32, unit rows: the prompt (classification: the text)",
    "response_embeddings": "(n, d) float32, unit rows: the response (chosen); Skipped for classification",
    "rejected_embeddings": "(n, d) float32, unit rows: the rejected response; preference pairs only",
    "neighbors": "Neighbors over embeddings of the whole example",
    "behaviors": "Behaviors, the target bank",
    "support": "Support, out-of-fold probabilities",
    "patterns": "Patterns, the input patterns",
    # Of the first probe that was trained; the checks that read them run after the proof.
    "hidden_states": "HiddenStates of the trained probe; Skipped where none was trained",
    "loss_history": "LossHistory of its training; likewise",
    "perturbed": "Perturbed, its predictions on blended examples; likewise",
    # Of the proof, with or without a probe; the checks that read it run after it.
    "triggers": "list of Trigger with its status, `rows` as positions; Skipped where mining found none",
}
OF_THE_PROBE = frozenset(("hidden_states", "loss_history", "perturbed"))
OF_THE_PROOF = OF_THE_PROBE | {"triggers"}
STAGES_OF_CHECKS = ("detect", "examine")  # before the proof, and after it

DetectorFunction = Callable[..., Detection | Skipped]
F = TypeVar("F", bound=DetectorFunction)


@dataclass(frozen=True, slots=True)
class Detector:
    """One registered check."""

    name: str
    code: str
    title: str
    severity: Severity  # of a row that this check flags
    run: DetectorFunction
    artifacts: tuple[str, ...]
    settings: Mapping[str, Any]
    doc: str
    version: int
    optional: frozenset[str] = frozenset()  # artifacts that it can do without

    @property
    def needs_probe(self) -> bool:
        """True when it can run only after a probe was trained."""
        return not OF_THE_PROBE.isdisjoint(self.artifacts)

    @property
    def needs_proof(self) -> bool:
        """True when it can run only after the proof, with or without a probe."""
        return not OF_THE_PROOF.isdisjoint(self.artifacts)

    @property
    def source(self) -> str:
        """The module docstring's `Source:` paragraph."""
        return _section(self.doc, "Source:")

    @property
    def misses(self) -> str:
        """The module docstring's `Misses:` paragraph."""
        return _section(self.doc, "Misses:")

    def __call__(self, artifacts: Mapping[str, Any], settings: Mapping[str, Any]) -> Detection | Skipped:
        """Runs the check. An artifact that is itself Skipped skips the check with its reason, unless the check can do
        without: then it is handed None."""
        values: list[Any] = []
        for name in self.artifacts:
            value = artifacts[name]
            if isinstance(value, Skipped) and name not in self.optional:
                return value
            values.append(None if isinstance(value, Skipped) else value)
        return self.run(*values, **{**self.settings, **settings})


_REGISTRY: dict[str, Detector] = {}


def detector(*, code: str, title: str, severity: Severity = Severity.LOW, version: int = 1) -> Callable[[F], F]:
    """Registers a check. Raises ConfigError at import for an unknown artifact or one with a default other than None, a
    setting without a default, a code or a name that is taken, or a docstring without `Source:` and `Misses:`."""

    def register(function: F) -> F:
        artifacts, optional, settings = _signature(function)
        doc = inspect.getdoc(inspect.getmodule(function)) or ""
        if "Source:" not in doc or "Misses:" not in doc:
            raise ConfigError(f"detector {function.__name__}: its module docstring needs Source: and Misses:")
        for other in _REGISTRY.values():
            if other.code == code and other.name != function.__name__:
                raise ConfigError(f"detector code {code} is taken by {other.name}")
        name = function.__name__
        if name in _REGISTRY and _REGISTRY[name].run.__module__ != function.__module__:
            raise ConfigError(f"detector name {name} is taken by {_REGISTRY[name].run.__module__}")
        _REGISTRY[name] = Detector(name, code, title, severity, function, artifacts, settings, doc, version, optional)
        return function

    return register


def detectors() -> dict[str, Detector]:
    """All checks by name, ours first, each group in alphabetical order."""
    package = importlib.import_module("audit.detectors")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"audit.detectors.{module}")
    for entry in sorted(entry_points(group="tunevet.detectors"), key=lambda e: e.name):
        entry.load()
    return {name: _REGISTRY[name] for name in sorted(_REGISTRY, key=lambda name: (not _is_ours(name), name))}


def _is_ours(name: str) -> bool:
    return _REGISTRY[name].run.__module__.startswith("audit.detectors.")


def check_settings(requested: Mapping[str, Mapping[str, Any]], skip: tuple[str, ...]) -> None:
    """Raises ConfigError when a configuration names a check or a setting that does not exist."""
    known = detectors()
    for name in [*requested, *skip]:
        if name not in known:
            raise ConfigError(f"unknown detector {name}; `tunevet rules` lists them")
    for name, settings in requested.items():
        for key, value in settings.items():
            if key not in known[name].settings:
                raise ConfigError(f"detector {name} has no setting {key}; it has {', '.join(known[name].settings)}")
            default = known[name].settings[key]
            numeric = isinstance(default, (int, float)) and isinstance(value, (int, float))
            if not numeric and not isinstance(value, type(default)):
                raise ConfigError(f"detector {name}.{key} is {value!r}, but wants a {type(default).__name__}")


def _signature(function: DetectorFunction) -> tuple[tuple[str, ...], frozenset[str], dict[str, Any]]:
    artifacts: list[str] = []
    optional: set[str] = set()
    settings: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            if parameter.default is inspect.Parameter.empty:
                raise ConfigError(f"detector {function.__name__}: setting {name} has no default")
            settings[name] = parameter.default
        elif name in ARTIFACTS:
            artifacts.append(name)
            if parameter.default is None:
                optional.add(name)
            elif parameter.default is not inspect.Parameter.empty:
                raise ConfigError(f"detector {function.__name__}: artifact {name} may have no default but None")
        else:
            raise ConfigError(f"detector {function.__name__}: no artifact {name}; there are {', '.join(ARTIFACTS)}")
    return tuple(artifacts), frozenset(optional), settings


def _section(doc: str, heading: str) -> str:
    """The paragraph that begins with `heading`, on one line, without the heading."""
    for block in doc.split("\n\n"):
        if heading in block:
            tail = block.split(heading, 1)[1]
            for other in ("Source:", "Misses:"):
                tail = tail.split(other, 1)[0]
            return " ".join(tail.split())
    return ""
