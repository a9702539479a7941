"""The commands and their options. Each hands over to a function; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from audit import __version__
from audit.cli import demo as demos
from audit.cli import rules as checks
from audit.cli.apply import apply
from audit.cli.endings import hear_sigterm, told
from audit.cli.export import export
from audit.cli.guarded import guarded
from audit.cli.models import models
from audit.cli.options import ConfigFile, Json, KindOption, MapOption, Source
from audit.cli.plant import plant
from audit.cli.relabel import relabel
from audit.cli.restore import restore
from audit.cli.review import review
from audit.cli.scan import dry_run as print_estimate
from audit.cli.scan import run_scan, show_result, stay_offline
from audit.cli.screens import rows_view, schema_panel
from audit.cli.settings import mapping, settings
from audit.cli.show import row_object, show, trigger_object
from audit.cli.streams import open_streams, reporting, write_object
from audit.cli.verify import sign, verify
from audit.cli.words import plain
from audit.errors import EXIT_FINDINGS, EXIT_OK, InputError, UsageError
from audit.job import Engine
from audit.rundir import RunDir, read_json
from audit.sources import preview

Serve = Callable[[str], None]
DeviceOption = Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option("--device", help="Where to compute.")]
EngineOption = Annotated[str | None, typer.Option("--engine", help="prefect (default) or local: one process.")]


def command(engines: Mapping[str, Engine], serve: Serve | None = None) -> int:
    """Runs the command line of this process; returns its exit code. Engines are closed whatever happens."""
    hear_sigterm()
    with guarded():
        try:
            ended = app(engines, serve)(standalone_mode=False)
        except SystemExit as ending:
            return ending.code if isinstance(ending.code, int) else EXIT_FINDINGS if ending.code else EXIT_OK
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end with 1, which says findings
            return told(error)
        finally:
            for engine in engines.values():
                engine.close()
    return ended if isinstance(ended, int) else EXIT_OK


def app(engines: Mapping[str, Engine], serve: Serve | None = None) -> typer.Typer:
    """The command line over these engines; the first is the default. `serve` runs a schedule."""
    cli = typer.Typer(
        name="tunevet",
        help="Vet fine-tuning data before it becomes a model: find, prove and remove backdoor triggers.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback()(_main)
    cli.command("demo")(_demo(engines))
    cli.command("scan")(_scan(engines))
    cli.command("schema")(schema)
    cli.command("show")(show_command)
    cli.command("export")(export)
    cli.command("review")(review)
    cli.command("apply")(apply)
    cli.add_typer(relabel(), name="relabel")
    cli.add_typer(models(), name="models")
    cli.command("rules")(rules)
    cli.command("doctor")(doctor)
    cli.command("restore")(restore)
    cli.command("verify")(verify)
    cli.command("sign")(sign)
    cli.command("plant")(plant)
    cli.command("serve")(_serve(serve))
    return cli


def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"tunevet {__version__}")
        raise typer.Exit


def _engine(engines: Mapping[str, Engine], name: str | None) -> Engine:
    if name is not None and name not in engines:
        raise UsageError(f"unknown engine {name}; there are {', '.join(engines)}")
    return engines[name] if name else next(iter(engines.values()))


def _scan(engines: Mapping[str, Engine]) -> Callable[..., None]:
    def scan(
        source: Source = None,
        out: Annotated[
            Path | None, typer.Option("-o", "--out", help="The run directory; else runs/NAME/TIME-DIGEST.")
        ] = None,
        config: ConfigFile = None,
        name: Annotated[str | None, typer.Option(help="What to call the dataset.")] = None,
        kind: KindOption = None,
        map_: MapOption = None,
        model: Annotated[
            str | None, typer.Option(help="Embedding model: minilm, a folder, or owner/name@revision.")
        ] = None,
        device: DeviceOption = None,
        seed: Annotated[int | None, typer.Option(help="Of every random choice.")] = None,
        limit: Annotated[int | None, typer.Option(help="Read only the first rows.")] = None,
        probe: Annotated[
            Literal["off", "quick", "full"] | None, typer.Option(help="How hard to try to prove triggers.")
        ] = None,
        language_model: Annotated[
            str | None, typer.Option(help="Prove with this causal language model: a folder or owner/name@revision.")
        ] = None,
        canaries: Annotated[
            Literal["off", "quick", "full"] | None,
            typer.Option(help="How many triggers of its own to plant in scratch copies."),
        ] = None,
        review_budget: Annotated[
            float | None, typer.Option(help="Share of the rows a person is asked to look at.")
        ] = None,
        undecided: Annotated[
            Literal["hold", "keep"] | None, typer.Option(help="What becomes of rows in review meanwhile.")
        ] = None,
        decisions: Annotated[
            list[Path] | None, typer.Option(help="Decisions of an earlier review, carried over. Repeatable.")
        ] = None,
        redact: Annotated[
            bool | None, typer.Option("--redact/--no-redact", help="Keep row text out of the report and its exports.")
        ] = None,
        fail_on: Annotated[
            Literal["confirmed", "high", "medium", "any"] | None, typer.Option(help="What exits with 1.")
        ] = None,
        max_bad_rows: Annotated[int | None, typer.Option(help="Unreadable rows that are tolerated.")] = None,
        skip: Annotated[list[str] | None, typer.Option(help="A check not to run. Repeatable.")] = None,
        engine: EngineOption = None,
        as_json: Json = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take; write nothing.")] = False,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only the result.")] = False,
        verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Name every unit of work.")] = False,
    ) -> None:
        """Audit a dataset: verdicts, a cleaned dataset and a report.

        Exit codes: 0 below the gate, 1 findings at or above --fail-on, 2 usage, 3 incomplete, 4 nothing
        scanned, 74 a write failed, 75 the run directory is in use, 130 interrupted, 143 told to end.
        """
        streams = open_streams()
        with reporting(streams, as_json):
            chosen = settings(
                config,
                {
                    "source": source,
                    "name": name,
                    "seed": seed,
                    "ingest.kind": kind,
                    "ingest.map": mapping(map_),
                    "ingest.limit": limit,
                    "model.name": model,
                    "model.device": device,
                    "probe.mode": probe,
                    "probe.language_model": language_model,
                    "canaries": canaries,
                    "review.budget": review_budget,
                    "review.undecided": undecided,
                    "review.decisions": tuple(str(p.resolve()) for p in decisions) if decisions else None,
                    "report.redact": redact,
                    "fail_on": fail_on,
                    "max_bad_rows": max_bad_rows,
                    "skip": tuple(skip) if skip else None,
                },
            )
            runner = _engine(engines, engine)
            if dry_run:
                print_estimate(streams, chosen, out, as_json, quiet)
                return
            finished = run_scan(streams, chosen, out, runner, quiet=quiet, verbose=verbose)
            show_result(streams, finished, as_json)
        raise typer.Exit(finished.outcome.exit_code)

    return scan


def _demo(engines: Mapping[str, Engine]) -> Callable[..., None]:
    def demo(
        out: Annotated[Path, typer.Option("-o", "--out", help="Where the runs go.")] = Path("runs/demo"),
        samples: Annotated[Path | None, typer.Option(help="The folder of sample datasets.")] = None,
        device: DeviceOption = None,
        engine: EngineOption = None,
    ) -> None:
        """Audit the sample datasets and compare with what was planted in them. Exits 0 when all was found."""
        streams = open_streams()
        with reporting(streams):
            found = demos.run_demo(streams, _engine(engines, engine), samples, out, device)
        raise typer.Exit(EXIT_OK if found else EXIT_FINDINGS)

    return demo


def schema(
    source: Source = None,
    config: ConfigFile = None,
    kind: KindOption = None,
    map_: MapOption = None,
    rows: Annotated[int, typer.Option(help="How many rows to show.", min=0)] = 3,
    as_json: Json = False,
) -> None:
    """Show what is recognised in a dataset, and its first rows."""
    streams = open_streams()
    with reporting(streams, as_json):
        options = {"source": source, "ingest.kind": kind, "ingest.map": mapping(map_)}
        chosen = settings(config, options)
        stay_offline(chosen)
        info, examples = preview(chosen, rows)
        if as_json:
            write_object({"schema": info.to_dict(), "rows": examples.to_dicts()})
            return
        streams.out.print(schema_panel(info))
        streams.out.print(rows_view(examples))


def show_command(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    what: Annotated[str | None, typer.Argument(help="A row number or a trigger id.")] = None,
    as_json: Json = False,
) -> None:
    """Show a run, one of its rows, or one of its triggers."""
    streams = open_streams()
    with reporting(streams, as_json):
        directory = RunDir(run)
        if not as_json:
            show(streams.out, directory, what)
            return
        directory.dataset()
        if what is None:
            if not directory.manifest.exists():
                raise InputError(f"{run} has no manifest.json: the run did not come to its end")
            write_object(read_json(directory.manifest))
        elif what.isascii() and what.isdigit():
            write_object(row_object(directory, int(what)))
        else:
            write_object(trigger_object(directory, what))


def rules(
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/detectors.md.")] = False,
) -> None:
    """List every check, with its source and what it misses."""
    streams = open_streams()
    with reporting(streams, as_json):
        if markdown:
            typer.echo(checks.rules_markdown(), nl=False)
        elif as_json:
            write_object(checks.rules_object())
        else:
            checks.rules_screen(streams.out)


def doctor(
    model: Annotated[str | None, typer.Option(help="Embedding model to check.")] = None,
    language_model: Annotated[str | None, typer.Option(help="Causal language model to check.")] = None,
    device: DeviceOption = None,
    as_json: Json = False,
) -> None:
    """Check this installation: device, model and its hash, versions, known traps. Exits 1 when something is bad."""
    from audit.doctor import BAD, examine

    streams = open_streams()
    with reporting(streams, as_json):
        named = {"model.name": model, "model.device": device, "probe.language_model": language_model}
        chosen = settings(None, {"source": ".", **named})
        facts = examine(chosen)
        if as_json:
            write_object({"facts": [{"name": f.name, "status": f.status, "text": f.text} for f in facts]})
        else:
            _facts(streams.out, [(f.name, f.status, f.text) for f in facts])
    raise typer.Exit(EXIT_FINDINGS if any(f.status == BAD for f in facts) else EXIT_OK)


def _facts(console: Console, facts: list[tuple[str, str, str]]) -> None:
    from rich.table import Table

    style = {"ok": "green", "warning": "yellow", "bad": "bold red"}
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, status, text in facts:
        grid.add_row(plain(name), plain(status, style=style[status]), plain(text))
    console.print(grid)


def _serve(run: Serve | None) -> Callable[..., None]:
    def serve(
        config: Annotated[Path, typer.Argument(help="Settings with a [schedule] table.", dir_okay=False)],
    ) -> None:
        """Scan on a schedule, on the Prefect server at PREFECT_API_URL, until interrupted."""
        streams = open_streams()
        with reporting(streams):
            if run is None:
                raise UsageError("serve needs Prefect; use the command tunevet")
            run(str(config))

    return serve
