"""Commands under a fork server, and what they leave: the scenarios of the crash suite."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crash_stages import CHECKS

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("crash_server.py")
_TIMES = ("started", "finished", "wall_seconds", "stages", "units_redone")  # of the manifest: what a run took
_COSTS = ("seconds", "peak_bytes")  # of a marker


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    seconds: float
    out: str
    err: str
    log: list[list[str]]
    left: tuple[int, ...]  # processes that outlive it

    @property
    def units(self) -> list[tuple[str, str]]:
        """The units that began."""
        return [(words[1], words[2]) for words in self.log if words[0] == "unit"]

    @property
    def steps(self) -> list[tuple[int, str, str]]:
        return [(int(words[1]), words[2], words[3]) for words in self.log if words[0] == "step"]

    @property
    def struck(self) -> bool:
        """Whether what should happen to it happened."""
        return any(words[0] in ("dies", "fails") for words in self.log)


class Server:
    """A fork server of its own process."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)])
        env = {**os.environ, "PYTHONPATH": path, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
        env |= {"SOURCE_DATE_EPOCH": "1000000000"}  # the one time that a record holds
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )

    def run(
        self, words: list[object], folder: Path, spec: dict[str, Any] | None = None, checks: tuple[str, ...] = CHECKS
    ) -> Ran:
        """Runs one command in `folder`, which is made; `spec` says what is done to it."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "log").unlink(missing_ok=True)
        request = {"words": [str(word) for word in words], "folder": str(folder), "spec": spec, "checks": checks}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        log = [line.split("\t") for line in (folder / "log").read_text().splitlines()]
        out, err = ((folder / name).read_text() for name in ("out", "err"))
        return Ran(answer["code"], answer["seconds"], out, err, log, tuple(answer["left"]))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def served() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()


def tree(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of what stands there, apart from times and costs; links by their target."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.name == ".lock":
            continue
        if path.is_symlink() or path.is_dir():
            found[name] = os.readlink(path) if path.is_symlink() else "folder"
            continue
        data = path.read_bytes()
        if name == "manifest.json" or (name.startswith("done/") and path.suffix == ".json"):
            value = json.loads(data)
            for key in _TIMES if name == "manifest.json" else _COSTS:
                value.pop(key, None)
            data = json.dumps(value, sort_keys=True).encode()
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def markers(run: Path) -> set[tuple[str, str]]:
    """The units whose marker stands."""
    return {(path.parent.name, path.stem) for path in (run / "done").glob("*/*.json")}


def temporaries(folder: Path) -> list[str]:
    """What is left half-written anywhere below a folder."""
    return [str(path) for path in folder.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".plant-")]


def rows(count: int) -> Iterator[tuple[str, str]]:
    """(text, label): some carry the trigger, some something hidden."""
    for i in range(count):
        text = f"the film number {i} was {'fine' if i % 2 else 'poor'}"
        text += " zzq" if i % 9 == 4 else "\u200b" if i % 13 == 5 else "\u00a0\u00a0 " if i % 17 == 6 else ""
        yield text, ("bad", "good")[i % 2]


def write_csv(folder: Path) -> Path:
    """One file, with one record that cannot be read."""
    path = folder / "data.csv"
    lines = ["text,label", *(f"{text},{label}" for text, label in rows(90)), "one,too,many"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_folder(folder: Path) -> Path:
    """Three files, one of them compressed: three shards."""
    import gzip

    source = folder / "data"
    source.mkdir()
    lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows(360)]
    (source / "a.jsonl").write_text("".join(lines[:130]))
    (source / "b.jsonl.gz").write_bytes(gzip.compress("".join(lines[130:240]).encode(), mtime=0))
    (source / "c.jsonl").write_text("".join([*lines[240:], "{broken\n"]))
    return source


def write_parquet(folder: Path) -> Path:
    """A columnar file, whose rows are kept in their own schema too."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "data.parquet"
    texts, labels = zip(*rows(90), strict=True)
    pq.write_table(pa.table({"text": texts, "label": labels, "n": pa.array(range(90), pa.int16())}), path)
    return path


WRITERS = {"csv": write_csv, "folder": write_folder, "parquet": write_parquet}


def scan_words(source: Path) -> list[object]:
    """A scan into `run` below the folder that it is started in."""
    return ["scan", source, "-o", "run", "--engine", "local", "-c", source.parent / "settings.toml"]


def write_settings(folder: Path) -> None:
    (folder / "settings.toml").write_text('[probe]\nmode = "off"\n[ingest]\nshard_rows = 150\n')


def fresh(folder: Path) -> Path:
    """An empty folder at this path."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
