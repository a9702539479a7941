"""A model's folder, checked before any library opens it: which files are there, and what their settings ask for.

Libraries run more than weights: classes named in settings, adapters that pull in another model, templates, files of
other folders. So files are refused unless their kind is known to carry no code, no link leaves the folder, and the
JSON settings may name neither code nor another place. Weights are safetensors whose header holds against the file
(`audit.models.header`) and against the sizes that the configuration names.

Misses: a model that was trained to do harm; faults in the libraries' own readers.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from audit.errors import UntrustedModel
from audit.models.header import Tensor, read_header
from audit.models.template import check_template
from audit.text import safe_text

MAX_FILES = 2_000
MAX_SETTINGS_BYTES = 16 << 20  # of one JSON file that is read here
MAX_TEXT_BYTES = 512 << 20  # of a vocabulary
MAX_TOTAL_BYTES = 512 << 30
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf"})
_KINDS = _PICTURES | {".safetensors", ".json", ".txt", ".model", ".jinja", ".md", ".rst", ".cff", ".yaml"}
_NAMES = frozenset({"license", "notice", "readme", "copying", ".gitattributes", ".gitignore"})
_DOWNLOADED = (".cache", "huggingface")  # notes of the hub's client about what it fetched
# Left to the tokenizers' own reader: data without settings, and large.
_NOT_SETTINGS = frozenset({"tokenizer.json", "vocab.json", "added_tokens.json", "special_tokens_map.json"})
_MODULE = re.compile(
    r"sentence_transformers(?:\.[a-z_]{1,40}){1,6}\.(?:Transformer|Pooling|Normalize|Dense|LayerNorm|Dropout)"
)
_FUNCTION = re.compile(r"torch\.nn\.[A-Za-z_.]{1,80}")
_PLACE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://|[/~\\]|[A-Za-z]:\\")
_WEIGHTS_INDEX = "model.safetensors.index.json"
# Settings that make a library run code, or load something that lies elsewhere.
_RUNS_CODE = frozenset({"auto_map", "custom_pipelines", "custom_generate", "trust_remote_code", "custom_objects"})
_ELSEWHERE = frozenset({"base_model_name_or_path", "auto_mapping", "quantization_config", "backbone", "timm_model"})
# Settings that are read as text, or not at all.
_NOTES = frozenset(
    {
        *("_name_or_path", "name_or_path", "special_tokens_map_file", "license", "tags", "title", "description", "url"),
        *("chat_template", "content", "prompts"),
    }
)
# Sizes that a configuration may name, under the names that architectures give them.
_VOCABULARY = ("vocab_size",)
_WIDTHS = ("hidden_size", "n_embd", "d_model", "dim", "embedding_size", "word_embed_proj_dim")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_LARGEST_SIZE = 1 << 26


def check_folder(folder: Path, *, links: bool = False) -> list[Path]:
    """The regular files of a model's folder, in order. Raises UntrustedModel for a file of another kind, a link, a
    setting that names code or another place, a template that does not end, or weights whose header lies. With
    `links`, a link to a file passes: for files that are pinned to the byte."""
    files = list(_files(folder, links))
    tensors: dict[str, Tensor] = {}
    for path in files:
        if path.suffix.lower() == ".safetensors":
            tensors |= read_header(path)
        elif path.suffix.lower() == ".jinja":
            check_template(_text(path), path)
        elif path.suffix.lower() == ".json" and path.name not in _NOT_SETTINGS:
            check_settings(path, _parsed(path))
    if tensors and (folder / "config.json").is_file():
        _check_sizes(folder / "config.json", _parsed(folder / "config.json"), tensors)
    return files


def check_settings(path: Path, value: Any) -> None:
    """Raises UntrustedModel when the settings of a JSON file name code or another place."""
    if path.name == "modules.json":
        _check_modules(path, value)
    elif path.name == _WEIGHTS_INDEX:
        shards = value.get("weight_map", {}) if isinstance(value, dict) else {}
        for name in set(map(str, shards.values() if isinstance(shards, dict) else shards)):
            if not (path.parent / name).is_file() or PurePosixPath(name).name != name:
                _refuse(path, f"names the weights {safe_text(name, 80)}, which are not in its folder")
        return
    elif path.name == "adapter_config.json":
        _refuse(path, "makes it an adapter, which loads the base model that it names: merge it into its base first")
    _walk(path, value, "")


def _files(folder: Path, links: bool) -> Iterator[Path]:
    total = count = 0
    for root, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        for name in (*folders, *sorted(names)):
            path = Path(root) / name
            relative = path.relative_to(folder)
            mode = path.stat().st_mode if links else path.lstat().st_mode
            if stat.S_ISLNK(mode):
                _refuse_file(folder, relative, "which is a link; copy the model with its links resolved")
            if stat.S_ISDIR(mode) or relative.parts[:2] == _DOWNLOADED:
                continue
            if not stat.S_ISREG(mode):
                _refuse_file(folder, relative, "which is no regular file")
            if path.suffix.lower() not in _KINDS and name.lower() not in _NAMES:
                _refuse_file(folder, relative, "which may run code or is of no kind that is needed; safetensors only")
            count, total = count + 1, total + path.stat().st_size
            if count > MAX_FILES or total > MAX_TOTAL_BYTES:
                _refuse_file(folder, relative, f"beyond {MAX_FILES:,} files or {MAX_TOTAL_BYTES:,} bytes")
            if path.suffix.lower() != ".safetensors" and path.stat().st_size > MAX_TEXT_BYTES:
                _refuse_file(folder, relative, f"with more than {MAX_TEXT_BYTES:,} bytes")
            yield path


def _refuse_file(folder: Path, relative: Path, why: str) -> NoReturn:
    raise UntrustedModel(f"model folder {safe_text(str(folder))} holds {safe_text(str(relative), 120)}, {why}")


def _refuse(path: Path, why: str) -> NoReturn:
    raise UntrustedModel(f"{safe_text(str(path))} {why}")


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_SETTINGS_BYTES:
        _refuse(path, f"has more than {MAX_SETTINGS_BYTES:,} bytes")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        _refuse(path, "is not UTF-8")


def _parsed(path: Path) -> Any:
    def pairs(listed: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(listed)
        if len(found) != len(listed):
            _refuse(path, "names a setting twice")
        return found

    try:
        return json.loads(_text(path), object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        _refuse(path, "is not valid JSON")


def _check_modules(path: Path, value: Any) -> None:
    for module in value if isinstance(value, list) else [value]:
        kind, place = (str(module.get(k, "")) for k in ("type", "path")) if isinstance(module, dict) else ("", "")
        if not _MODULE.fullmatch(kind):
            _refuse(path, f"names the class {safe_text(kind, 120)}; only those of sentence-transformers are loaded")
        if len(PurePosixPath(place).parts) > 1 or place in ("..", "/"):
            _refuse(path, f"names the folder {safe_text(place, 120)}; only folders of its own are read")


def _walk(path: Path, value: Any, key: str) -> None:
    """Every setting at any depth; items of a list count under the list's key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_setting(path, str(name), inner)
            _walk(path, inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            _walk(path, inner, key)
    elif isinstance(value, str) and key not in _NOTES and not key.endswith("token") and _is_place(value):
        _refuse(path, f"names {safe_text(value, 120)} as {safe_text(key, 60)}; a model reads its own folder alone")


def _is_place(value: str) -> bool:
    """True for a URL, an absolute path, or a path that climbs."""
    return _PLACE.match(value) is not None or ".." in PurePosixPath(value).parts


def _check_setting(path: Path, name: str, value: Any) -> None:
    shown = safe_text(str(value), 120)
    if name in _RUNS_CODE and value not in (None, False, [], {}):
        _refuse(path, f"asks with {name} for code that comes with the model; no model's code is run")
    if name in _ELSEWHERE and value not in (None, False, "", {}):
        _refuse(path, f"names {shown} as {name}; models that need another model or another format are not loaded")
    if name == "activation_function" and isinstance(value, str) and "." in value and not _FUNCTION.fullmatch(value):
        _refuse(path, f"names the function {shown}; only those of torch.nn are loaded")
    if "attn_implementation" in name and isinstance(value, str) and re.search(r"[/|@:]", value):
        _refuse(path, f"names the kernel {shown}, which is code from elsewhere")
    if name.endswith("_file") and name not in _NOTES and isinstance(value, str) and value:
        _refuse(path, f"names the file {shown} as {name}; a model's files are found by their names")
    if name == "chat_template":
        for template in value if isinstance(value, list) else [value]:
            text = template.get("template") if isinstance(template, dict) else template
            if isinstance(text, str):
                check_template(text, path)
            elif text is not None:
                _refuse(path, "has a chat_template that is no text")


def _check_sizes(path: Path, config: Any, tensors: Mapping[str, Tensor]) -> None:
    """The sizes that a configuration names are those of the weights: what is missing from the file would be made up
    in memory, as large as the configuration says."""
    if not isinstance(config, dict):
        _refuse(path, "is no JSON object")
    for name, value in config.items():
        if isinstance(value, int) and abs(value) > _LARGEST_SIZE and not name.endswith("_id"):
            _refuse(path, f"names {value:,} as {safe_text(name, 60)}; at most {_LARGEST_SIZE:,} is read")
    vocabulary = [config[k] for k in _VOCABULARY if type(config.get(k)) is int]
    widths = [config[k] for k in _WIDTHS if type(config.get(k)) is int]
    shapes = {tensor.shape for tensor in tensors.values()}
    if vocabulary and widths and not any((vocabulary[0], width) in shapes for width in widths):
        _refuse(path, f"names a vocabulary of {vocabulary[0]:,} by {widths[0]:,}, which no tensor has")
    layers = next((config[k] for k in _LAYERS if type(config.get(k)) is int), 0)
    if config.get("model_type") == "albert":  # all its layers share one set of weights
        layers = 0
    held = {int(n) for name in tensors for n in re.findall(r"(?:^|\.)(\d{1,6})(?=\.)", name)}
    if layers and layers > len(held):
        _refuse(path, f"names {layers:,} layers, but the weights hold {len(held):,}")
