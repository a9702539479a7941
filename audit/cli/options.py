"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Source = Annotated[str | None, typer.Argument(help="A file, folder, glob, or hub dataset owner/name@revision.")]
ConfigFile = Annotated[Path | None, typer.Option("-c", "--config", help="Settings as TOML or YAML.", dir_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
KindOption = Annotated[
    Literal["auto", "classification", "instruction", "preference"] | None,
    typer.Option("--kind", help="Overrule what is recognised."),
]
MapOption = Annotated[list[str] | None, typer.Option("--map", help="role=column, such as label=sentiment. Repeatable.")]
