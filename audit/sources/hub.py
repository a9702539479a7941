"""Hugging Face datasets: a hub dataset at a pinned revision.

`datasets` reads hub files through loaders that rewrite text and lose rows (duplicate keys, late fields, files
beside a split's name), so only its downloader is used: the files of one commit are fetched as they are and go
through our own readers. Loading scripts are never fetched, so there is nothing to execute. A `save_to_disk`
folder needs nothing of this: its .arrow files are read like any others.

Misses: datasets behind a gate need a token in the environment, as everywhere with the hub's client.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from audit.errors import InputError

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*@[0-9a-f]{40}")
_LIKE_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?:@[\w./-]*)?")
_PATTERNS = ["*.jsonl", "*.ndjson", "*.json", "*.csv", "*.tsv", "*.parquet", "*.arrow"]
_PATTERNS += [f"{pattern}.{end}" for pattern in _PATTERNS[:5] for end in ("gz", "zst")]


def is_hub_id(source: str) -> bool:
    """True for owner/name@REVISION with all 40 digits of a commit."""
    return _ID.fullmatch(source) is not None


def hint(source: str) -> str:
    """What to add to "does not exist" when the source looks like a hub id without a commit."""
    if not _LIKE_ID.fullmatch(source) or Path(source).suffix:
        return ""
    return "; a Hugging Face dataset is named owner/name@REVISION with the 40 hexadecimal digits of a commit"


def cache_folder(source: str) -> Path:
    """Where the files of a pinned dataset lie: below the hub's own cache, one folder a commit."""
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(home) / "tunevet" / source.replace("/", "--")


def download(source: str) -> Path:
    """Fetches the data files of owner/name@REVISION. Raises InputError when the hub cannot give them."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, revision = source.split("@")
    folder = cache_folder(source)
    try:
        snapshot_download(name, repo_type="dataset", revision=revision, local_dir=folder, allow_patterns=_PATTERNS)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, httpx.HTTPError, OSError) as error:
        raise InputError(f"{source} cannot be fetched from the hub ({type(error).__name__})") from None
    return folder


def saved_files(state: Path) -> list[str]:
    """The data files that a `save_to_disk` folder's state.json names. None when it describes something else."""
    try:
        listed = json.loads(state.read_bytes())["_data_files"]
        return [str(entry["filename"]) for entry in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return []
