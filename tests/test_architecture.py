"""The shape of the house, read off the syntax trees: layers, cycles, what may be imported where, file sizes."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from audit.pipeline import STAGES

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 350

# Each imports only from its own row or from rows above it. A new room is a new word here.
LAYERS = (
    "text schema errors durable lock",
    "config registry rundir provenance stats views watched",
    "models patterns bank",
    "sources artifacts",
    "attacks",
    "detectors scanners triggers",
    "proof",
    "decide remedies report attest outcome manifest verify preview doctor demo",
    "stages pipeline",
    "job",
    "cli api",
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row.split()}
FLOWS = len(LAYERS)
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("audit", "flows")
    for path in sorted((ROOT / package).rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def _type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(module, tree, *, lazy=True):
    """Modules that a module imports; those inside functions only where `lazy`; none that only types need."""
    found, queue = set(), [tree]
    while queue:
        node = queue.pop()
        for child in ast.iter_child_nodes(node):
            if _type_checking(child) or (
                not lazy and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            ):
                continue
            if isinstance(child, ast.Import):
                found |= {alias.name for alias in child.names}
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{module} imports relatively"
                base = child.module or ""
                names = {f"{base}.{alias.name}" for alias in child.names}
                found |= {name if name in FILES else base for name in names}
            queue.append(child)
    return found


def room(module):
    """The word of LAYERS that a module belongs to; flows has none."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def rank(module):
    return FLOWS if module.split(".")[0] == "flows" else RANK[room(module)]


def test_every_room_has_its_layer():
    rooms = {room(name) for name in FILES if name.startswith("audit.")}
    assert rooms <= set(RANK), f"not in LAYERS: {sorted(rooms - set(RANK))}"


@pytest.mark.parametrize("module", sorted(FILES))
def test_imports_point_to_lower_layers(module):
    wrong = []
    for name in imports(module, TREES[module]):
        if name.split(".")[0] not in ("audit", "flows") or name == "audit":
            continue
        if module == "audit":
            assert name == "audit.api", "only the function that users call is imported by audit itself"
        elif rank(name) > rank(module):
            wrong.append(name)
    assert not wrong, f"{module} imports upwards: {wrong}"


def test_modules_import_each_other_without_cycles():
    graph = {}
    for module, tree in TREES.items():
        named = {name for name in imports(module, tree, lazy=False) if name in FILES and name != module}
        # A package's own modules run while the package is imported; they may not import it back by name alone.
        graph[module] = {name for name in named if not (module.startswith(f"{name}.") and name in ("audit", "flows"))}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("module", sorted(name for name in FILES if name.split(".")[0] == "audit"))
def test_audit_knows_neither_prefect_nor_flows(module):
    assert not {name.split(".")[0] for name in imports(module, TREES[module])} & {"prefect", "flows"}


@pytest.mark.parametrize("module", sorted(name for name in FILES if not name.startswith(("audit.models", "flows"))))
def test_torch_is_imported_by_models_alone_when_a_module_loads(module):
    tops = {name.split(".")[0] for name in imports(module, TREES[module], lazy=False)}
    assert not tops & {"torch", "transformers", "sentence_transformers"}


DETECTORS = sorted(name for name in FILES if name.startswith("audit.detectors."))
OUTSIDE = {
    *("torch", "transformers", "sentence_transformers", "datasets", "prefect"),
    *("os", "io", "pathlib", "shutil", "tempfile", "subprocess", "glob", "fcntl", "mmap", "sqlite3"),
    *("socket", "ssl", "http", "urllib", "requests", "httpx", "aiohttp", "huggingface_hub", "fsspec"),
    *("random", "time", "datetime", "multiprocessing", "threading", "concurrent"),
}


@pytest.mark.parametrize("module", DETECTORS)
def test_detectors_touch_no_disk_no_network_and_no_torch(module):
    named = imports(module, TREES[module])
    assert not {name.split(".")[0] for name in named} & OUTSIDE
    assert not named & {"audit.rundir", "audit.artifacts", "audit.models"}
    calls = [node.func for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)]
    names = {f.id if isinstance(f, ast.Name) else f.attr for f in calls if isinstance(f, (ast.Name, ast.Attribute))}
    touching = {
        n
        for n in names
        if n in ("open", "exec", "eval", "compile_command") or n.startswith(("write_", "sink_", "scan_", "read_"))
    }
    assert not touching


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_stage_has_its_function(stage):
    module, _, function = stage.target.partition(":")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not written yet")
    assert callable(getattr(importlib.import_module(module), function))


def test_stages_read_only_stages_before_them():
    seen = set()
    for stage in STAGES:
        assert set(stage.reads) <= seen, stage.name
        seen.add(stage.name)


@pytest.mark.parametrize(
    "module", ["audit", "audit.sources", "audit.detectors", "audit.decide", "audit.remedies.clean", "audit.registry"]
)
def test_light_rooms_load_neither_torch_nor_prefect(module):
    if module not in FILES:
        pytest.skip(f"{module} is not written yet")
    code = f"import sys, {module}; print([m for m in ('torch', 'prefect', 'cleanlab', 'flows') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", sorted(FILES))
def test_files_stay_short(module):
    lines = FILES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES, f"{module} has {lines} lines; split it"


RUNNABLE = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


@pytest.mark.parametrize("module", sorted(FILES))
def test_nothing_is_unpickled(module):
    assert not {name.split(".")[0] for name in imports(module, TREES[module])} & RUNNABLE
    for node in ast.walk(TREES[module]):
        if not isinstance(node, ast.Call):
            continue
        options = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if ast.unparse(node.func) == "torch.load":
            assert options.get("weights_only") == "True", f"{module} loads code with torch.load"
        assert options.get("allow_pickle", "False") == "False", f"{module} allows pickled arrays"
        assert options.get("trust_remote_code", "False") == "False", f"{module} runs a model's code"
