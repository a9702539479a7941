"""A command to be killed or refused at every step, and what must come of it in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from shutil import copytree, rmtree
from typing import Any

from crash_runs import WRITERS, Ran, Server, fresh, markers, scan_words, temporaries, tree, write_settings
from crash_stages import CHECKS
from decided_runs import on_row, on_trigger, write_decisions

from audit.rundir import RunDir, read_json
from audit.schema import Trigger

COUNTS: Counter[str] = Counter()  # what the suite has tried, for its last line
SERVERS = 2
TOLD = "Told to end (SIGTERM). What is finished stays; the same command with the same -o goes on from here."


@dataclass(frozen=True)
class Scenario:
    """A command, the folder of its result below the one that it is started in, and how it ends undisturbed."""

    words: list[object]
    result: str
    before: Path | None  # what the folder holds at the start
    reference: Ran
    wanted: dict[str, str]
    checks: tuple[str, ...]

    def start(self, folder: Path) -> Path:
        rmtree(folder, ignore_errors=True)
        if self.before is not None:
            copytree(self.before, folder)
        return folder

    def run(self, server: Server, folder: Path, spec: dict[str, Any] | None = None) -> Ran:
        return server.run(self.words, folder, spec, self.checks)

    def points(self, kinds: tuple[str, ...] = ("before", "middle", "after")) -> list[tuple[int, str]]:
        """(step, moment) of every point at which it can be killed: only a write has a middle."""
        return [
            (number, moment)
            for number, kind, _ in self.reference.steps
            for moment in kinds
            if moment != "middle" or kind == "write"
        ]


def scan_of(server: Server, folder: Path, source: str, checks: tuple[str, ...] = CHECKS) -> Scenario:
    """A scan of one of the sources of WRITERS."""
    words = scan_words(WRITERS[source](fresh(folder)))
    write_settings(folder)
    return _undisturbed(server, folder, words, "run", None, checks)


def apply_of(server: Server, folder: Path, over: bool, source: str = "csv") -> Scenario:
    """Decisions of two reviewers on a scan; `over` an earlier result, which has held rows besides."""
    scan = scan_of(server, folder / "scan", source)
    out = "result/clean.csv" if source == "csv" else "result/clean"
    run = RunDir(folder / "scan" / "reference" / "run")
    trigger = Trigger(**read_json(run.triggers)[0])
    ann = write_decisions(folder / "ann", on_trigger(trigger, "reject"), on_row(run, 3, "reject"))
    bob = write_decisions(folder / "bob", on_row(run, 5, "accept"), on_row(run, 7, "reject"))
    words: list[object] = ["apply", run.path, ann, bob, "-o", out, "--undecided", "keep"]
    if not over:
        return _undisturbed(server, folder, words, "result", None, scan.checks)
    first = server.run(["apply", run.path, ann, "-o", out], folder / "before")
    assert first.code == 0, first.err
    return _undisturbed(server, folder, [*words, "--force"], "result", folder / "before", scan.checks)


def _undisturbed(
    server: Server, folder: Path, words: list[object], result: str, before: Path | None, checks: tuple[str, ...]
) -> Scenario:
    place = folder / "reference"
    if before is not None:
        copytree(before, place)
    ran = server.run(words, place, None, checks)
    assert ran.code in (0, 1, 3) and "Traceback" not in ran.err, ran.err
    assert [words for words in ran.log if words[0] == "heavy"] == [["heavy"]], "torch or prefect was loaded"
    wanted = tree(place / result)
    assert ran.steps and not temporaries(place) and not ran.left
    return Scenario(words, result, before, ran, wanted, checks)


def killed(server: Server, scenario: Scenario, folder: Path, point: tuple[int, str], how: str) -> str:
    """What is wrong after dying at a point and running the same command again; "" when nothing is."""
    number, moment = point
    result = scenario.start(folder) / scenario.result
    first = scenario.run(server, folder, {"kind": "kill", "arguments": [number, moment, how]})
    stood, left_half = markers(result), temporaries(folder)
    finished = result.exists() and _committed(result) == scenario.wanted  # then there is nothing to go on with
    again = scenario.run(server, folder)
    told = [
        (not first.struck, "it was not killed"),
        (first.code != (-9 if how == "KILL" else 143), f"it ended with {first.code}: {first.err[-300:]}"),
        (how == "TERM" and TOLD not in " ".join(first.err.split()), f"it did not say that it was told: {first.err}"),
        (how == "TERM" and bool(left_half), f"half-written: {left_half}"),
        (bool(first.left or again.left), f"processes left over: {first.left} {again.left}"),
        _ended_well(scenario, again, folder, finished),
        (bool(stood & set(again.units)), f"done again: {stood & set(again.units)}"),
        (len(set(first.units) & set(again.units)) > 1, f"repeated: {set(first.units) & set(again.units)}"),
    ]
    return _verdict(told, folder, f"{how} {moment} step {number} {scenario.reference.steps[number - 1][1:]}")


def _committed(result: Path) -> dict[str, str]:
    """What stands in its place, beside an emptied preparation that the next command sweeps."""
    prepared = [path.name for path in result.glob(".*.tmp") if path.is_dir() and not (path / "plan.json").exists()]
    return {name: digest for name, digest in tree(result).items() if name.split("/")[0] not in prepared}


def refused(server: Server, scenario: Scenario, folder: Path, number: int, fault: str, lasting: bool) -> str:
    """What is wrong after a step failed with a fault and the same command ran again; "" when nothing is."""
    result = scenario.start(folder) / scenario.result
    before = tree(result) if result.exists() else {}
    first = scenario.run(server, folder, {"kind": "fail", "arguments": [number, fault, lasting]})
    found, left_half = tree(result) if result.exists() else {}, temporaries(folder)
    whole = {name for name, digest in found.items() if digest in (scenario.wanted.get(name), before.get(name))}
    half = set(found) - whole - {"manifest.json"}  # which says that it stopped
    again = scenario.run(server, folder)
    code = scenario.reference.code if fault == "short" else 74
    said = " ".join(first.err.split())
    clear = fault == "short" or ("error: " in said and "failed: " in said and "run the same command again" in said)
    told = [
        (not first.struck, "nothing failed"),
        (first.code != code, f"it ended with {first.code}: {first.err[-300:]}"),
        (not clear or "Traceback" in said, f"the message is not clear: {said}"),
        (fault == "short" and found != scenario.wanted, "other bytes after a short write"),
        (bool(left_half or half), f"half-written: {left_half} {sorted(half)}"),
        _ended_well(scenario, again, folder, found == scenario.wanted),
    ]
    return _verdict(told, folder, f"{fault} at step {number} {scenario.reference.steps[number - 1][1:]}")


def _ended_well(scenario: Scenario, again: Ran, folder: Path, finished: bool) -> tuple[bool, str]:
    found = tree(folder / scenario.result)
    other = sorted(name for name in {*found, *scenario.wanted} if found.get(name) != scenario.wanted.get(name))
    refused = finished and again.code == 2 and " exists; choose another -o" in again.err  # `apply` writes over nothing
    ok = (again.code == scenario.reference.code or refused) and not other and not temporaries(folder)
    return not ok, f"run again: code {again.code}, other bytes in {other}, {temporaries(folder)}, {again.err[-300:]}"


def _verdict(told: Iterable[tuple[bool, str]], folder: Path, where: str) -> str:
    wrong = [sentence for is_so, sentence in told if is_so]
    if not wrong:
        rmtree(folder, ignore_errors=True)
    return f"{where}: {'; '.join(wrong)}" if wrong else ""


def all_of(
    servers: list[Server], folder: Path, cases: list[Any], judge: Callable[[Server, Path, Any], str], what: str
) -> None:
    """Judges every case, on all servers at once. Fails with what is wrong, and counts."""
    free: SimpleQueue[Server] = SimpleQueue()
    for server in servers:
        free.put(server)

    def one(numbered: tuple[int, Any]) -> str:
        server = free.get()
        try:
            return judge(server, folder / f"case-{numbered[0]}", numbered[1])
        finally:
            free.put(server)

    with ThreadPoolExecutor(len(servers)) as pool:
        wrong = [sentence for sentence in pool.map(one, enumerate(cases)) if sentence]
    COUNTS[what] += len(cases) - len(wrong)
    COUNTS[what.replace("survived", "NOT survived")] += len(wrong)
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:8])
