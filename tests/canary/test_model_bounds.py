"""The bounds of a model's files, each one step beyond; what a template may do; and how the libraries are called."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from canary import traps

from audit.errors import UntrustedModel
from audit.models import folder as folders
from audit.models import header, template, weights
from audit.models import lock as locks

MODELS = Path(__file__).resolve().parents[2] / "audit" / "models"


@pytest.fixture
def weights_file(tmp_path):
    def write(tensors=None, raw=None):
        path = tmp_path / "model.safetensors"
        path.write_bytes(traps.safetensors(traps.HONEST if tensors is None else tensors) if raw is None else raw)
        return path

    return write


def test_a_folder_in_the_place_of_weights_was_no_refusal_but_an_error_of_the_system(tmp_path):
    """Only a regular file is read: a pipe would be waited for."""
    os.mkfifo(tmp_path / "pipe.safetensors")
    for path in (tmp_path / "pipe.safetensors", tmp_path):
        with pytest.raises(UntrustedModel, match="is not a regular file"):
            header.read_header(path)


ONE = {"w": ("U8", [1], b"x")}


@pytest.mark.parametrize(
    ("name", "bound", "tensors", "said"),
    [
        ("MAX_FILE_BYTES", 60, ONE, "at most 60 are read"),
        ("MAX_HEADER_BYTES", 20, ONE, "at most 20 are read"),
        ("MAX_TENSORS", 2, traps.HONEST, "names 3 tensors; at most 2"),
        ("MAX_NAME", 3, {"name": ("U8", [1], b"x")}, "a tensor name of 4 characters; 1 to 3"),
        ("MAX_NAME", 3, {"": ("U8", [1], b"x")}, "a tensor name of 0 characters"),
        ("MAX_RANK", 2, {"w": ("U8", [1, 1, 1], b"x")}, "no list of at most 2 sizes"),
    ],
)
def test_every_bound_of_a_header_is_kept(weights_file, monkeypatch, name, bound, tensors, said):
    path = weights_file(tensors)
    if tensors.keys() != {""}:
        assert header.read_header(path)
    monkeypatch.setattr(header, name, bound)
    with pytest.raises(UntrustedModel, match=said):
        header.read_header(path)


@pytest.mark.parametrize("size", range(10))
def test_a_file_too_short_for_a_header_is_refused(weights_file, size):
    with pytest.raises(UntrustedModel, match=f"has {size} bytes, too few for a header"):
        header.read_header(weights_file(raw=(2).to_bytes(8, "little")[:size] + b"{}"[: max(size - 8, 0)]))


@pytest.mark.parametrize(
    ("name", "bound", "said"),
    [
        ("MAX_FILES", 7, "beyond 7 files"),
        ("MAX_TOTAL_BYTES", 1_000, "or 1,000 bytes"),
        ("MAX_TEXT_BYTES", 100, "with more than 100 bytes"),
        ("MAX_SETTINGS_BYTES", 50, "has more than 50 bytes"),
    ],
)
def test_every_bound_of_a_folder_is_kept(tmp_path, monkeypatch, name, bound, said):
    folder = traps.honest_model(tmp_path / "model")
    assert len(folders.check_folder(folder)) == 8
    monkeypatch.setattr(folders, name, bound)
    with pytest.raises(UntrustedModel, match=said):
        folders.check_folder(folder)


@pytest.mark.parametrize("value", ["../outside", "a/../../outside", "..", "~/x", "C:\\x"])
def test_a_path_that_climbs_is_refused_wherever_it_stands(tmp_path, value):
    folder = traps.honest_model(tmp_path / "model")
    traps.change(folder, "config.json", deep={"list": [value]})
    with pytest.raises(UntrustedModel, match="reads its own folder alone"):
        folders.check_folder(folder)


def test_a_template_has_no_file_to_open():
    """Were its sandbox to be left, there would be nothing to read: descriptors 0, 1 and 2 are all that it may have."""
    opens = "made = open('/etc/passwd').read()"
    assert _ended(opens) == ("failed", "OSError")


def test_a_template_has_few_seconds_and_little_memory():
    """Limits of the kernel's: they hold where nobody waits for the child any more."""
    names = ("RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
    made = f"made = ' '.join(str(resource.getrlimit(getattr(resource, name))) for name in {names})"
    bounds = (template.SECONDS, template.MEMORY_BYTES, 0, 3)
    assert _ended(made) == ("done", " ".join(str((bound, bound)) for bound in bounds))


def _ended(code: str) -> tuple[str, str]:
    """How the child ends that has this statement where the template is rendered, and the class of its error."""
    head, _, tail = template._CHILD.partition("made = ")
    real, template._CHILD = template._CHILD, f"{head}{code}\n{tail[tail.index('sys.stdout') :]}"
    template._render.cache_clear()
    try:
        how, why = template._render(f"{{# {code} #}}", ())
    finally:
        template._CHILD = real
        template._render.cache_clear()
    return how, why.partition(":")[0]


@pytest.mark.parametrize("text", ["no turn at all", "{{ messages[0].content * 2 }}", "{{ messages[0].content[::-1] }}"])
def test_a_frame_holds_the_turn_once(text):
    with pytest.raises(UntrustedModel, match="between texts of its own"):
        template.frame_of(text, (), "m")


def test_a_hub_model_is_held_against_the_lock(tmp_path, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: None)
    revision = "a1" * 20
    name = f"owner/name@{revision}"
    folder = tmp_path / "hub" / "tunevet" / "models" / name.replace("/", "--")
    folder.parent.mkdir(parents=True)
    traps.honest_model(folder)
    path = tmp_path / "models.lock"

    def load(**changes):
        weights._fetched.cache_clear()
        hashes = weights.opened(weights.resolve(name)).hashes
        known = {"name": name, "source": "hub owner/name", "revision": revision, "licence": "", "files": hashes}
        path.write_text(locks.lock_text([locks.Locked(**known | changes)]))
        weights._fetched.cache_clear()
        return weights.opened(weights.resolve(name, str(path)))

    assert load().lock == str(path)
    with pytest.raises(UntrustedModel, match=f"is at revision {revision}, locked is {'b2' * 20}"):
        load(revision="b2" * 20)
    with pytest.raises(UntrustedModel, match=r"was added"):
        load(files={"config.json": "0" * 64})


# Calls that load a model's weights, and what each must be told.
LOADERS = {"SentenceTransformer", "from_pretrained"}


def loads(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in LOADERS:
                yield ast.unparse(node.func), ast.unparse(node)


def test_every_loader_is_told_safetensors_and_no_network():
    """Weights come as safetensors from a checked folder. What is handed over by `**` is looked up where it is made."""
    seen = set()
    for path in sorted(MODELS.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for name, call in loads(ast.parse(text)):
            seen.add(name)
            spread = "**source" in call
            assert spread or "local_files_only=True" in call, call
            assert spread or "trust_remote_code=False" in call, call
            if name not in ("AutoTokenizer.from_pretrained", "AutoConfig.from_pretrained"):
                assert "use_safetensors=True" in call or "'use_safetensors': True" in call, call
        if "**source" in text:
            made = "'local_files_only': True, 'trust_remote_code': False".replace("'", '"')
            assert made in text or "source_of" in text, path
    assert {"SentenceTransformer", "AutoModel.from_pretrained", "AutoModelForCausalLM.from_pretrained"} <= seen
