"""Booby-trapped model and dataset folders. Each trap is armed: what a careless loader does with it makes the canary."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECRET = "cr0wn-jewels-of-the-analyst"


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]], notes: dict[str, str] | None = None) -> bytes:
    """A well-formed file of these tensors: name -> (dtype, shape, bytes)."""
    header: dict[str, Any] = {} if notes is None else {"__metadata__": notes}
    at, body = 0, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(raw)]}
        at, body = at + len(raw), body + raw
    return framed(header, body)


def framed(header: dict[str, Any] | bytes, body: bytes = b"", length: int | None = None) -> bytes:
    """A file with any header, which may claim any length."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + body


def one(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"w": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


HONEST = {
    "embeddings.word_embeddings.weight": ("F32", [10, 4], bytes(160)),
    "encoder.layer.0.weight": ("F32", [4, 4], bytes(64)),
    "encoder.layer.1.weight": ("F32", [4, 4], bytes(64)),
}
CONFIG = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 10, "hidden_size": 4}
CONFIG |= {"num_hidden_layers": 2, "_name_or_path": "/home/somebody/bert", "pad_token": "/"}
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{{ eos_token }}{% endfor %}"


def honest_model(folder: Path) -> Path:
    """A folder that is to be accepted; every trap differs from it by one thing."""
    (folder / "1_Pooling").mkdir(parents=True)
    write(folder, "config.json", CONFIG)
    write(folder, "modules.json", MODULES)
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": 4, "pooling_mode_mean_tokens": True})
    write(folder, "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "chat_template": TEMPLATE})
    write(
        folder, "tokenizer.json", {"version": "1.0", "model": {"type": "WordPiece", "vocab": {"/": 0, "https://": 1}}}
    )
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    (folder / "LICENSE").write_text("Apache")
    (folder / "model.safetensors").write_bytes(safetensors(HONEST, {"format": "pt"}))
    return folder


def write(folder: Path, name: str, value: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def change(folder: Path, name: str, **more: Any) -> None:
    path = folder / name
    value = json.loads(path.read_text()) if path.exists() else {}
    write(folder, name, value | more)


Trap = Callable[[Path, Path, Path], None]  # (honest model's folder, canary, folder outside)
_PYTHON = "import os\nos.system('touch {canary}')\n"


def _code(folder: Path, canary: Path, name: str) -> None:
    (folder / name).write_text(_PYTHON.format(canary=canary))


def _pickle(name: str) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        (folder / name).write_bytes(pickle.dumps(Payload(canary)))

    return trap


def _settings(name: str, **more: Any) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        shown = {k: json.loads(json.dumps(v).replace("OUTSIDE", str(outside))) for k, v in more.items()}
        change(folder, name, **shown)

    return trap


def _modules(**more: Any) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        _code(folder, canary, "own.txt")
        shown = {k: v.replace("OUTSIDE", str(outside)) for k, v in more.items()}
        write(folder, "modules.json", [MODULES[0] | shown])

    return trap


def _weights(raw: bytes) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        (folder / "model.safetensors").write_bytes(raw)

    return trap


def _link(name: str, to: str) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(outside / to)

    return trap


def _template(text: str) -> Trap:
    def trap(folder: Path, canary: Path, outside: Path) -> None:
        change(folder, "tokenizer_config.json", chat_template=text.replace("CANARY", str(canary)))

    return trap


def _twice(folder: Path, canary: Path, outside: Path) -> None:
    (folder / "config.json").write_text('{"auto_map": {"AutoModel": "own.Model"}, "auto_map": null}')


def _fifo(folder: Path, canary: Path, outside: Path) -> None:
    os.mkfifo(folder / "vocab.txt")


def _jinja_file(folder: Path, canary: Path, outside: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ 'a' * 10 ** 10 }}")


_DENSE = {"in_features": 4, "out_features": 4, "activation_function": "os.abort"}
_LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{{ i }}{% endfor %}{% endfor %}"
_DOUBLING = "{% set n = namespace(v='aaaa') %}{% for i in range(60) %}{% set n.v = n.v ~ n.v %}{% endfor %}{{ n.v }}"
_PYTHON_ESCAPE = "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}"
_DEEP = b"{" + b'"a":[' * 50_000 + b"]" * 50_000 + b"}"

# name -> (trap, what the refusal says)
MODEL_TRAPS: dict[str, tuple[Trap, str]] = {
    "a class of its own in modules.json": (_modules(type="own.Model"), "names the class own.Model"),
    "a class from the system": (_modules(type="os.system"), "names the class"),
    "a module outside": (_modules(path="OUTSIDE"), "names the folder"),
    "a module that climbs": (_modules(path="../outside"), "names the folder"),
    "auto_map in the configuration": (_settings("config.json", auto_map={"AutoModel": "own.M"}), "asks with auto_map"),
    "auto_map in the tokenizer": (
        _settings("tokenizer_config.json", auto_map={"AutoTokenizer": ["own.T", None]}),
        "asks with auto_map",
    ),
    "auto_map behind a second key": (_twice, "names a setting twice"),
    "trust_remote_code": (_settings("config.json", trust_remote_code=True), "asks with trust_remote_code"),
    "trust_remote_code deep inside": (
        _settings("sentence_bert_config.json", model_args={"trust_remote_code": True}),
        "asks with trust_remote_code",
    ),
    "a custom pipeline": (_settings("config.json", custom_pipelines={"x": {"impl": "own.P"}}), "custom_pipelines"),
    "generation code": (_settings("generation_config.json", custom_generate="own"), "custom_generate"),
    **{
        f"a pickle named {name}": (_pickle(name), "may run code")
        for name in (
            *("pytorch_model.bin", "weights.pt", "tokenizer.pkl", "head.joblib", "centroids.npy", "model.ckpt"),
            *("extra.npz", "weights.PTH", "model.pickle", "vocab.dat", "noextension"),
        )
    },
    "a pickle that says it is safetensors": (_pickle("model.safetensors"), "claims a header of"),
    "Python": (lambda folder, canary, outside: _code(folder, canary, "modeling_own.py"), "may run code"),
    "a library": (lambda folder, canary, outside: (folder / "kernel.so").write_bytes(b"\x7fELF"), "may run code"),
    "a keras model": (lambda folder, canary, outside: (folder / "model.keras").write_bytes(b"PK"), "may run code"),
    "a template that loops": (_template(_LOOP), "does not end"),
    "a template that fills the memory": (_template(_DOUBLING), "does not end"),
    "a template file that fills the memory": (_jinja_file, "does not end"),
    "a template with Python": (_template(_PYTHON_ESCAPE), "out of its sandbox"),
    "a template that reads files": (_template("{% include '/etc/passwd' %}"), "out of its sandbox"),
    "a template that is too long": (_template("x" * 300_000), "has a chat template of"),
    "an adapter of another base": (_settings("adapter_config.json", base_model_name_or_path="OUTSIDE"), "an adapter"),
    "an adapter of a base at a URL": (
        _settings("adapter_config.json", base_model_name_or_path="https://evil.example/base"),
        "an adapter",
    ),
    "another base in the configuration": (_settings("config.json", base_model_name_or_path="evil/m"), "evil/m as base"),
    "a quantised model": (_settings("config.json", quantization_config={"quant_method": "own"}), "quantization_config"),
    "a kernel of the hub": (
        _settings("config.json", attn_implementation="evil/kernel"),
        "which is code from elsewhere",
    ),
    "an activation that is any function": (_settings("2_Dense/config.json", **_DENSE), "names the function os.abort"),
    "a tokenizer file outside": (_settings("tokenizer_config.json", tokenizer_file="OUTSIDE/secret.json"), "_file"),
    "a vocabulary outside": (_settings("tokenizer_config.json", vocab_file="vocab.txt"), "names the file vocab.txt"),
    "a path in a setting": (_settings("config.json", cache="OUTSIDE"), "reads its own folder alone"),
    "a URL in a setting": (_settings("config.json", endpoint="http://evil.example/"), "reads its own folder alone"),
    "weights outside": (
        _settings("model.safetensors.index.json", weight_map={"w": "../outside/secret.safetensors"}),
        "not in its folder",
    ),
    "weights that are not there": (
        _settings("model.safetensors.index.json", weight_map={"w": "model-00001-of-00002.safetensors"}),
        "not in its folder",
    ),
    "a link to a file outside": (_link("vocab.txt", "secret.json"), "which is a link"),
    "weights behind a link": (_link("model.safetensors", "secret.json"), "which is a link"),
    "a link to a folder outside": (_link("2_Dense", ""), "which is a link"),
    "a pipe": (_fifo, "no regular file"),
    "settings that nest without end": (_weights(framed(_DEEP)), "not valid JSON"),
    "a header of 10 GB": (_weights(framed({}, length=10 << 30)), "claims a header of 10,737,418,240 bytes"),
    "a header longer than the file": (_weights(framed(one(), bytes(8), length=4_000)), "more than the file has"),
    "a tensor of 10 GB": (_weights(framed(one("F32", [1 << 29, 5], [0, 10 << 30]))), "claims 10,737,418,240 bytes"),
    "a tensor beyond the file": (_weights(framed(one("F32", [4], [0, 16]), bytes(8))), "claims 16 bytes"),
    "bytes that no tensor names": (_weights(framed(one(), bytes(64))), "but holds 64"),
    "a gap between tensors": (_weights(framed(one("F32", [2], [8, 16]), bytes(16))), "leaves bytes before it"),
    "two tensors in one place": (
        _weights(framed({**one(), "v": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, bytes(12))),
        "overlaps another",
    ),
    "a tensor named twice": (
        _weights(framed(b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{}}', b"x")),
        "names a tensor or a field twice",
    ),
    "an unknown type": (_weights(framed(one("OBJ"), bytes(8))), "of type OBJ"),
    "a shape that needs more": (_weights(framed(one("F32", [3]), bytes(8))), "needs other than its 8 bytes"),
    "a shape of truth values": (_weights(framed(one("F32", [True, 2]), bytes(8))), "no list of"),
    "a negative size": (_weights(framed(one("F32", [-1, -2]), bytes(8))), "no list of"),
    "offsets that run backwards": (_weights(framed(one("F32", [2], [8, 0]), bytes(8))), "no begin and end"),
    "a further field": (_weights(framed({"w": one()["w"] | {"url": "x"}}, bytes(8))), "alone for w"),
    "a header that is no JSON": (_weights(framed(b"{'w': 1}", bytes(8))), "not valid JSON"),
    "a header that is a list": (_weights(framed(b"[1]", bytes(8))), "no JSON object"),
    "a header with NaN": (_weights(framed(b'{"w": NaN}', bytes(8))), "holds NaN"),
    "metadata that are no text": (_weights(framed({"__metadata__": {"a": 1}, **one()}, bytes(8))), "not text"),
    "weights without a tensor": (_weights(framed({})), "holds no tensor"),
    "a vocabulary of another size": (_settings("config.json", vocab_size=10_000_000), "which no tensor has"),
    "more layers than weights": (_settings("config.json", num_hidden_layers=90_000), "names 90,000 layers"),
    "a size beyond all bounds": (_settings("config.json", max_position_embeddings=10**12), "at most 67,108,864"),
}
