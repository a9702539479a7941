"""`tunevet relabel export` and `import`: doubtful rows to labelers, and their answers back as decisions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from audit import config as configuration
from audit.cli.options import Json
from audit.cli.review import run_name
from audit.cli.review_file import beside, now
from audit.cli.streams import Streams, open_streams, reporting, write_object
from audit.cli.words import amount, plain
from audit.config import Config
from audit.errors import EXIT_FINDINGS, EXIT_OK, InputError, UsageError
from audit.remedies import relabel as questions
from audit.remedies import relabel_answers, relabel_votes
from audit.remedies.decisions import Decision, merge, read
from audit.remedies.relabel_votes import MAJORITY, Votes
from audit.rundir import RunDir, write_bytes
from audit.schema import Kind

_SHOWN = 10  # rows that stay queued
_WORDS = {
    "accept": "as in the data, kept",
    "swap": "the other order, to be swapped",
    "edit": "another label, to be changed",
    "reject": "no order worth keeping, to be removed",
    "queue": "not settled, still in the queue",
}
RunArgument = Annotated[Path, typer.Argument(help="A run directory.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="The file to write, outside of RUN.", dir_okay=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace a file of that name.")]


def relabel() -> typer.Typer:
    """The commands of the re-label queue."""
    cli = typer.Typer(
        help="Send doubtful rows to labelers, and read their answers as decisions.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    cli.command("export")(export)
    cli.command("import")(import_)
    return cli


def export(
    run: RunArgument,
    out: Out,
    decisions: Annotated[
        list[Path] | None,
        typer.Option(help="Files of decisions; else RUN.decisions.jsonl. Repeatable.", dir_okay=False),
    ] = None,
    review: Annotated[
        bool, typer.Option("--review", help="Ask about every row in review that nobody decided, too.")
    ] = False,
    most: Annotated[int | None, typer.Option(help="At most so many rows, the most suspicious first.", min=1)] = None,
    form: Annotated[
        questions.Format | None, typer.Option("--format", help="jsonl or csv; else by the name of -o.")
    ] = None,
    force: Force = False,
) -> None:
    """Write the rows to be labelled again, without saying how they are labelled now.

    Asks about the rows decided `queue`. Pairs stand as first and second, in an order that tells nothing; fill in
    answer (one of choices) and labeler. The file holds row text whole, whatever the report redacts.
    """
    streams = open_streams()
    with reporting(streams):
        directory = RunDir(run)
        info, settings = directory.dataset(), _settings(directory)
        _check_out(out, directory, force)
        files = decisions if decisions is not None else [p for p in (beside(directory),) if p.exists()]
        merged, conflicts = merge([read(path) for path in files])
        made = questions.queue(directory, merged, review=review, most=most, seed=settings.seed)
        pairs = made.questions[0].is_pair if made.questions else info.kind == Kind.PREFERENCE and info.shape != "kto"
        questions.write(out, made.questions, form or ("csv" if out.name.lower().endswith(".csv") else "jsonl"), pairs)
        _say_exported(streams, out, made, len(files), len(conflicts), review)


def import_(
    run: RunArgument,
    answers: Annotated[list[Path], typer.Argument(help="Files of answers, csv or JSON lines.", dir_okay=False)],
    out: Out,
    agree: Annotated[
        float, typer.Option(help="The least share of a row's labelers that settles it; more than half always.")
    ] = MAJORITY,
    reviewer: Annotated[str, typer.Option(help="The name that the decisions are written under.")] = "re-label",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Turn the labelers' answers into decisions for `tunevet apply`.

    Exit codes: 0 every answered row is settled, 1 some stay in the queue because labelers disagree, 2 a line is no
    answer to a row of this run, 74 a write failed.
    """
    streams = open_streams()
    with reporting(streams, as_json):
        if not MAJORITY <= agree <= 1:
            raise UsageError(f"--agree {agree:g} is no share from {MAJORITY:g} to 1")
        directory = RunDir(run)
        info, settings = directory.dataset(), _settings(directory)
        _check_out(out, directory, force, *answers)
        lines = [line for path in answers for line in relabel_answers.read(path)]
        known = questions.questions(directory, info, [line.key for line in lines], settings.seed)
        said, empty = relabel_answers.check(lines, known)
        votes = relabel_votes.settle(known, said, agree)
        made = relabel_votes.decisions(votes, reviewer, now(), info.fingerprint, run_name(directory))
        _write(out, made)
        if as_json:
            write_object({**votes.summary(), "unanswered": empty, "written": str(out), "exit_code": _code(votes)})
        else:
            _say_imported(streams.out, votes, empty, out)
    raise typer.Exit(_code(votes))


