"""The parts of speech of every prompt, where the settings name a tagger; part of the patterns stage.

Files: `patterns/tags.npy`, the numbers of all rows' tags (`patterns.pos.TAGS`) one row after the other;
`patterns/tag_starts.npy`, where each row begins; `patterns/tagger.json`, which pipeline it was. A row has the tags of
its edges alone, so that memory is some hundred bytes a row at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from audit.errors import InputError
from audit.models import tagger
from audit.patterns.pos import TAGS, TaggedTexts
from audit.rundir import RunDir, read_array, write_array, write_json
from audit.schema import Progress

_MARKS = [TAGS.index(tag) for tag in ("OTHER", "SYM", "PUNCT", ",", ".")]


def build(
    folder: Path, name: str, texts: Iterable[Sequence[str]], rows: int, progress: Progress, lock: str = ""
) -> list[Path]:
    """Tags `rows` texts, given in shards, with the pipeline of that name, which is held against the models lock at path
    `lock`; returns the files. Raises InputError when the pipeline is missing or names no part of speech,
    UntrustedModel."""
    known, pipeline = tagger.identity(name, lock), tagger.Tagger(name, lock)
    progress.start("parts of speech", rows, "rows")
    held, lengths = [np.zeros(0, dtype=np.uint8)], [np.zeros(1, dtype=np.int64)]
    for shard in texts:
        found = []
        for codes in pipeline.tags(shard):
            found.append(codes)
            progress.advance(1)
        held.append(np.concatenate(found) if found else held[0])
        lengths.append(np.asarray([len(codes) for codes in found], dtype=np.int64))
    flat = np.concatenate(held)
    if len(flat) and np.isin(flat, _MARKS).all():
        raise InputError(f"the tagger {name!r} gives no word a part of speech; name a pipeline that was trained to")
    paths = [folder / "tags.npy", folder / "tag_starts.npy", folder / "tagger.json"]
    write_array(paths[0], flat)
    write_array(paths[1], np.cumsum(np.concatenate(lengths)))
    write_json(paths[2], known)
    return paths


def load(run: RunDir, texts: Sequence[str]) -> TaggedTexts:
    """A run's prompts with their tags; the tags are memory-mapped."""
    folder = run / "patterns"
    return TaggedTexts(texts, read_array(folder / "tags.npy"), read_array(folder / "tag_starts.npy"))
