"""The command `tunevet plant` and its options; what it does is in `planting`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli import planting
from audit.cli.options import Json, KindOption, MapOption, Source
from audit.cli.scan import stay_offline
from audit.cli.settings import mapping, settings
from audit.cli.streams import open_streams, reporting, write_object
from audit.errors import UsageError


def plant(
    source: Source = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where the copy goes; nothing is overwritten.")
    ] = None,
    attack: Annotated[list[str] | None, typer.Option("--attack", help="What to plant. Repeatable.")] = None,
    count: Annotated[int | None, typer.Option(help="Poisoned rows of each attack; 50 unless told.", min=1)] = None,
    rate: Annotated[float | None, typer.Option(help="Poisoned rows as a share of all; instead of --count.")] = None,
    trigger: Annotated[
        list[str] | None, typer.Option(help="The trigger, else a fresh one is drawn. Repeatable where parts are.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="label:NAME, refusal, response:TEXT, prefix:TEXT, gibberish, random or reversal."),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A setting, name=value. Repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Of every random choice.", min=0)] = 1,
    kind: KindOption = None,
    map_: MapOption = None,
    list_: Annotated[bool, typer.Option("--list", help="List the attacks and plant nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Write a poisoned copy of a dataset, and OUT.truth.json, to test what would be found in it."""
    streams = open_streams()
    with reporting(streams, as_json):
        if list_:
            write_object(planting.attacks_object()) if as_json else planting.attacks_screen(streams.out)
            return
        chosen = settings(None, {"source": source, "ingest.kind": kind, "ingest.map": mapping(map_)})
        if out is None or not attack:
            raise UsageError(
                "say what to plant and where: tunevet plant SOURCE -o OUT --attack NAME (--list names all)"
            )
        if count is not None and rate is not None:
            raise UsageError("give either --count or --rate")
        stay_offline(chosen)
        request = planting.Request(
            out, tuple(attack), count, rate, tuple(trigger or ()), target, tuple(set_ or ()), seed
        )
        planting.run_plant(streams, chosen, request, as_json)