def _settings(run: RunDir) -> Config:
    if not run.verdicts.exists():
        raise InputError(f"{run.path} has no verdicts yet; scan it to its end")
    return configuration.load(run.config) if run.config.exists() else Config()


def _check_out(out: Path, run: RunDir, force: bool, *read_: Path) -> None:
    """Raises UsageError for a file that may not be written: in the run directory, one that is read, or, without
    `force`, one that exists, which may hold a day's answers."""
    if out.resolve().is_relative_to(run.path.resolve()):
        raise UsageError(f"{out} lies in the run directory, which stays as it was written; choose another -o")
    if any(out.resolve() == path.resolve() for path in read_):
        raise UsageError(f"{out} is read as well; choose another -o")
    if out.exists() and not force:
        raise UsageError(f"{out} exists and may hold answers or decisions; choose another -o, or use --force")


def _write(out: Path, made: list[Decision]) -> None:
    """Writes decisions that `tunevet apply` reads. Raises InputError where a name or label is none that it takes."""
    for decision in made:
        Decision.from_record(json.loads(decision.to_line()), f"the decision on row {decision.row}")
    write_bytes(out, "".join(decision.to_line() + "\n" for decision in made).encode())


def _code(votes: Votes) -> int:
    return EXIT_FINDINGS if votes.queued else EXIT_OK


def _say_exported(streams: Streams, out: Path, made: questions.Queue, files: int, conflicts: int, review: bool) -> None:
    asked = len(made.questions)
    from_ = f"{made.queued:,} decided queue, {asked - made.queued:,} in review"
    streams.out.print(plain(f"{out}: {amount(asked, 'rows')} to be labelled again ({from_})"), soft_wrap=True)
    said = streams.err
    if made.left:
        said.print(plain(f"{amount(made.left, 'rows')} more were left out by --most."))
    if made.unaskable:
        said.print(plain(f"{amount(made.unaskable, 'rows')} have neither two sides nor one of several labels."))
    if conflicts:
        said.print(plain(f"Reviewers disagree on {amount(conflicts, 'keys')}; these count as undecided."))
    if not asked:
        where = "no file of decisions was given or found" if not files else "no row is decided queue"
        said.print(plain(f"Nothing to ask: {where}." + ("" if review else " --review asks about the review rows.")))


def _say_imported(console: Console, votes: Votes, empty: int, out: Path) -> None:
    figures = votes.summary()
    table = Table(box=None, padding=(0, 2), pad_edge=False, show_header=False)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for word, words in _WORDS.items():
        if figures["decisions"].get(word):
            table.add_row(f"{figures['decisions'][word]:,}", plain(words))
    table.add_row(f"{figures['rows']:,}", plain("rows with answers"))
    if empty:
        table.add_row(f"{empty:,}", plain("lines without an answer; their rows stay as they are"))
    console.print(table)
    if figures["settled"]:
        low, high = figures["as_given_interval"]
        share = figures["as_given"] / figures["settled"]
        console.print(plain(f"as in the data: {share:.0%} of the settled rows ({low:.0%} to {high:.0%})"))
    if votes.percent is not None:
        chance = "not defined, all answers are one" if votes.alpha is None else f"{votes.alpha:.2f}"
        console.print(plain(f"labelers agree on {votes.percent:.0%}; Krippendorff's alpha {chance}"))
    _say_labelers(console, votes)
    for row in votes.queued[:_SHOWN]:
        said = ", ".join(f"{answer} {count}" for answer, count in row.votes)
        console.print(plain(f"row {row.question.row:,} stays queued: {said}; {row.why}", limit=300), soft_wrap=True)
    if len(votes.queued) > _SHOWN:
        console.print(f"and {len(votes.queued) - _SHOWN:,} more")
    console.print(plain(f"{amount(figures['rows'], 'decisions')} in {out}"), soft_wrap=True)


def _say_labelers(console: Console, votes: Votes) -> None:
    if not votes.labelers:
        return
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for name in ("labeler", "answers", "as in the data", "with the majority"):
        table.add_column(name, justify="left" if name == "labeler" else "right", overflow="fold")
    for each in votes.labelers:
        with_others = f"{each.with_majority / each.settled:.0%}" if each.settled else "none settled"
        table.add_row(
            plain(each.name or "(no name)", limit=60),
            f"{each.answers:,}",
            f"{each.as_given / each.answers:.0%}",
            with_others,
        )
    console.print(table)
