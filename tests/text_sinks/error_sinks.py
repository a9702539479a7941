"""What is said when something goes wrong, with hostile names and values in it."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
from text_sinks.conftest import Kit, Sinks, captured
from text_sinks.hostile_places import COUNT, at, file_name
from text_sinks.hostile_sequences import SEQUENCES

from audit import errors
from audit.cli.endings import told
from audit.cli.guarded import guarded
from audit.text import toml_string

# One of each sort, where a whole command runs for each.
SOME = (0, 4, 12, 33, 39, 44, 54, 56, 58, 60, 61, 66, 71, 77, 80, 82, 85, 86, 93, 106, 112, 117, 118, 120, 125, 131)
PATHS = tuple(f"{i:03d}{file_name(at(i))}" for i in SOME)


def _each(kit: Kit, command: Callable[[str, str], tuple[object, ...]]) -> str:
    """A command for one of each sort of sequence: `command` is given the text and a path with it as a name."""
    said = []
    for i, name in zip(SOME, PATHS, strict=True):
        text = at(i).replace("\x00", "")  # no argument of a process holds a NUL
        said.append(kit.tunevet(*command(text, str(kit.folder / name))))
    return "".join(said)


def _written(kit: Kit, content: str | bytes, command: Callable[[str], tuple[object, ...]], suffix: str) -> str:
    """A command for a file of this content under each name."""
    said = []
    for name in PATHS[::4]:
        path = kit.folder / "written" / f"{name}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        said.append(kit.tunevet(*command(str(path))))
    return "".join(said)


def usage(kit: Kit) -> str:
    """Errors of the parser of the command line."""
    said = _each(kit, lambda text, path: ("scan", f"--{text}"))
    said += _each(kit, lambda text, path: (text or "x",))
    said += _each(kit, lambda text, path: ("scan", "a", text))
    said += _each(kit, lambda text, path: ("scan", "a", "--kind", text))
    return said + _each(kit, lambda text, path: ("scan", "a", "--limit", text))


def settings_errors(kit: Kit) -> str:
    """Options and configuration files that cannot be used."""
    small = next(kit.source.glob("012*"))
    said = _each(kit, lambda text, path: ("scan", small, "--map", text))
    said += _each(kit, lambda text, path: ("scan", small, "--map", f"{text}={text}"))
    said += _each(kit, lambda text, path: ("scan", small, "--skip", text))
    said += _each(kit, lambda text, path: ("scan", small, "--engine", text))
    said += _each(kit, lambda text, path: ("scan", "--config", path))
    for text in (at(i) for i in SOME):
        path = kit.folder / "key.toml"
        path.write_text(f'source = "x"\n{toml_string(text)} = 1\n[detectors.{toml_string(text)}]\nx = 1\n')
        said += kit.tunevet("scan", "--config", path)
    said += _written(kit, "".join(SEQUENCES.values()), lambda p: ("scan", "--config", p), ".toml")
    return said + _written(kit, "a: [" + at(95), lambda p: ("scan", "--config", p), ".yaml")


def input_errors(kit: Kit) -> str:
    """Inputs that cannot be read."""
    said = _each(kit, lambda text, path: ("scan", path))
    said += _each(kit, lambda text, path: ("scan", f"{path}*"))
    keys = json.dumps({at(i): at(i) for i in range(COUNT)})  # the columns that cannot be mapped are named
    said += _written(kit, f"{keys}\n{keys}\n", lambda p: ("scan", p), ".jsonl")
    said += _written(kit, ",".join(f'"c{i}"' for i in range(3)) + "\n" + at(60) * 3, lambda p: ("scan", p), ".csv")
    said += _written(kit, b"PAR1" + at(66).encode() * 40 + b"PAR1", lambda p: ("scan", p), ".parquet")
    said += _written(kit, b"", lambda p: ("scan", p), ".jsonl")
    said += _written(kit, at(66), lambda p: ("scan", p), ".exe")
    frame = pl.DataFrame({at(i).replace("\x00", ""): [at(i + 1)] for i in range(COUNT)})
    path = kit.folder / "columns.parquet"
    frame.write_parquet(path)
    return said + kit.tunevet("scan", path) + kit.tunevet("schema", path)


def place_errors(kit: Kit) -> str:
    """Places that cannot be written or are no runs."""
    taken, small = kit.folder / "taken", next(kit.source.glob("012*"))
    taken.mkdir(exist_ok=True)
    said = ""
    for name in PATHS[::3]:
        (taken / name).write_text("x")
        said += kit.tunevet("scan", kit.source, "-o", taken / name)
        said += kit.tunevet("restore", kit.run.path, "-o", taken / name)
        said += kit.tunevet("plant", small, "-o", taken / name, "--attack", "badnet")
        said += kit.tunevet("export", kit.run.path, "--format", "jsonl", "-o", kit.run.path / name)
    said += _each(kit, lambda text, path: ("show", path))
    said += _each(kit, lambda text, path: ("show", kit.run.path, text))
    said += _each(kit, lambda text, path: ("verify", path))
    said += _each(kit, lambda text, path: ("sign", kit.scanned, "--key", path))
    said += _each(kit, lambda text, path: ("verify", kit.scanned, "--key", path))
    said += _each(kit, lambda text, path: ("plant", small, "-o", path, "--attack", text))
    said += _each(kit, lambda text, path: ("plant", small, "-o", path, "--attack", "badnet", "--set", text))
    return said + _each(kit, lambda text, path: ("review", kit.run.path, "--decisions", f"{path}/x"))


def decision_errors(kit: Kit) -> str:
    """Lines of decisions and answers that are none."""
    base = {"schema": "tunevet.decision/1", "subject": "row", "key": "0" * 32, "decision": "accept", "reviewer": "a"}
    said = ""
    for i in SOME:
        for record in (
            {at(i): 1},
            {**base, "schema": at(i)},
            {**base, "subject": at(i)},
            {**base, "key": at(i)},
            {**base, "decision": at(i)},
            {**base, "decision": "edit", "field": at(i), "value": "x"},
            {**base, "decided_at": at(i)},
        ):
            path = kit.folder / f"bad{file_name(at(i))}.jsonl"
            path.write_text(json.dumps(record) + "\n")
            said += kit.tunevet("apply", kit.run.path, path, "-o", kit.folder / "never")
    for content in (
        at(66),
        '{"a": 1, "a": 2}',
        "[]",
        '{"schema": "x", "answer": "' + at(12) + '"}',
        f"{at(66)},b\n1,2\n",
    ):
        for end in (".jsonl", ".csv"):
            said += _written(
                kit, content, lambda p: ("relabel", "import", kit.pairs.path, p, "-o", kit.folder / "no"), end
            )
    return said


def model_errors(kit: Kit) -> str:
    """Models and locks that cannot be used."""
    said = _each(kit, lambda text, path: ("doctor", "--model", path))
    said += _each(kit, lambda text, path: ("models", "lock", path, "--lock", kit.folder / "lock"))
    home = kit.folder / "model"
    for i in SOME:
        folder = home / file_name(at(i))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file_name(at(i + 1))).write_text("x")
        (folder / f"{file_name(at(i))}.safetensors").write_bytes(b"\xff" * 64)
        (folder / "config.json").write_text(json.dumps({"model_type": at(i), at(i): at(i), "auto_map": at(i)}))
        said += kit.tunevet("models", "lock", folder, "--lock", kit.folder / "lock")
    lock = f"[[model]]\nname = {json.dumps(at(12))}\n"
    return said + _written(kit, lock, lambda p: ("models", "lock", kit.folder / "x", "--lock", p), ".lock")


def exceptions(kit: Kit) -> str:
    """Every class of error, as a notebook or a log shows it."""
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.TunevetError)]
    made = [c(at(i)) for c in classes if c is not errors.UnitFailed for i in range(COUNT)]
    made += [errors.UnitFailed("detect", "x", ValueError(at(i))) for i in range(COUNT)]
    return "\n".join(f"{error} {error.args[0]}" for error in made)


def tracebacks(kit: Kit) -> str:
    """A fault of ours whose cause quotes rows."""

    def fault() -> None:
        for i in range(COUNT):
            try:
                try:
                    raise KeyError(at(i))
                except KeyError as error:
                    raise ValueError(f"row {at(i)}") from error
            except ValueError as error:
                told(error)

    return captured(fault)


def records(kit: Kit) -> str:
    """Log records of libraries, with their tracebacks."""

    def log() -> None:
        logger = logging.getLogger("some.library")
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        with guarded():
            for i in range(COUNT):
                logger.warning("row %s", at(i))
                try:
                    raise ValueError(at(i))
                except ValueError:
                    logger.exception(at(i).replace("%", "%%"))
        logger.removeHandler(handler)

    return captured(log)


def last_resort(kit: Kit) -> str:
    """Warnings and records for which no handler was set up."""

    def warn() -> None:
        with guarded(), warnings.catch_warnings():
            warnings.simplefilter("always")
            for i in range(COUNT):
                sys.stderr.write(warnings.formatwarning(at(i), UserWarning, f"{at(i + 1)}.py", 1))
                logging.lastResort.emit(logging.getLogRecordFactory()("x", 30, "p", 1, at(i), (), None))  # type: ignore[union-attr]

    return captured(warn)


def threads(kit: Kit) -> str:
    """Errors in threads, and those that cannot be raised."""

    def fail(text: str) -> None:
        raise ValueError(text)

    class Broken:
        def __init__(self, text: str) -> None:
            self.text = text

        def __del__(self) -> None:
            raise ValueError(self.text)

    def run() -> None:
        with guarded():
            for i in range(0, COUNT, 3):
                thread = threading.Thread(target=fail, args=(at(i),), name=at(i + 1))
                thread.start()
                thread.join()
                Broken(at(i + 2))

    return captured(run)


def api(kit: Kit) -> str:
    """What the Python interface raises and returns."""
    import audit

    said = []
    for path in (Path(kit.folder / name) for name in PATHS):
        try:
            audit.scan(path)
        except errors.TunevetError as error:
            said.append(str(error))
    return "\n".join(said)


SINKS: Sinks = {
    "errors of usage": usage,
    "errors of settings": settings_errors,
    "errors of inputs": input_errors,
    "errors of places": place_errors,
    "errors of decisions": decision_errors,
    "errors of models": model_errors,
    "exceptions": exceptions,
    "tracebacks": tracebacks,
    "log records of libraries": records,
    "warnings and the last handler": last_resort,
    "threads": threads,
    "the Python interface": partial(api),
}
