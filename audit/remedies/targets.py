"""Where the results of decisions go: the cleaned data, and beside it what was removed, what is held, and a summary.

Everything is written into a folder of its own beside OUT and checked there; only then it is moved into place. So a run
that fails, or is interrupted, leaves no half of a result. Nothing is written into a run directory, onto the input, or
over what exists, unless the user says so; files that are not of this result are never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from audit import durable
from audit.attest.names import SIGNATURES, SUFFIX, WRITTEN
from audit.errors import InputError, UsageError, WriteFailed
from audit.provenance import sha256_file
from audit.remedies.clean import review_name
from audit.rundir import RunDir, read_json, write_json
from audit.schema import DatasetInfo
from audit.sources.files import recognise
from audit.text import safe_text

_PLAN = "plan.json"  # in the staging folder: what is moved where


@dataclass(frozen=True, slots=True)
class Targets:
    """The final paths. `data` and `held` are aligned with the files of the dataset."""

    out: Path  # a file for an input of one file, else a folder
    data: tuple[Path, ...]
    held: tuple[Path, ...]
    removed: Path
    summary: Path

    @classmethod
    def of(cls, info: DatasetInfo, out: Path) -> Targets:
        """OUT, and beside it OUT.removed.jsonl, OUT.applied.json and the held rows: STEM.review.EXT of a file,
        the folder OUT.review of a folder. Raises UsageError for a file whose name says another format."""
        if not out.name or out.name == "..":
            raise UsageError(f"{out} names no file; say what to write with -o OUT")
        removed, summary = (out.with_name(f"{out.name}.{end}") for end in ("removed.jsonl", "applied.json"))
        if len(info.files) != 1:
            folder = out.with_name(f"{out.name}.review")
            data, held = (tuple(root / f.path for f in info.files) for root in (out, folder))
            return cls(out, data, held, removed, summary)
        source = PurePosixPath(info.files[0].path).name
        if recognise(out.name) != recognise(source):
            raise UsageError(f"{out} must end as the input does: {safe_text(source, 120)}")
        return cls(out, (out,), (out.with_name(review_name(out.name, 2)),), removed, summary)

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file that may be written."""
        of_record = tuple(self.provenance / name for name in (*WRITTEN, *SIGNATURES))
        return (*self.data, *self.held, self.removed, *of_record, self.summary)

    @property
    def provenance(self) -> Path:
        """The folder of the record of OUT."""
        return self.out.with_name(f"{self.out.name}{SUFFIX}")

    @property
    def roles(self) -> dict[str, tuple[Path, ...]]:
        """Role in the record -> the paths of that role; of data and held aligned with the files of the dataset."""
        return {"data": self.data, "held": self.held, "removed": (self.removed,), "summary": (self.summary,)}

    def check(self, run: RunDir, info: DatasetInfo, source: str, read: Sequence[Path], force: bool) -> None:
        """Raises UsageError where a target may not be written: inside of the run directory, the input or one of the
        files `read`, or what exists, unless `force`."""
        out = self.out.resolve()
        if out.is_relative_to(run.path.resolve()):
            raise UsageError(f"{self.out} lies inside of the run directory, which stays as it was written")
        inside = Path(source) if source and Path(source).is_dir() else None
        if inside is not None and out.is_relative_to(inside.resolve()):
            raise UsageError(f"{self.out} lies inside of the input {source}, which a next scan would read")
        for path in (*self.all, self.out):
            if _is_one_of(path, [*read, *([Path(source)] if source else [])]):
                raise UsageError(f"{path} is one of the files that are read; choose another -o")
        self._check_free(force)
        if self.out.exists() and self.out.is_dir() != (len(info.files) != 1):
            raise UsageError(f"{self.out} is {'a folder' if self.out.is_dir() else 'no folder'}; choose another -o")

    def _check_free(self, force: bool) -> None:
        roots = {self.out, self.removed, self.summary, self.provenance, *self._held_roots()}
        taken = sorted(str(path) for path in roots if path.exists() or path.is_symlink())
        if taken and not force:
            raise UsageError(f"{taken[0]} exists; choose another -o, or replace it with --force")
        ours = set(self.all)
        for folder in (path for path in roots if path.is_dir() and not path.is_symlink()):
            other = next((p for p in sorted(folder.rglob("*")) if not p.is_dir() and p not in ours), None)
            if other is not None:
                raise UsageError(f"{other} is no file of this result; --force replaces only its own files")

    def _held_roots(self) -> list[Path]:
        folder = self.out.with_name(f"{self.out.name}.review")
        return list(self.held) if self.data == (self.out,) else [folder]


def _is_one_of(path: Path, others: Iterable[Path]) -> bool:
    return path.exists() and any(other.exists() and path.samefile(other) for other in others)


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into; gone at the end, whatever happens."""
    folder = durable.staging_name(out)
    try:
        yield folder
    finally:
        durable.discard(folder)


def put_in_place(staged: Sequence[tuple[Path, Path]], targets: Targets) -> None:
    """Moves what was staged to its final paths, the last one last, then takes away files of an earlier result that this
    one has not. Where one cannot be moved none is left. Raises WriteFailed."""
    moved: list[Path] = []
    plan = [{"staged": str(p.absolute()), "final": str(f.absolute()), "sha256": sha256_file(p)} for p, f in staged]
    planned = durable.staging_name(targets.out) / _PLAN
    write_json(planned, plan)
    try:
        for path, final in staged:
            durable.move(path, final)
            moved.append(final)
        for path in targets.all:
            if path not in moved and (path.is_file() or path.is_symlink()):
                durable.remove(path)
        durable.remove(planned)  # from here on the result counts
    except BaseException:
        _take_back(plan, targets.out.parent)
        raise


def take_back_unfinished(targets: Targets) -> None:
    """Takes away what a process that was killed left of the same result: its staging folder, and those of its targets
    that it had moved into place, known by what they hold. Raises WriteFailed."""
    ours = {str(path.absolute()) for path in targets.all}
    for folder in durable.stale(targets.out.parent, targets.out.name):
        if folder.is_dir() and not folder.is_symlink():
            if (folder / _PLAN).is_file():
                plan = [entry for entry in read_json(folder / _PLAN) if entry["final"] in ours]
                _take_back(plan, targets.out.parent)
            durable.remove_tree(folder)
        else:
            durable.remove(folder)


def _take_back(plan: Sequence[dict[str, str]], top: Path) -> None:
    """Takes away the files of a plan that were moved, and the folders below `top` that are empty then; not files that
    were changed since. Each as far as the system lets it: a removal whose folder could not be synced is one."""
    for entry in plan:
        final = Path(entry["final"])
        with suppress(OSError, WriteFailed):
            if not Path(entry["staged"]).exists() and final.is_file() and sha256_file(final) == entry["sha256"]:
                durable.remove(final)
        for folder in final.parents:
            if folder == top.absolute():
                break
            with suppress(OSError, WriteFailed):
                durable.remove_empty(folder)


def check_run(run: RunDir) -> DatasetInfo:
    """What a finished run is about. Raises InputError where a file is missing that decisions are applied to."""
    info = run.dataset()
    needed = [run.verdicts, run.triggers, *run.shards("ledger")]
    missing = [path for path in needed if not path.is_file()]
    if missing:
        name = missing[0].relative_to(run.path)
        raise InputError(f"{run.path} has no {name}: the scan did not come to its end; scan again with -o {run.path}")
    return info
