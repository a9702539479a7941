"""`tunevet models lock NAME...`: which files each model has now, written down for every later load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli.options import Json
from audit.cli.streams import open_streams, reporting, write_object
from audit.cli.words import amount, plain
from audit.models import lock as locks
from audit.models.lock import Locked
from audit.rundir import write_bytes


def models() -> typer.Typer:
    """The commands about models."""
    cli = typer.Typer(
        help="The models lock: which files each model had when you trusted it.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    cli.callback()(_models)
    cli.command("lock")(lock)
    return cli


def _models() -> None:
    """The models lock: which files each model had when you trusted it."""


def lock(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="minilm, a folder, owner/name@revision, or a tagger.")
    ],
    path: Annotated[Path, typer.Option("--lock", help="The lock to write; others in it stay.", dir_okay=False)] = Path(
        locks.NAME
    ),
    as_json: Json = False,
) -> None:
    """Write the SHA-256 of each file of these models into the lock. Every later load is held against it."""
    streams = open_streams()
    with reporting(streams, as_json):
        known = locks.read_lock(path) if path.exists() else {}
        made = [locked(name) for name in names]
        text = locks.lock_text(list({**known, **{model.name: model for model in made}}.values()))
        write_bytes(path, text.encode())
        if as_json:
            write_object({"lock": str(path), "models": [{"name": m.name, "files": len(m.files)} for m in made]})
            return
        for model in made:
            said = ", ".join(part for part in (model.source, model.licence or "no licence named") if part)
            line = f"{model.name}: {amount(len(model.files), 'files')}, {said}"
            streams.out.print(plain(line), soft_wrap=True)
        streams.out.print(plain(f"written to {path}"), soft_wrap=True)


def locked(name: str) -> Locked:
    """What a lock holds of a model as it is now. Fetches a hub id. Raises InputError, UntrustedModel."""
    from audit.models import tagger, weights

    if tagger.is_pipeline(name):
        found = tagger.find(name)
        return Locked(name, found.source, "", found.licence, dict(found.hashes))
    files = weights.opened(weights.resolve(name))
    return Locked(name, files.source, files.revision or "", weights.licence_of(files), dict(files.hashes))
