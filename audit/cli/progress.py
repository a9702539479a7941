"""What the terminal shows while a scan runs: a bar with rate and time left for each long stage, and a line
that stays for each finished one. Without a terminal only the lines; with --quiet nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from audit import pipeline
from audit.cli.words import amount, plain, seconds
from audit.pipeline import UnitResult
from audit.registry import STAGES_OF_CHECKS


class _Rate(ProgressColumn):
    """Units a second, once there are enough samples to say."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        figure = f"{speed:,.0f}" if speed >= 10 else f"{speed:,.1f}"
        return Text(f"{figure} {task.fields['unit']}/s", style="progress.data.speed")


class _Done(ProgressColumn):
    """How many of how many; nothing where the total is not known."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f}/{task.total:,.0f}" if task.total else "", style="progress.download")


class _Left(TimeRemainingColumn):
    """Time left, where there is a total to reach."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text("")


class Screen:
    """The Listener of a person at a terminal, or of a log. Close it before printing a result.

    `ended` is called with a stage's name when all of its units ended; what it prints stands below that
    stage's line.
    """

    def __init__(
        self,
        console: Console,
        *,
        quiet: bool = False,
        verbose: bool = False,
        ended: Callable[[str], None] | None = None,
    ) -> None:
        self.console, self.quiet, self.verbose = console, quiet, verbose
        self.ended = ended or (lambda stage: None)
        self._stage = ""
        self._results: list[UnitResult] = []
        self._began = 0.0
        self._work: tuple[int, str] = (0, "")  # what this stage's bars counted
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        if console.is_terminal and not quiet:
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                _Done(),
                _Rate(),
                _Left(compact=True, elapsed_when_finished=True),
                console=console,
                transient=True,
            )

    def unit_started(self, stage: str, unit: str) -> None:
        if stage != self._stage:
            self._end_stage()
            self._stage, self._results, self._began, self._work = stage, [], time.monotonic(), (0, "")
            self._show(f"{self._number()} {pipeline.BY_NAME[stage].title}", None, "")
        if self.verbose and unit != "all" and not self.quiet:
            self.console.print(plain(f"        {stage}/{unit}", style="dim"))

    def unit_ended(self, result: UnitResult) -> None:
        self._results.append(result)

    def start(self, label: str, total: int, unit: str) -> None:
        if self._work[1] != unit:
            self._work = (0, unit)
        title = f"{self._number()} {label}" if self._stage else label
        self._show(title, total or None, unit)
        if not self._stage and self._bars is None and not self.quiet:
            self.console.print(plain(f"        {label}", style="dim"))

    def advance(self, count: int) -> None:
        self._work = (self._work[0] + count, self._work[1])
        if self._bars is not None and self._task is not None:
            self._bars.advance(self._task, count)

    def note(self, text: str) -> None:
        if not self.quiet:
            self.console.print(plain(f"        {text}", style="dim", limit=400))

    def close(self) -> None:
        """Prints the last stage's line and takes the bar away. May be called twice."""
        self._end_stage()
        self._hide()

    def _number(self) -> str:
        names = [stage.name for stage in pipeline.STAGES]
        return f"[{names.index(self._stage) + 1:>2}/{len(names)}]"

    def _show(self, title: str, total: int | None, unit: str) -> None:
        if self._bars is None:
            return
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._bars.start()
        self._task = self._bars.add_task(plain(title, limit=48).plain, total=total, unit=unit)

    def _hide(self) -> None:
        if self._bars is None:
            return
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self._bars.stop()

    def _end_stage(self) -> None:
        stage = self._stage
        if not stage:
            return
        if not self.quiet:
            self.console.print(self._line(time.monotonic() - self._began))
        self._stage = ""
        self.ended(stage)

    def _line(self, elapsed: float) -> Text:
        failed = [r.unit for r in self._results if r.status == "failed"]
        done = sum(r.status == "done" for r in self._results)
        line = plain(f"{self._number()} {pipeline.BY_NAME[self._stage].title:<20}")
        if failed:
            line.append_text(plain(f" failed: {', '.join(failed)}", style="red"))
        elif not self._results:
            line.append(" stopped", style="red")
        elif not done:
            line.append(" unchanged, kept from before", style="dim")
        else:
            total, unit = self._work
            if self._stage in STAGES_OF_CHECKS:
                total, unit = len(self._results), "checks"
            line.append(f" {seconds(elapsed):>12}", style="green")
            line.append(f"  {amount(total, unit)}" if total else "", style="dim")
        return line
