"""Every hostile file, made the same each time: `python -m hostile.generate FOLDER` writes them with their verdicts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hostile import archives, columns, encodings, folders, lines, tables
from hostile.cases import Case


def cases() -> list[Case]:
    """All cases in a fixed order. Raises ValueError for two of one name."""
    found = [case for part in (lines, encodings, tables, archives, columns, folders) for case in part.cases()]
    if len({case.id for case in found}) != len(found):
        raise ValueError("two hostile files have one name")
    return found


def sample(every: list[Case]) -> list[Case]:
    """One file a class: the middle one of those that are quick."""
    classes: dict[str, list[Case]] = {}
    for case in every:
        if not case.slow:
            classes.setdefault(case.defect, []).append(case)
    return [some[len(some) // 2] for some in classes.values()]


def write(case: Case, root: Path) -> Path:
    """Puts the case's files below `root`; the path that ingest is given."""
    built = case.make()
    root.mkdir(parents=True)
    for name, data in built.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if built.arrange is not None:
        built.arrange(root)
    return root if built.whole_folder else root / next(iter(built.files))


def main(target: str) -> None:
    """Writes all files and verdicts.json: class, file, the error or the reason of each record position."""
    said = []
    for number, case in enumerate(cases()):
        folder = Path(target) / f"{number:04d}"
        path = write(case, folder / "input")
        built = case.make()
        reasons = None if built.rows is None else [reason for _, reason in built.rows]
        facts = {"class": case.defect, "file": case.name, "input": str(path.relative_to(target))}
        said.append({**facts, "error": built.error, "reasons": reasons})
    (Path(target) / "verdicts.json").write_text(json.dumps(said, indent=1))
    print(f"{len({s['class'] for s in said})} classes, {len(said)} files")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
