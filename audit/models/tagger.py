"""The optional part-of-speech tagger: a spaCy pipeline that the user names. Nothing here runs unless one is named.

A pipeline is a folder as spaCy's `to_disk` writes it, or an installed package that carries one: its folder is found
through the package's metadata, the package itself is never imported. Folders that hold code or links are refused, and
settings that call functions other than spaCy's own or read another pipeline; only components that lead to parts of
speech are made, and every file's hash is part of the pipeline's identity. Transformer pipelines are not read: their
weights are no safetensors.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.errors import InputError, UntrustedModel
from audit.models import lock as locks
from audit.patterns.pos import number, said
from audit.provenance import digest, sha256_file
from audit.text import safe_text

_COMPONENTS = frozenset({"tok2vec", "tagger", "morphologizer", "attribute_ruler"})
_TAGGING = frozenset({"morphologizer", "attribute_ruler"})  # set the universal part of speech
_KINDS = frozenset({"", ".cfg", ".json", ".jsonl", ".bin", ".txt", ".md"})  # msgpack and text, as `to_disk` writes
_FUNCTIONS = re.compile(r"spacy(?:-legacy)?\.[A-Za-z0-9_.]{1,80}")
_SECTIONS = ("nlp", "components")  # what is resolved when a pipeline is loaded
_REGISTRIES = frozenset({"@architectures", "@tokenizers", "@scorers", "@vectors", "@batchers"})
_BATCH = 256  # rows that the pipeline reads at once


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline whose files may be loaded."""

    folder: Path
    name: str
    version: str
    files: str  # digest of all file names and hashes
    hashes: Mapping[str, str]  # path within the folder -> hex SHA-256
    source: str  # "folder" or "package NAME VERSION"
    licence: str  # as its meta.json says it; may be empty


def find(name: str, lock: str = "") -> Pipeline:
    """The pipeline of a folder or an installed package, held against the models lock at path `lock`. Raises InputError
    when spaCy or the pipeline is missing, UntrustedModel when its folder holds code or its settings ask for some."""
    if importlib.util.find_spec("spacy") is None:
        raise InputError(
            f"the tagger {name!r} needs spaCy: pip install 'tunevet[tagger]', or leave the setting mining.tagger empty"
        )
    is_folder = Path(name).is_dir()
    folder = Path(name) if is_folder else _of_package(name)
    if folder is None or not (folder / "config.cfg").is_file() or not (folder / "meta.json").is_file():
        raise InputError(
            f"the tagger {name!r} is neither an installed spaCy package nor a folder with config.cfg and meta.json; "
            "install the package, or name the folder that spaCy's to_disk wrote"
        )
    hashes = {path.relative_to(folder).as_posix(): sha256_file(path) for path in _checked(folder)}
    locks.check(lock, name, hashes, folder=is_folder)
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"the tagger {name!r} has a meta.json that does not parse: {error}") from None
    title = f"{meta.get('lang', '')}_{meta.get('name', '')}"
    version = str(meta.get("version", ""))
    source = "folder" if is_folder else f"package {name} {metadata.version(name)}"
    return Pipeline(
        folder, title, version, digest(sorted(hashes.items())), hashes, source, str(meta.get("license", ""))
    )


def is_pipeline(name: str) -> bool:
    """True when a folder or an installed package of this name is laid out as a spaCy pipeline."""
    folder = Path(name) if Path(name).is_dir() else _of_package(name)
    return folder is not None and (folder / "config.cfg").is_file() and (folder / "meta.json").is_file()


def _checked(folder: Path) -> list[Path]:
    """The files of a pipeline's folder. Raises UntrustedModel for code, links, and files of another kind."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=False):
        for path in (Path(root) / name for name in (*folders, *names)):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise UntrustedModel(f"the tagger's folder {folder} holds {path.name}, which is a link; copy it")
            if stat.S_ISREG(mode) and path.suffix.lower() not in _KINDS:
                raise UntrustedModel(f"the tagger's folder {folder} holds {path.name}, which may run code")
            if stat.S_ISREG(mode):
                found.append(path)
    return sorted(found)


def identity(name: str, lock: str = "") -> dict[str, str]:
    """What a run's tags depend on: the pipeline, its version and files, and spaCy's version; empty without a tagger.
    Raises as `find` does."""
    if not name:
        return {}
    found = find(name, lock)
    return {
        "name": found.name,
        "version": found.version,
        "files": found.files,
        "spacy": metadata.version("spacy"),
    }


class Tagger:
    """A loaded pipeline. Raises as `find` does, and InputError when it cannot be loaded or has nothing that tags."""

    def __init__(self, name: str, lock: str = "") -> None:
        self._nlp = _load(find(name, lock), name)

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


def _check_settings(value: Any, name: str) -> None:
    """Raises UntrustedModel for settings that call functions other than spaCy's own, or read another pipeline."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            called = isinstance(inner, str) and _FUNCTIONS.fullmatch(inner) and key in _REGISTRIES
            if str(key).startswith("@") and not called:
                raise UntrustedModel(f"the tagger {name!r} calls {safe_text(f'{key} {inner}', 120)} in its config.cfg")
            if key == "source" and inner:
                raise UntrustedModel(f"the tagger {name!r} takes a component from another pipeline in its config.cfg")
            _check_settings(inner, name)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_settings(inner, name)


def _load(found: Pipeline, name: str) -> Any:
    import spacy

    try:
        config = spacy.util.load_config(found.folder / "config.cfg")
        for section in _SECTIONS:
            _check_settings(config.get(section), name)
        factories = {key: part.get("factory", "") for key, part in config["components"].items()}
        if not _TAGGING & set(factories.values()):
            made = ", ".join(sorted(factories)) or "none"
            raise InputError(f"the tagger {name!r} has no component that sets parts of speech; it has {made}")
        others = [key for key, factory in factories.items() if factory not in _COMPONENTS]
        return spacy.load(found.folder, exclude=others)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(f"the tagger {name!r} cannot be loaded: {type(error).__name__}: {error}") from None
