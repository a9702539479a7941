"""Settings: TOML (or YAML) -> frozen models. An unknown key is an error, with the nearest known one named."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.errors import ConfigError
from audit.text import toml_string

MODEL_DEFAULT = "minilm"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestConfig(_Settings):
    """What is read and how much of it at once."""

    kind: Literal["auto", "classification", "instruction", "preference"] = "auto"
    map: dict[str, str] = Field(default_factory=dict)  # role of ours -> column of the input
    limit: int | None = Field(None, ge=1)  # read only the first rows
    shard_rows: int = Field(5_000, ge=100)
    max_line_bytes: int = Field(16 << 20, ge=1024)
    max_depth: int = Field(64, ge=4)
    max_keys: int = Field(1_000, ge=4)
    max_decoded_bytes: int = Field(64 << 30, ge=1 << 20)  # over all files, after decompression


class ModelConfig(_Settings):
    """The embedding model: "minilm" (the verified all-MiniLM-L6-v2), a folder, or hub-id@revision."""

    name: str = MODEL_DEFAULT
    device: Literal["auto", "cpu", "cuda"] = "auto"
    max_tokens: int = Field(128, ge=16, le=8192)
    tokens_per_batch: int = Field(2_048, ge=64)
    neighbors: int = Field(10, ge=1, le=256)
    lock: str = ""  # models.lock that every model is held against; one beside the configuration file when empty

    def facts(self) -> dict[str, Any]:
        """What results depend on. Not on where the lock lies: what it holds is checked at every load."""
        return self.model_dump(exclude={"lock"})


class MiningConfig(_Settings):
    """Trigger mining."""

    min_support: int = Field(3, ge=2)  # carriers that a pattern needs
    max_words: int = Field(8, ge=1, le=8)  # longest word n-gram counted; phrases grow from it
    max_patterns: int = Field(400_000, ge=1_000)
    max_candidates: int = Field(40, ge=1)  # shortlisted for proof
    folds: int = Field(5, ge=2)
    templates: bool = True  # search for sentence shapes and styles
    tagger: str = ""  # spaCy pipeline for parts of speech: an installed package or a folder; none when empty


class ProbeConfig(_Settings):
    """Trigger confirmation by fine-tuning a probe."""

    mode: Literal["off", "quick", "full"] = "quick"
    tokens: int = Field(260_000, ge=5_000)  # spent on one training, repeats included
    trainings: int = Field(8, ge=3)  # at most, over the whole scan
    controls: int = Field(20, ge=20)
    minutes: float = Field(20.0, gt=0)
    language_model: str = ""  # causal language model for instruction data: a folder or hub-id@revision; none when empty
    language_model_tuning: Literal["lora", "full"] = "lora"


class ReviewConfig(_Settings):
    """What a person is asked to look at, and what becomes of it meanwhile."""

    budget: float = Field(0.02, ge=0, le=1)  # share of the rows
    undecided: Literal["hold", "keep"] = "hold"
    decisions: tuple[str, ...] = ()  # files of earlier reviews (decisions.jsonl), carried over


class ReportConfig(_Settings):
    """What the report shows."""

    redact: bool = False  # ids, spans and figures without row text


class ScheduleConfig(_Settings):
    """When `tunevet serve` scans, in cron's five fields, and where the run directories go."""

    cron: str = ""  # e.g. "0 3 * * *"
    timezone: str = "UTC"
    name: str = ""  # of the deployment; the dataset's name when empty
    runs: str = "runs"  # folder; a relative one is relative to the configuration file


class Config(_Settings):
    """All settings of a run, as stored in its config.toml."""

    source: str = ""  # path, folder, glob, or hub id "owner/name@revision"
    name: str = ""  # what the dataset is called; from the source when empty
    seed: int = Field(0, ge=0)
    canaries: Literal["off", "quick", "full"] = "quick"  # triggers of our own, planted in scratch copies
    ingest: IngestConfig = IngestConfig()
    model: ModelConfig = ModelConfig()
    mining: MiningConfig = MiningConfig()
    probe: ProbeConfig = ProbeConfig()
    review: ReviewConfig = ReviewConfig()
    report: ReportConfig = ReportConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    fail_on: Literal["confirmed", "high", "medium", "any"] = "confirmed"
    max_bad_rows: int = Field(0, ge=0)
    detectors: dict[str, dict[str, Any]] = Field(default_factory=dict)  # name -> its settings
    skip: tuple[str, ...] = ()  # detectors not to run

    def to_toml(self) -> str:
        """This configuration as TOML; `load` reads it back to an equal one."""
        return _toml(self.model_dump(exclude_none=True))


def build(values: dict[str, Any]) -> Config:
    """Validates settings. Raises ConfigError with the key, the value and the nearest known name."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(e, values) for e in error.errors()[:5])) from None


def load(path: Path) -> Config:
    """Reads .toml, .yaml or .yml. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None
    try:
        raw = yaml.safe_load(text) if path.suffix in (".yaml", ".yml") else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"configuration {path} does not parse: {error}") from None
    return build(raw or {})


def _explain(error: Any, values: dict[str, Any]) -> str:
    where = ".".join(str(p) for p in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"setting {where}: {error['msg']}"
    model: Any = Config
    for part in error["loc"][:-1]:
        model = model.model_fields[part].annotation
    near = difflib.get_close_matches(str(error["loc"][-1]), list(model.model_fields), n=1)
    return f"unknown setting {where}" + (f"; did you mean {near[0]}?" if near else "")


def _toml(values: dict[str, Any], prefix: str = "") -> str:
    lines = [f"{_key(k)} = {_value(v)}" for k, v in values.items() if not isinstance(v, dict)]
    blocks = ["\n".join(lines)] if lines else []
    for key, table in values.items():
        if isinstance(table, dict):
            name = f"{prefix}{_key(key)}"
            blocks.append(f"\n[{name}]\n{_toml(table, name + '.')}".rstrip())
    return "\n".join(blocks) + ("\n" if not prefix else "")


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else toml_string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, str):
        return toml_string(value)
    return repr(value)
