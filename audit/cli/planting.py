"""`tunevet plant`: a poisoned copy of a user's own dataset, with the truth beside it, for testing whether poison of a
family would be found in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from audit import durable
from audit.attacks import ATTACKS, Attack, Planted
from audit.attacks.attack import Setting
from audit.attacks.records import Unwritable
from audit.cli.plant_files import Change, Copy, write_copy
from audit.cli.streams import Streams, write_object
from audit.cli.words import amount, plain
from audit.config import Config
from audit.errors import UsageError, WriteFailed
from audit.rundir import Context, RunDir, write_json
from audit.schema import DatasetInfo, NoProgress
from audit.sources import fingerprint, ingest
from audit.sources.files import Inventory, enumerate_input
from audit.text import spell

DEFAULT_COUNT = 50  # published attacks need 50 to 250 rows
_ATTEMPTS = 25  # plantings, each without the rows that the one before could not write


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be planted where."""

    out: Path
    attacks: tuple[str, ...]
    count: int | None
    rate: float | None
    triggers: tuple[str, ...]
    target: str | None
    settings: tuple[str, ...]  # name=value
    seed: int

    @property
    def truth(self) -> Path:
        """Where the truth goes."""
        return self.out.with_name(f"{self.out.name}.truth.json")


def run_plant(streams: Streams, config: Config, request: Request, as_json: bool) -> None:
    """Writes the copy and its truth, and says what was planted. Raises UsageError, InputError, NothingScanned and
    WriteFailed; nothing is left behind then."""
    attacks = [_known(name) for name in request.attacks]
    inventory = enumerate_input(config.source)
    outputs = _outputs(inventory, config.source, request)
    try:
        with durable.temporary_folder(".plant-", request.out.parent) as folder:
            run = RunDir(folder)
            ingest(Context(run, config, NoProgress()), "all")
            examples = pl.concat([pl.read_parquet(path) for path in run.shards("examples")])
            copy = Copy(run, config.ingest)
            planted, changes = _plant_writable(copy, examples, attacks, request)
            names = {source.relative: source for source in inventory.sources}
            write_copy(copy, [names[file.path] for file in copy.info.files], _paths(copy.info, outputs), changes)
    except OSError as error:
        raise WriteFailed(f"writing {request.out} failed: {error.strerror or error}") from error
    truth = _truth(copy.info, config, request, attacks, planted)
    write_json(request.truth, truth)
    if as_json:
        write_object({"out": str(request.out), "truth": str(request.truth), **truth})
    else:
        _screen(streams.out, request, attacks, planted, truth["rows"])


