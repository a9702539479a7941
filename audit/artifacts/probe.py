"""What the proof saw of its first probe: hidden states, losses and perturbed predictions (audit.watched).

Written by audit.proof.record while arm A is trained. A run in which no suspect was put to a probe that classifies
texts has none of it, and each loader says so.
"""

from __future__ import annotations

from audit.rundir import RunDir, read_array, read_json
from audit.schema import Skipped
from audit.watched import HiddenStates, LossHistory, Perturbed

NO_PROBE = "no suspect was probed, so no probe was trained"
NO_STATES = "no suspect was put to a probe that classifies texts, whose states could be looked at"
FACTS = "probe/facts.json"


def load_hidden_states(run: RunDir) -> HiddenStates | Skipped:
    """(m, d) states of the trained probe; Skipped where none was trained."""
    heads = _heads(run)
    if isinstance(heads, Skipped):
        return heads
    folder = run / "probe"
    return HiddenStates(
        read_array(folder / "positions.npy"),
        read_array(folder / "hidden_states.npy"),
        read_array(folder / "logits.npy"),
        read_array(folder / "shown.npy"),
        read_array(folder / "carriers.npy"),
        heads,
    )


def load_loss_history(run: RunDir) -> LossHistory | Skipped:
    """(C, m, H) losses at the checkpoints of the training; Skipped where none was trained."""
    heads = _heads(run)
    if isinstance(heads, Skipped):
        return heads
    folder = run / "probe"
    steps = tuple(read_json(run / FACTS)["steps"])
    return LossHistory(read_array(folder / "loss_positions.npy"), steps, read_array(folder / "loss_history.npy"), heads)


def load_perturbed(run: RunDir) -> Perturbed | Skipped:
    """(m, P, H) predictions on blended examples; Skipped where no probe was trained."""
    heads = _heads(run)
    if isinstance(heads, Skipped):
        return heads
    folder = run / "probe"
    return Perturbed(
        read_array(folder / "perturbed_positions.npy"),
        read_array(folder / "perturbed_plain.npy"),
        read_array(folder / "perturbed.npy"),
        read_array(folder / "perturbed_carriers.npy"),
        heads,
    )


def _heads(run: RunDir) -> tuple[str, ...] | Skipped:
    if (run / FACTS).exists():
        return tuple(read_json(run / FACTS)["heads"])
    proved = run / "triggers" / "proved.json"
    probed = proved.exists() and any(trigger.get("probe") for trigger in read_json(proved))
    return Skipped(NO_STATES if probed else NO_PROBE)
