"""The one module that writes: its steps, its faults, and that no other module writes, read off the syntax trees."""

from __future__ import annotations

import ast
import errno
import os
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit import durable
from audit.durable import Observer, atomic_file, write_bytes
from audit.errors import WriteFailed
from audit.rundir import write_array, write_frame

ROOT = Path(__file__).parents[2]
FILES = sorted(path for package in ("audit", "flows") for path in (ROOT / package).rglob("*.py"))

# What else changes a disk, each with its reason. Paths are relative to the repository.
ALLOWED = {
    "audit/durable.py": "writes everything",
    "audit/lock.py": "a lock file belongs to its holder and is no result",
    "audit/pipeline.py: Path('/proc/self/clear_refs').write_text('5')": "asks the kernel to count peak memory anew",
    "flows/environment.py: Path(os.environ['PREFECT_HOME']).mkdir(parents=True, exist_ok=True, mode=448)": (
        "the home of Prefect, before anything of audit is imported"
    ),
}
_CHANGES = {
    *("write_text", "write_bytes", "mkdir", "makedirs", "rmdir", "removedirs", "unlink", "touch", "rename", "renames"),
    *("symlink_to", "hardlink_to", "symlink", "link", "chmod", "lchmod", "chown", "truncate", "ftruncate", "mkfifo"),
    *("rmtree", "copy2", "copyfile", "copytree", "copymode", "move", "mkstemp", "mkdtemp", "sendfile", "pwrite"),
    *("TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "mknod"),
    *("sink_parquet", "sink_csv", "sink_ndjson", "sink_ipc", "savez", "savez_compressed", "savetxt", "tofile"),
    *("save_pretrained", "save_file", "save_to_disk", "write_feather", "write_dataset", "FileIO"),
}
_OWN = {"durable", "ctx", "outputs"}  # objects whose methods of these names are this project's


def changes(tree: ast.AST) -> list[str]:
    """The calls of a module that change a disk, as they are written."""
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call) and _changes(node)]


def _changes(call: ast.Call) -> bool:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    of = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    if name == "rename" and call.args and isinstance(call.args[0], ast.Dict):
        return False  # columns of a frame
    if name in ("open", "fdopen", "OSFile"):
        return _opens_for_writing(call, of)
    if name in ("replace", "remove"):  # also of texts and lists: of a path only with one argument, or of os
        return of == "os" or (name == "replace" and len(call.args) == 1 and not call.keywords and "datetime" not in of)
    if name == "copy":
        return of == "shutil"
    if name in ("write_bytes", "write_text"):
        return of not in ("", "rundir", "durable") and of.split(".")[0] not in _OWN
    return name in _CHANGES and of != "durable"


def _opens_for_writing(call: ast.Call, of: str) -> bool:
    texts = [ast.unparse(argument) for argument in [*call.args, *(k.value for k in call.keywords)]]
    if of == "os":
        return any(flag in text for text in texts for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"))
    if of in ("webbrowser", "opener"):
        return False  # addresses, not files
    if of in ("", "io", "gzip", "bz2", "lzma", "pa"):
        given = call.args[1:2]  # open(path, mode)
    else:
        given = call.args[:1]  # path.open(mode)
    modes = [*given, *(k.value for k in call.keywords if k.arg == "mode")]
    return any(not isinstance(m, ast.Constant) or set(m.value) & set("wxa+") for m in modes)


def test_no_other_module_writes():
    found = {}
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        here = [c for c in changes(ast.parse(path.read_text(encoding="utf-8"))) if f"{name}: {c}" not in ALLOWED]
        if here and name not in ALLOWED:
            found[name] = here
    assert not found, f"these write past audit.durable: {found}"


@pytest.mark.parametrize(
    "line",
    [
        "open('x', 'w')",
        "path.open(mode='ab')",
        "os.open(p, os.O_RDWR)",
        "path.write_text('')",
        "path.write_bytes(b'')",
        "temporary.replace(path)",
        "os.replace(a, b)",
        "os.remove(a)",
        "path.unlink()",
        "shutil.rmtree(a)",
        "shutil.copy(a, b)",
        "path.mkdir()",
        "tempfile.TemporaryFile()",
        "frame.sink_parquet(p)",
    ],
)
def test_a_call_that_writes_is_seen(line):
    assert changes(ast.parse(line)) == [line]


@pytest.mark.parametrize("line", ["open('x')", "path.open('rb')", "text.replace('a', 'b')", "rows.remove(1)"])
def test_a_call_that_does_not_write_is_let_be(line):
    assert not changes(ast.parse(line))


def test_nothing_but_a_test_sets_the_observer():
    """No module names it, so neither data nor settings can; and it is no name that the environment is asked for."""
    for path in FILES:
        names = {n.attr for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Attribute)}
        assert path.name == "durable.py" or "observer" not in names, path
    tree = ast.parse((ROOT / "audit" / "durable.py").read_text(encoding="utf-8"))
    stores = [
        n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "observer" and isinstance(n.ctx, ast.Store)
    ]
    words = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert len(stores) == 1 and type(durable.observer) is Observer and not words & {"environ", "getenv", "environb"}
    assert not any(isinstance(n, ast.Global) for n in ast.walk(tree))