def attacks_screen(console: Console) -> None:
    """Every attack, a line each."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("attack", "data", "what it plants", "trigger", "settings"):
        table.add_column(name, overflow="fold", no_wrap=name == "attack")
    for attack in ATTACKS.values():
        given = "\n".join(f"{name}={_value(value)}" for name, value in attack.defaults.items())
        kinds = ", ".join(attack.kinds) if len(attack.kinds) < 3 else "any"
        table.add_row(attack.name, kinds, attack.description, str(attack.word), given)
    console.print(table)


def attacks_object() -> dict[str, Any]:
    """The same as JSON-able values."""
    return {
        "attacks": [
            {
                "name": attack.name,
                "description": attack.description,
                "source": attack.source,
                "kinds": [str(kind) for kind in attack.kinds],
                "trigger": str(attack.word),
                "has_trigger": attack.has_trigger,
                "takes_target": attack.target is not None,
                "settings": dict(attack.defaults),
                "choices": {name: [str(value) for value in values] for name, values in attack.choices.items()},
                "appends": attack.appends,
            }
            for attack in ATTACKS.values()
        ]
    }


def _known(name: str) -> Attack:
    if name not in ATTACKS:
        raise UsageError(f"unknown attack {name}; there are {', '.join(ATTACKS)}")
    return ATTACKS[name]


def _outputs(inventory: Inventory, source: str, request: Request) -> dict[str, Path]:
    """Relative path of each input file -> where its copy goes. Raises UsageError when that may not be written."""
    out, single = request.out, inventory.single
    if out.exists() and Path(source).exists() and out.samefile(source):
        raise UsageError(f"{out} is the source itself; a poisoned copy needs another place")
    for path in (out, request.truth):
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} exists already; nothing is overwritten, so name another place with -o")
    if not single and Path(source).is_dir() and out.absolute().is_relative_to(Path(source).absolute()):
        raise UsageError(f"{out} lies within the source; it would be read as part of it")
    if not single:
        return {file.relative: out / file.relative for file in inventory.sources}
    form = "".join(Path(inventory.sources[0].relative).suffixes[-2 if inventory.sources[0].compression else -1 :])
    if not out.name.lower().endswith(form.lower()):
        raise UsageError(f"{out} must end in {form}: the copy has the format of the source")
    return {inventory.sources[0].relative: out}


def _paths(info: DatasetInfo, outputs: dict[str, Path]) -> list[Path]:
    return [outputs[file.path] for file in info.files]


def _plant_writable(
    copy: Copy, examples: pl.DataFrame, attacks: Sequence[Attack], request: Request
) -> tuple[list[Planted], dict[int, Change]]:
    """Plants; rows whose records cannot hold their poison are left out and others taken. Raises UsageError when no
    record can, or too few."""
    unable: set[int] = set()
    why = ""
    for _ in range(_ATTEMPTS):
        try:
            planted = _plant(examples, attacks, request, unable)
        except UsageError:
            if unable:  # it is not for lack of rows, but of rows that can be written
                break
            raise
        changes = _changes(examples, planted)
        refused: set[int] = set()
        for change in changes.values():
            try:
                copy.changed(change) if copy.is_columnar(change) else copy.encoded(change)
            except Unwritable as error:
                refused.add(int(change.old["row"]))
                why = str(error)
        if not refused:
            return planted, changes
        unable |= refused
        if len(refused) == len(changes):
            break
    names = ", ".join(attack.name for attack in attacks)
    raise UsageError(f"{names}: the poison cannot be written into {len(unable)} of the rows drawn: {why}")


def _plant(examples: pl.DataFrame, attacks: Sequence[Attack], request: Request, unable: set[int]) -> list[Planted]:
    """The attacks one after another; none touches, copies or contradicts a row that an earlier one has used."""
    count = DEFAULT_COUNT if request.count is None else request.count
    used, done = set(unable), []
    taken = _settings(attacks, request)
    if request.triggers and len(attacks) > 1:
        raise UsageError("--trigger goes with one --attack only; several attacks draw their own")
    if request.target is not None and all(attack.target is None for attack in attacks):
        raise UsageError(f"--target {request.target!r}: {attacks[0].name} has a behavior of its own")
    if request.rate is not None and not 0 < request.rate < 1:
        raise UsageError(f"--rate is {request.rate}, but must be above 0 and below 1")
    height = examples.height
    for number, attack in enumerate(attacks):
        try:
            planted = attack(
                examples,
                seed=request.seed + number,
                count=max(round(request.rate * height), 1) if request.rate is not None else count,
                triggers=request.triggers,
                target=None if attack.target is None else request.target,
                exclude=used,
                settings=taken[number],
            )
        except UsageError as error:
            raise UsageError(str(error) if attack.name in str(error) else f"{attack.name}: {error}") from None
        examples = planted.examples
        used |= {*planted.rows, *planted.decoys, *planted.originals}
        done.append(planted)
    return done


def _settings(attacks: Sequence[Attack], request: Request) -> list[dict[str, Setting]]:
    """--set name=value for every attack that has the setting. Raises UsageError for one that none has."""
    found: list[dict[str, Setting]] = [{} for _ in attacks]
    for pair in request.settings:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair!r} is not of the form name=value")
        having = [i for i, attack in enumerate(attacks) if name in attack.defaults]
        if not having:
            known = sorted({name for attack in attacks for name in attack.defaults})
            raise UsageError(f"--set {name}: no such setting; there are {', '.join(known) or 'none'}")
        for i in having:
            found[i][name] = _read(name, text, attacks[i].defaults[name])
    return found


def _read(name: str, text: str, default: Setting) -> Setting:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise UsageError(f"--set {name}={text} must be true or false")
        return text == "true"
    if isinstance(default, str):
        return text
    try:
        return type(default)(text)
    except ValueError:
        raise UsageError(f"--set {name}={text} must be a number") from None


def _value(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _changes(examples: pl.DataFrame, planted: Sequence[Planted]) -> dict[int, Change]:
    """Position in the copy -> what it was and is."""
    origin = {row: original for p in planted for row, original in zip((*p.rows, *p.decoys), p.originals, strict=False)}
    touched = sorted({row for p in planted for row in (*p.rows, *p.decoys)})
    now = _by_row(planted[-1].examples, touched)
    before = _by_row(examples, [origin.get(row, row) for row in touched])
    return {row: Change(before[origin.get(row, row)], now[row], row in origin) for row in touched}


def _by_row(examples: pl.DataFrame, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
    return {int(example["row"]): example for example in examples.filter(pl.col("row").is_in(rows)).to_dicts()}


def _truth(
    info: DatasetInfo, config: Config, request: Request, attacks: Sequence[Attack], planted: Sequence[Planted]
) -> dict[str, Any]:
    kinds = {p.kind for p in planted}
    return {
        "case": request.out.name,
        "data": request.out.name,
        "rows": info.rows + sum(len(p.rows) + len(p.decoys) for p in planted if p.originals),
        "poisoned_rows": sorted(row for p in planted for row in p.rows),
        "kind": kinds.pop() if len(kinds) == 1 else "mixed",
        "triggers": [part for p in planted for part in p.triggers],
        "behaviour": "; ".join(p.behavior for p in planted),
        "source": config.source,
        "source_fingerprint": info.fingerprint,
        "fingerprint": fingerprint(config.model_copy(update={"source": str(request.out)})),
        "seed": request.seed,
        "planted": [
            {
                "attack": attack.name,
                "kind": p.kind,
                "parts": list(p.triggers),
                "behavior": p.behavior,
                "seed": request.seed + number,
                "settings": {**attack.defaults, **_settings(attacks, request)[number]},
                "rows": list(p.rows),
                "decoys": list(p.decoys),
                "originals": list(p.originals),
            }
            for number, (attack, p) in enumerate(zip(attacks, planted, strict=True))
        ],
    }


def _screen(
    console: Console, request: Request, attacks: Sequence[Attack], planted: Sequence[Planted], rows: int
) -> None:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("attack", "rows", "decoys", "triggers", "behavior"):
        table.add_column(name, overflow="fold", justify="right" if name in ("rows", "decoys") else "left")
    for attack, p in zip(attacks, planted, strict=True):
        shown = plain("\n".join(_trigger(trigger) for trigger in p.triggers) or "none").plain.replace("⏎", "\n")
        table.add_row(attack.name, f"{len(p.rows):,}", f"{len(p.decoys):,}", shown, plain(p.behavior, limit=200))
    console.print(table)
    console.print(plain(f"{amount(rows, 'rows')} in {request.out}; the truth is in {request.truth}"), soft_wrap=True)
    console.print(plain(f"Next: tunevet scan {request.out}", style="bold"), soft_wrap=True)


def _trigger(trigger: str) -> str:
    """A trigger as a person can read it; blanks by their code points."""
    return " ".join(f"U+{ord(char):04X}" for char in trigger) if trigger.isspace() else spell(trigger)
