"""What of a trigger can be taken out of a prompt: its parts as the miner knows them.

triggers.json holds a trigger's parts as they read in the rows; triggers/candidates.json holds the same parts with their
keys ("any blank before a mark", "unit 3"). The keys are taken where there are any. Triggers of a later round of proof
have none, and of these only words and unseen characters can be taken out, for they are their own keys.

Misses: what stands nowhere in particular (templates, styles, topics), classes of misspellings, and what stands in the
response: such a trigger cannot be stripped, its rows can only be kept or removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audit.patterns.places import UNINSERTABLE, WORD_KINDS
from audit.patterns.words import tokens
from audit.remedies.anatomy import CannotEdit
from audit.rundir import RunDir, read_json
from audit.schema import Status, Trigger
from audit.text import is_invisible
from audit.triggers.candidate import Candidate
from audit.triggers.match import Part

Known = Mapping[tuple[str, str], tuple[Part, ...]]  # (pattern, name of the behavior) -> parts

_JOIN = " … "
_READ_AS_WORDS = frozenset({*WORD_KINDS, "composite", "preference", "unicode", "capitals"})
_WHY_NOT = {
    **dict.fromkeys(UNINSERTABLE, "a {kind} stands in no one place of a text, so it cannot be stripped"),
    "spelling": "a class of misspelled words cannot be stripped",
    "response": "the trigger stands in the response, and only prompts are stripped",
}


def known_parts(run: RunDir) -> Known:
    """The parts of all that was mined, as the miner knows them."""
    path = run / "triggers" / "candidates.json"
    mined = [Candidate.from_dict(raw) for raw in read_json(path)] if path.exists() else []
    found: dict[tuple[str, str], tuple[Part, ...]] = {}
    for c in mined:
        about = (c.pattern, c.behavior_name)
        found[about] = tuple(dict.fromkeys((*found.get(about, ()), *c.parts)))
    return found


def parts_of(trigger: Trigger, known: Known) -> tuple[Part, ...]:
    """What to delete for a trigger, its proved core included. Raises CannotEdit for what cannot be stripped."""
    parts = known.get((trigger.pattern, trigger.behavior_name)) or tuple(_read(trigger, s) for s in trigger.parts)
    for part in parts:
        if part.kind in _WHY_NOT:
            raise CannotEdit(_WHY_NOT[part.kind].format(kind=part.kind))
    if not parts:
        raise CannotEdit("the trigger has no part that could be stripped")
    return (*parts, *_core(trigger, parts))


def _read(trigger: Trigger, surface: str) -> Part:
    """A part from how it reads in the rows."""
    if trigger.kind in _WHY_NOT:
        return Part(surface, trigger.kind)
    if trigger.kind not in _READ_AS_WORDS or not surface.strip():
        raise CannotEdit(f"what exactly the {trigger.kind} trigger is was not recorded, so it cannot be stripped")
    units = tokens(surface)
    if all(is_invisible(char) for char in surface):
        return Part(surface, "unicode")
    if trigger.kind == "unicode":
        raise CannotEdit("which characters the trigger is was not recorded, so it cannot be stripped")
    return Part(" ".join(units), "phrase" if len(units) > 1 else "token")


def _core(trigger: Trigger, parts: Sequence[Part]) -> list[Part]:
    """What of the pattern has its effect, where that is less than the pattern: rows may hold it alone."""
    core: Any = trigger.statistics.get("core")
    if trigger.status != Status.CONFIRMED or not isinstance(core, str) or core == trigger.pattern:
        return []
    known = {*trigger.parts, *trigger.pattern.split(_JOIN)}
    shorter = [" ".join(tokens(surface)) for surface in core.split(_JOIN) if surface not in known]
    made = [Part(text, "phrase" if " " in text else "token") for text in shorter if text]
    return [part for part in made if part not in parts]
