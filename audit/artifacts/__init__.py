"""Builders of the artifacts that detectors and the miner share, one file each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from audit.rundir import RunDir


def load(run: RunDir, names: Iterable[str]) -> dict[str, Any]:
    """The artifacts of these names (registry.ARTIFACTS), read from a run directory. One that this dataset
    cannot have comes as Skipped with its reason."""
    # Imported here: the builders need one another, and a unit should import only what it reads.
    from audit.artifacts import behaviors, embeddings, neighbors, patterns, probe, proved, support

    readers: dict[str, Callable[[], Any]] = {
        "examples": lambda: run.examples(),
        "info": lambda: run.dataset(),
        "embeddings": lambda: embeddings.load(run, "prompt"),
        "response_embeddings": lambda: embeddings.load(run, "response"),
        "rejected_embeddings": lambda: embeddings.load(run, "rejected"),
        "neighbors": lambda: neighbors.load(run),
        "behaviors": lambda: behaviors.load(run),
        "support": lambda: support.load(run),
        "patterns": lambda: patterns.load(run),
        "hidden_states": lambda: probe.load_hidden_states(run),
        "loss_history": lambda: probe.load_loss_history(run),
        "perturbed": lambda: probe.load_perturbed(run),
        "triggers": lambda: proved.load(run),
    }
    return {name: readers[name]() for name in names}
