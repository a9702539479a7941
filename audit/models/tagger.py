"""The optional part-of-speech tagger: a spaCy pipeline that the user names. Nothing here runs unless one is named.

A pipeline is a folder as spaCy's `to_disk` writes it, or an installed package that carries one: its folder is found
through the package's metadata, the package itself is never imported. Folders that hold code are refused, only
components that lead to parts of speech are made, and every file's hash is part of the pipeline's identity.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.errors import InputError, UntrustedModel
from audit.patterns.pos import number, said
from audit.provenance import digest, sha256_file

_COMPONENTS = frozenset({"tok2vec", "transformer", "curated_transformer", "tagger", "morphologizer", "attribute_ruler"})
_TAGGING = frozenset({"morphologizer", "attribute_ruler"})  # set the universal part of speech
_CODE = frozenset({".py", ".pyc", ".so", ".dll", ".pkl", ".pickle", ".pt", ".pth"})
_BATCH = 256  # rows that the pipeline reads at once


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline whose files may be loaded."""

    folder: Path
    name: str
    version: str
    files: str  # digest of all file names and hashes


def find(name: str) -> Pipeline:
    """The pipeline of a folder or an installed package. Raises InputError when spaCy or the pipeline is missing,
    UntrustedModel when its folder holds code."""
    if importlib.util.find_spec("spacy") is None:
        raise InputError(
            f"the tagger {name!r} needs spaCy: pip install 'tunevet[tagger]', or leave the setting mining.tagger empty"
        )
    folder = Path(name) if Path(name).is_dir() else _of_package(name)
    if folder is None or not (folder / "config.cfg").is_file() or not (folder / "meta.json").is_file():
        raise InputError(
            f"the tagger {name!r} is neither an installed spaCy package nor a folder with config.cfg and meta.json; "
            "install the package, or name the folder that spaCy's to_disk wrote"
        )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        if path.suffix.lower() in _CODE:
            raise UntrustedModel(f"the tagger's folder {folder} holds {path.name}, which may run code")
    hashes = [(path.relative_to(folder).as_posix(), sha256_file(path)) for path in files]
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"the tagger {name!r} has a meta.json that does not parse: {error}") from None
    title = f"{meta.get('lang', '')}_{meta.get('name', '')}"
    return Pipeline(folder, title, str(meta.get("version", "")), digest(hashes))


def identity(name: str) -> dict[str, str]:
    """What a run's tags depend on: the pipeline, its version and files, and spaCy's version; empty without a tagger.
    Raises as `find` does."""
    if not name:
        return {}
    found = find(name)
    return {
        "name": found.name,
        "version": found.version,
        "files": found.files,
        "spacy": metadata.version("spacy"),
    }


class Tagger:
    """A loaded pipeline. Raises as `find` does, and InputError when it cannot be loaded or has nothing that tags."""

    def __init__(self, name: str) -> None:
        self._nlp = _load(find(name), name)

    def tags(self, texts: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
        """The tags' numbers (see `patterns.pos`) of each text, in order. What the pipeline remembers of a batch of
        texts is given back after it."""
        for start in range(0, len(texts), _BATCH):
            batch = [said(text) for text in texts[start : start + _BATCH]]
            with self._nlp.memory_zone():
                made = [_numbers(doc) for doc in self._nlp.pipe(batch, batch_size=_BATCH)]
            yield from made


def _numbers(doc: Any) -> NDArray[np.uint8]:
    return np.asarray([number(token.text, token.pos_) for token in doc if not token.is_space], dtype=np.uint8)


def _of_package(name: str) -> Path | None:
    """The pipeline's folder within an installed package."""
    try:
        files = metadata.distribution(name).files or []
    except (metadata.PackageNotFoundError, ValueError):
        return None
    return next((Path(str(f.locate())).parent for f in files if f.name == "config.cfg"), None)


def _load(found: Pipeline, name: str) -> Any:
    import spacy

    try:
        config = spacy.util.load_config(found.folder / "config.cfg")
        factories = {key: part.get("factory", "") for key, part in config["components"].items()}
        if not _TAGGING & set(factories.values()):
            made = ", ".join(sorted(factories)) or "none"
            raise InputError(f"the tagger {name!r} has no component that sets parts of speech; it has {made}")
        others = [key for key, factory in factories.items() if factory not in _COMPONENTS]
        return spacy.load(found.folder, exclude=others)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"the tagger {name!r} cannot be loaded: {type(error).__name__}: {error}") from None