class Noted(Observer):
    """Remembers; answers with an error where it is told to."""

    def __init__(self, kind: str = "", code: int = errno.ENOSPC) -> None:
        self.steps, self.octets, self.kind, self.code = [], 0, kind, code

    def before(self, step):
        self.steps.append(step)
        if step.kind == self.kind:
            raise OSError(self.code, os.strerror(self.code))

    def size(self, step, size):
        self.octets += size
        return size


@pytest.fixture
def noted(monkeypatch):
    def put(*arguments):
        observer = Noted(*arguments)
        monkeypatch.setattr(durable, "observer", observer)
        return observer

    return put


def _frame(path):
    write_frame(path, pl.DataFrame({"a": range(5000), "b": ["x"] * 5000}))


def _array(path):
    write_array(path, np.arange(30_000, dtype=np.float64).reshape(-1, 3))


def _table(path):
    table = pa.table({"a": list(range(5000))})
    with atomic_file(path) as handle, pq.ParquetWriter(handle, table.schema) as writer:
        writer.write_table(table)


def _stream(path):
    table = pa.table({"a": list(range(5000))})
    with atomic_file(path) as handle, pa.ipc.new_stream(handle, table.schema) as writer:
        writer.write_table(table)


WRITERS = [_frame, _array, _table, _stream]


@pytest.mark.parametrize("write", WRITERS)
def test_no_library_writes_past_the_steps(tmp_path, noted, write):
    """Polars and NumPy take a file's number and write by themselves where they are given one."""
    seen = noted()
    write(tmp_path / "file")
    assert seen.octets == (tmp_path / "file").stat().st_size > 0
    kinds = [step.kind for step in seen.steps]
    assert kinds == ["create", *["write"] * (len(kinds) - 4), "sync", "rename", "sync folder"]
    assert [step.number for step in seen.steps] == list(range(seen.steps[0].number, seen.steps[0].number + len(kinds)))


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("kind", ["create", "write", "sync", "rename"])
def test_a_refused_step_leaves_the_old_file_whoever_writes(tmp_path, noted, write, kind):
    """A library may raise an error of its own for what the system said: the system's words come through."""
    (tmp_path / "file").write_bytes(b"old")
    noted(kind)
    with pytest.raises(WriteFailed, match=r"writing .*file failed: No space left on device; make room on the disk"):
        write(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("write", WRITERS)
def test_an_interrupt_inside_of_a_library_stays_an_interrupt(tmp_path, monkeypatch, write):
    class Interrupting(Observer):
        def size(self, step, size):
            raise KeyboardInterrupt

    monkeypatch.setattr(durable, "observer", Interrupting())
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "file")
    assert os.listdir(tmp_path) == []


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path):
    name = "é" * 127
    write_bytes(tmp_path / name, b"x")
    assert os.listdir(tmp_path) == [name]


def test_what_a_killed_process_left_is_swept_and_what_runs_is_let_be(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    gone = _a_pid_that_is_gone()
    for pid in (gone, os.getpid(), os.getppid()):
        (deep / f".x.parquet.{pid}.tmp").write_bytes(b"half")
    (deep / ".folder.1.tmp.txt").write_bytes(b"no name of ours")
    (deep / f".out.{gone}.tmp").mkdir()
    durable.sweep(tmp_path)
    assert sorted(os.listdir(deep)) == sorted([".folder.1.tmp.txt", f".x.parquet.{os.getppid()}.tmp"])


def _a_pid_that_is_gone() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_a_temporary_name_that_is_a_link_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / f".file.{os.getpid()}.tmp").symlink_to(victim)
    write_bytes(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"mine" and (tmp_path / "file").read_bytes() == b"new"


def test_the_file_is_synced_before_its_name_and_the_folder_after(tmp_path, monkeypatch):
    """After a power cut a file whose name stood before its bytes is empty, and one whose folder was not synced gone."""
    done, real_sync, real_replace = [], os.fsync, Path.replace

    def fsync(number):
        done.append(("sync", os.readlink(f"/proc/self/fd/{number}")))
        real_sync(number)

    def replace(path, target):
        done.append(("rename", str(target)))
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    write_bytes(tmp_path / "file", b"new")
    temporary = str(tmp_path / f".file.{os.getpid()}.tmp")
    assert done == [("sync", temporary), ("rename", str(tmp_path / "file")), ("sync", str(tmp_path))]


def test_a_link_that_is_put_in_place_of_the_temporary_name_is_refused(tmp_path, monkeypatch):
    """Somebody who may write to the folder puts a link there between the look and the making of the file."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")

    class Linking(Observer):
        def before(self, step):
            if step.kind == "create":
                step.path.symlink_to(victim)

    monkeypatch.setattr(durable, "observer", Linking())
    with pytest.raises(WriteFailed, match="File exists"):
        write_bytes(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"mine" and os.listdir(tmp_path) == ["victim"]
