"""What commands print. All of it may stand in the log of a CI runner."""

from __future__ import annotations

import csv
import json
import shutil
from functools import partial
from pathlib import Path

from text_sinks.conftest import Kit, Sinks
from text_sinks.hostile_places import COUNT, at, file_name

from audit.report import FORMATS

MAPPED = ("--map", "text=text", "--map", "label=label", "--name", at(2))
_ROWS = range(0, COUNT + 20, 9)


def scan(kit: Kit, *more: object) -> str:
    return kit.tunevet("scan", kit.source, "-o", kit.scanned, *MAPPED, *more)


def first_scan(kit: Kit) -> str:
    """Every line of progress, in a run directory with a hostile name."""
    return kit.tunevet("scan", kit.source, "-o", kit.folder / f"new{file_name(at(66))}", *MAPPED, "-v")


def held_scan(kit: Kit) -> str:
    """A scan of a directory whose lock file says strange things of its holder."""
    import fcntl

    place = kit.folder / "held"
    place.mkdir(exist_ok=True)
    with (place / ".lock").open("w") as handle:
        json.dump({"pid": 1, "host": at(60), "since": at(66)}, handle)
        handle.flush()
        fcntl.flock(handle, fcntl.LOCK_EX)
        return kit.tunevet("scan", kit.source, "-o", place, *MAPPED)


def schema(kit: Kit, *more: object) -> str:
    return kit.tunevet("schema", kit.source, *MAPPED[:4], "--rows", COUNT, *more)


def show(kit: Kit, *more: object) -> str:
    return kit.tunevet("show", kit.run.path, *more)


def rows(kit: Kit, *more: object) -> str:
    return "".join(kit.tunevet("show", run.path, row, *more) for row in _ROWS for run in (kit.run, kit.pairs))


def triggers(kit: Kit, *more: object) -> str:
    ids = [trigger["id"] for trigger in json.loads(kit.run.triggers.read_text())]
    return "".join(kit.tunevet("show", kit.run.path, identity, *more) for identity in ids[::4])


def export(kit: Kit, form: str) -> str:
    return kit.tunevet("export", kit.run.path, "--format", form)


def review(kit: Kit, kind: str) -> str:
    """A session in which every question is looked at, and some are answered with hostile words."""
    run, file = (kit.run if kind == "labels" else kit.pairs), kit.folder / f"d{file_name(at(60))}.{kind}.jsonl"
    answers = ["?", "l", at(3).replace("\n", ""), "z", "\x1b", "n", *["n"] * (COUNT + 20), "e", "1", at(7), "q"]
    return kit.tunevet("review", run.path, "--decisions", file, "--reviewer", at(4), typed="\n".join(answers) + "\n")


def apply(kit: Kit, *more: object) -> str:
    return kit.applied(*more)


def relabel_import(kit: Kit, form: str) -> str:
    """Answers of labelers with hostile names that disagree."""
    queue, answers = kit.folder / f"asked.{form}", kit.folder / f"answered.{form}"
    kit.tunevet("relabel", "export", kit.pairs.path, "-o", queue, "--review", "--force", "--most", 40)
    if form == "jsonl":
        made = [json.loads(line) for line in queue.read_text().splitlines()]
        told = [
            {**line, "answer": ("first", "second")[(i + turn) % 2], "labeler": at(i + turn * 3)}
            for turn in (0, 1) for i, line in enumerate(made)
        ]  # fmt: skip
        answers.write_text("".join(json.dumps(line) + "\n" for line in told))
    else:
        with queue.open(encoding="utf-8", newline="") as file:
            made = list(csv.DictReader(file))
        told = [
            {**line, "answer": ("first", "second")[turn], "labeler": at(i + turn * 3)}
            for turn in (0, 1)
            for i, line in enumerate(made)
        ]
        with answers.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(told[0]))
            writer.writeheader()
            writer.writerows(told)
    return kit.tunevet("relabel", "import", kit.pairs.path, answers, "-o", kit.folder / f"made-{form}.jsonl", "--force")


def restore(kit: Kit, run: str) -> str:
    place = kit.folder / f"restored-{run}"
    shutil.rmtree(place, ignore_errors=True)
    return kit.tunevet("restore", kit.scanned if run == "scanned" else kit.run.path, "-o", place)


def verify(kit: Kit, *more: object) -> str:
    """Files with hostile names that were changed, taken away and added."""
    copy = kit.folder / "tampered"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(kit.scanned, copy)
    cleaned = sorted((copy / "cleaned").iterdir())
    for path in cleaned[::3]:
        path.write_bytes(b"{}\n")
    for path in cleaned[1::3]:
        path.unlink()
    for i in range(COUNT):
        (copy / "cleaned" / f"more{file_name(at(i))}").write_text("x")
    return kit.tunevet("verify", copy, *more)


def verify_published(kit: Kit) -> str:
    kit.applied()
    copy = kit.folder / "published"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(kit.folder / "applied", copy)
    for i in range(0, COUNT, 5):
        (copy / f"more{file_name(at(i))}").write_text("x")
    return kit.tunevet("verify", copy)


def plant(kit: Kit, *more: object) -> str:
    place = kit.folder / "planted"
    shutil.rmtree(place, ignore_errors=True)
    Path(f"{place}.truth.json").unlink(missing_ok=True)
    words = ("--attack", "badnet", "--count", 3, "--trigger", at(12), "--target", "label:" + at(1))
    return kit.tunevet("plant", kit.source, "-o", place, *MAPPED[:4], *words, *more)


SINKS: Sinks = {
    "scan, the first": first_scan,
    "scan, again": scan,
    "scan --json": lambda kit: scan(kit, "--json"),
    "scan of a held directory": held_scan,
    "schema": schema,
    "schema --json": lambda kit: schema(kit, "--json"),
    "show a run": show,
    "show a run --json": lambda kit: kit.tunevet("show", kit.scanned, "--json"),
    "show rows": rows,
    "show rows --json": lambda kit: rows(kit, "--json"),
    "show triggers": triggers,
    "show triggers --json": lambda kit: triggers(kit, "--json"),
    **{f"export --format {form}": partial(export, form=form) for form in FORMATS},
    "review of labels": partial(review, kind="labels"),
    "review of pairs": partial(review, kind="pairs"),
    "apply": apply,
    "apply --json": lambda kit: apply(kit, "--json"),
    "relabel import": partial(relabel_import, form="jsonl"),
    "relabel import of a csv": partial(relabel_import, form="csv"),
    "restore": partial(restore, run="scanned"),
    "restore of another input": partial(restore, run="labels"),
    "verify": verify,
    "verify --json": lambda kit: verify(kit, "--json"),
    "verify published data": verify_published,
    "plant": plant,
    "plant --json": lambda kit: plant(kit, "--json"),
}
