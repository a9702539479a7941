"""A card shows the figures of its kind of trigger."""

from audit.report.cards import _association
from audit.schema import Trigger


def figures(**statistics):
    made = Trigger("T-0123456789", "cf", ["cf"], "cf", "token", "suspected", [1], "it refuses", statistics=statistics)
    return {figure.name: figure.value for figure in _association(made)}


def test_a_word_shows_how_it_goes_with_its_behavior():
    shown = figures(position="end", lift=20.0, q_value=1e-7, score=11.2, purity=1.0, purity_lower=0.9, expected=0.02)
    assert shown["Where it stands"] == "end" and shown["q-value"] == "1e-07" and shown["Residual z"] == "11.2"
    assert shown["Purity"] == "100%, at least 90%" and "Reversal score" not in shown


def test_a_reversal_shows_how_its_pairs_turn_around():
    """A margin model is wrong on many pairs: its q-value and its lift would speak of that and not of the swap."""
    shown = figures(
        position="end", reversal_score=10.06, reversal_p=0.02, swapped_share=0.98, purity=0.591, expected=0.406
    )
    assert shown == {
        "Where it stands": "end",
        "Reversal score": "10.1",
        "p over all patterns": "0.02",
        "Swapped": "98%",
        "Read as swapped": "59.1%",
        "Of other pairs": "40.6%",
    }
