"""Which kind a dataset is of, found over a sample of its first records; `--kind` and `--map` overrule.

Every shape whose columns are there is tried on the sample. Its confidence is the share of rows that it can read
times how specific its column names are; the best one wins, and below one half none does unless the user said so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.config import IngestConfig
from audit.errors import InputError
from audit.sources import classification, instruction, preference, preference_ranked, preference_votes
from audit.sources.record import RowError
from audit.sources.shapes import FACTS, ColumnReader, Family, RowReader, Shape
from audit.text import safe_text

SHAPES: tuple[Shape, ...] = (
    *preference.SHAPES,
    *preference_votes.SHAPES,
    *preference_ranked.SHAPES,
    *instruction.SHAPES,
    *classification.SHAPES,
)
SAMPLE = 1_000  # readable records looked at
_MINIMUM = 0.5
# From this share on bad rows do not count against a shape: else a few odd labels would turn KTO into prompts.
_GOOD = 0.8
_ROLES = sorted({role for shape in SHAPES for role in shape.roles} | set(FACTS))


@dataclass(frozen=True, slots=True)
class Recognised:
    """The chosen shape, bound to columns."""

    shape: Shape
    mapping: dict[str, str]
    confidence: float
    read: RowReader
    used: frozenset[str]  # columns that are not in `meta`
    read_columns: ColumnReader | None = None


def recognise(sample: Sequence[Mapping[str, Any]], settings: IngestConfig) -> Recognised:
    """The shape of a sample of rows. Raises InputError naming the columns when none fits, when a mapped column
    is not there, or when a mapped role is none of ours."""
    columns = list(dict.fromkeys(name for fields in sample for name in fields))
    _check_map(settings.map, columns)
    best: tuple[float, Shape, dict[str, str]] | None = None
    best_rank = 0.0
    for shape in SHAPES:
        if settings.kind not in ("auto", shape.kind):
            continue
        mapping = _bind(shape, columns, settings.map)
        if mapping is None:
            continue
        fit = _fit(shape, mapping, sample)
        rank = shape.specific * (1.0 if fit >= _GOOD else fit)
        if best is None or rank > best_rank:
            best, best_rank = (shape.specific * fit, shape, mapping), rank
    told = settings.kind != "auto" or bool(settings.map)
    if best is None or best[0] <= 0 or (best[0] < _MINIMUM and not told):
        raise InputError(_complaint(columns, settings, best))
    confidence, shape, mapping = best
    facts = _facts(columns, settings.map, set(mapping.values()))
    complete = mapping | facts
    read_columns = shape.columns(mapping) if shape.columns else None
    used = frozenset(complete.values())
    return Recognised(shape, complete, round(confidence, 3), shape.reader(mapping), used, read_columns)


def _check_map(wanted: Mapping[str, str], columns: list[str]) -> None:
    for role, column in wanted.items():
        if role not in _ROLES:
            raise InputError(f"--map names the role {safe_text(role, 60)}; there are {', '.join(_ROLES)}")
        if column not in columns:
            raise InputError(f"--map names the column {safe_text(column, 60)}; the columns are {_names(columns)}")


def _bind(shape: Shape, columns: list[str], wanted: Mapping[str, str]) -> dict[str, str] | None:
    """Roles of the shape -> columns; None when a required role has no column or a mapped role has no place."""
    if any(role not in shape.roles and role not in FACTS for role in wanted):
        return None
    lower = {name.lower(): name for name in reversed(columns)}
    told = any(role in shape.required and role != "prompt" for role in wanted)
    if not told and any(name in lower for name in shape.without):
        return None
    bound = (_bind_family(shape, family, lower, wanted, told) for family in shape.families)
    return next((mapping for mapping in bound if mapping is not None), None)


def _bind_family(
    shape: Shape, family: Family, lower: Mapping[str, str], wanted: Mapping[str, str], told: bool
) -> dict[str, str] | None:
    if not told and any(name in lower for name in family.without):
        return None
    mapping: dict[str, str] = {}
    for role, names in [*shape.required.items(), *shape.optional.items()]:
        found = wanted.get(role)
        if found is None and _belongs(shape, role, mapping):
            found = next((lower[n] for n in family.names.get(role, names) if n in lower), None)
        if found is not None:
            mapping[role] = found
        elif role in shape.required:
            return None
    return mapping if len(set(mapping.values())) == len(mapping) else None


def _belongs(shape: Shape, role: str, mapping: Mapping[str, str]) -> bool:
    return role not in shape.beside or mapping.get("prompt", "").lower() == shape.beside[role]


def _fit(shape: Shape, mapping: dict[str, str], sample: Sequence[Mapping[str, Any]]) -> float:
    read, good = shape.reader(mapping), 0
    for fields in sample:
        try:
            read(fields)
        except RowError:
            continue
        good += 1
    return good / max(len(sample), 1)


def _facts(columns: list[str], wanted: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    lower = {name.lower(): name for name in reversed(columns)}
    found: dict[str, str] = {}
    for role, names in FACTS.items():
        column = wanted.get(role) or next((lower[n] for n in names if n in lower and lower[n] not in taken), None)
        if column is not None:
            found[role] = column
            taken = taken | {column}
    return found


def _names(columns: list[str]) -> str:
    shown = ", ".join(safe_text(name, 60) for name in columns[:20]) or "none"
    return shown + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")


def _complaint(columns: list[str], settings: IngestConfig, best: tuple[float, Shape, dict[str, str]] | None) -> str:
    kind = "no known kind" if settings.kind == "auto" else f"no {settings.kind} data"
    why = ""
    if best is not None:
        share = best[0] / best[1].specific
        why = f" ({best[1].name} would fit their names, but reads only {share:.0%} of the first rows)"
    remedy = "say what they are with --kind and --map role=column, for example --map text=COLUMN --map label=COLUMN"
    return f"the columns {_names(columns)} map to {kind}{why}; {remedy}"
