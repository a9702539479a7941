"""The child that parses columnar files: whatever happens to it, the parent goes on and says so."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.sources import sandbox
from audit.sources.readers import reread
from audit.sources.record import Reason
from audit.sources.sandbox import Batch, Done, Failed, Opened, events

TABLE = pa.table({"text": [f"row {i}" for i in range(40)], "label": [i % 2 for i in range(40)]})


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "d.parquet"
    pq.write_table(TABLE, path, row_group_size=10)
    return path


def seen(path, form="parquet", rows=100):
    with path.open("rb") as handle:
        return list(events(handle, form, rows))


def limits(monkeypatch, **changes):
    monkeypatch.setattr(sandbox, "LIMITS", replace(sandbox.LIMITS, **changes))


def child(monkeypatch, tmp_path, code):
    """Puts a program in the place of the parser."""
    path = tmp_path / "program.py"
    path.write_text(f"import json, os, signal, sys, time\nsettings = json.loads(sys.argv[1])\n{code}\n")
    monkeypatch.setattr(sandbox, "_PROGRAM", path)


def say(**message):
    return f"os.write(1, {json.dumps(message).encode() + bytes([10])!r})"


OPEN = say(open={"claimed": 40, "layout": {}, "groups": [10] * 4, "problems": [""] * 4})


def test_a_sound_file_is_its_batches(stored):
    found = seen(stored)
    assert isinstance(found[0], Opened) and found[0].groups == [10] * 4
    assert pa.Table.from_batches([e.batch for e in found if isinstance(e, Batch)]).equals(TABLE)
    assert [e.group for e in found if isinstance(e, Done)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, Reason.RESOURCE_LIMIT),
        (signal.SIGXCPU, Reason.RESOURCE_LIMIT),
        (signal.SIGABRT, Reason.RESOURCE_LIMIT),
        (signal.SIGSEGV, Reason.DAMAGED_INPUT),
        (signal.SIGBUS, Reason.DAMAGED_INPUT),
    ],
)
def test_a_child_that_dies_at_once_is_a_verdict(monkeypatch, tmp_path, stored, number, reason):
    child(
        monkeypatch,
        tmp_path,
        f"signal.signal({int(number)}, 0) if {int(number)} != 9 else 0; os.kill(os.getpid(), {int(number)})",
    )
    assert seen(stored) == [Failed(-1, reason, number.name)]


def test_a_child_that_dies_at_a_group_costs_that_group(monkeypatch, tmp_path, stored):
    body = f"{OPEN}\nfor group in range(settings['first'], 4):\n    if group == 1: os.kill(os.getpid(), 9)\n"
    child(
        monkeypatch, tmp_path, body + "    os.write(1, json.dumps({'done': group}).encode() + b'\\n')\n" + say(end=True)
    )
    assert seen(stored)[1:] == [Done(0), Failed(1, Reason.RESOURCE_LIMIT, "SIGKILL"), Done(2), Done(3)]


def test_children_that_die_for_ever_come_to_an_end(monkeypatch, tmp_path, stored):
    limits(monkeypatch, restarts=2)
    child(monkeypatch, tmp_path, f"{OPEN}\nos.kill(os.getpid(), 9)")
    assert [e.group for e in seen(stored)[1:]] == [0, 1, 2, 3]
    assert {type(e) for e in seen(stored)[1:]} == {Failed}


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "pass", OPEN, say(open={"claimed": 0})])
def test_a_child_that_ends_early_is_a_verdict(monkeypatch, tmp_path, stored, code):
    child(monkeypatch, tmp_path, code)
    assert any(isinstance(e, Failed) and e.reason == Reason.DAMAGED_INPUT for e in seen(stored))


@pytest.mark.parametrize(
    "text", ["not json", "[]", "{}", '{"batch": "x"}', '{"failed": "nonsense", "group": 0, "kind": ""}']
)
def test_nonsense_from_a_child_is_a_verdict(monkeypatch, tmp_path, stored, text):
    child(monkeypatch, tmp_path, f"os.write(1, {text.encode() + bytes([10])!r})")
    assert seen(stored) == [Failed(-1, Reason.DAMAGED_INPUT, "no such message")]


def test_a_batch_that_is_no_arrow_stream_is_a_verdict(monkeypatch, tmp_path, stored):
    child(monkeypatch, tmp_path, f"{OPEN}\n{say(batch=0, decoded=10)}\nos.write(settings['data'], b'junk' * 99)")
    assert isinstance(seen(stored)[1], Failed)


def test_a_silent_child_is_ended(monkeypatch, tmp_path, stored):
    limits(monkeypatch, answer_seconds=0.3)
    child(monkeypatch, tmp_path, "time.sleep(25)")
    started = time.monotonic()
    assert seen(stored) == [Failed(-1, Reason.RESOURCE_LIMIT, "no answer within 0.3 seconds")]
    assert time.monotonic() - started < 10


def parser_that(changes):
    """The real program, of which `changes` replace something (`decode` is its module)."""
    load = f"util.spec_from_file_location('decode', {str(sandbox._PROGRAM)!r})"
    code = f"from importlib import util\nspec = {load}\ndecode = util.module_from_spec(spec)\n"
    return code + f"spec.loader.exec_module(decode)\n{changes}\ndecode.main(settings)"


def test_processor_time_is_bounded(monkeypatch, tmp_path, stored):
    limits(monkeypatch, cpu_seconds=1, answer_seconds=30)
    child(monkeypatch, tmp_path, parser_that("decode._parquet = lambda *rest: sum(iter(int, 1))"))
    assert seen(stored) == [Failed(-1, Reason.RESOURCE_LIMIT, "SIGXCPU")]


def test_memory_is_bounded(monkeypatch, tmp_path):
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"text": ["x" * (300 << 20)], "label": [1]}), path, compression="zstd")
    limits(monkeypatch, memory_bytes=400 << 20)
    found = seen(path)
    assert [e.reason for e in found if isinstance(e, Failed)] == [Reason.RESOURCE_LIMIT]
    assert path.stat().st_size < 1 << 20


def test_shared_values_count_as_often_as_they_stand(tmp_path):
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000, pa.int32()), pa.array(["y" * 100_000]))
    path = tmp_path / "d.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, pa.schema([("text", texts.type)])) as writer:
        writer.write_batch(pa.record_batch([texts], ["text"]))
    batches = [e for e in seen(path, "arrow", 5_000) if isinstance(e, Batch)]
    assert sum(e.batch.num_rows for e in batches) == 5_000
    assert sum(e.decoded for e in batches) > 400_000_000 and max(e.decoded for e in batches) <= 64 << 20


def test_the_child_writes_no_file(monkeypatch, tmp_path, stored):
    """Whatever a flaw of the parser may do: not one byte reaches a file."""
    target = tmp_path / "written"
    write = f"open({str(target)!r}, 'wb', buffering=0).write(b'x')"
    child(monkeypatch, tmp_path, parser_that(f"decode._parquet = lambda *rest: {write}"))
    assert [e.reason for e in seen(stored)] == [Reason.DAMAGED_INPUT]
    assert not target.exists() or target.read_bytes() == b""


def test_no_module_beside_the_program_is_imported(monkeypatch, tmp_path, stored):
    (tmp_path / "decimal.py").write_text("raise SystemExit(9)")
    facts = "{'failed': 'damaged_input', 'group': -1, 'kind': decimal.Decimal.__name__}"
    child(
        monkeypatch, tmp_path, f"import decimal\nos.write(1, json.dumps({facts}).encode() + b'\\n')\n" + say(end=True)
    )
    assert seen(stored) == [Failed(-1, Reason.DAMAGED_INPUT, "Decimal")]


def test_offsets_that_lead_out_of_a_buffer_are_refused(tmp_path):
    """The first text of two is said to end two gigabytes further on: whoever copies it reads foreign memory."""
    table = pa.table({"text": ["x" * 7_777, "y" * 1_111], "label": ["1", "0"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    sound = sink.getvalue().to_pybytes()
    assert sound.count((7_777).to_bytes(4, "little")) == 1
    path = tmp_path / "d.arrow"
    path.write_bytes(sound.replace((7_777).to_bytes(4, "little"), (0x7FFFFFF0).to_bytes(4, "little")))
    found = [(type(e).__name__, getattr(e, "kind", "")) for e in seen(path, "arrow")]  # no value is looked at
    assert found == [("Opened", ""), ("Failed", "ArrowInvalid")]


def test_one_row_over_the_cap_is_a_verdict(monkeypatch, tmp_path):
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"text": ["x" * (4 << 20)], "label": [1]}), path)
    limits(monkeypatch, row_bytes=1 << 20)
    assert [e.reason for e in seen(path) if isinstance(e, Failed)] == [Reason.RESOURCE_LIMIT]


def test_a_bomb_of_nulls_ends_at_its_size(read):
    """A few kilobytes of millions of rows, which take no byte of an Arrow buffer and would fill the ledger for ever."""
    sound = pa.table({"text": [f"t{i}" for i in range(3_000)], "label": ["1", "0"] * 1_500})
    empty = pa.table({"text": pa.nulls(5_000_000, pa.string()), "label": pa.nulls(5_000_000, pa.string())})
    data = io.BytesIO()
    pq.write_table(pa.concat_tables([sound, empty]), data)
    assert len(data.getvalue()) < 64 << 10
    got = read("d.parquet", data.getvalue(), max_decoded_bytes=1 << 20)
    assert got.info.readable == 3_000 and got.info.bad["resource_limit"] == 1 and got.info.rows < 20_000


def test_no_child_is_left_over_when_the_reader_stops_early(stored):
    with stored.open("rb") as handle:
        before = children()
        walk = events(handle, "parquet", 1)
        assert isinstance(next(walk), Opened) and isinstance(next(walk), Batch)
        assert children() - before
        walk.close()
        assert not children() - before


def children():
    found = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())], capture_output=True, text=True
    ).stdout
    return {line.split()[0] for line in found.splitlines() if "ps" not in line.split()[1]}


def test_the_child_inherits_no_secret_and_no_code(monkeypatch, tmp_path, stored):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    facts = "{'failed': 'damaged_input', 'group': -1, 'kind': str('SECRET_TOKEN' in os.environ)}"
    child(monkeypatch, tmp_path, f"os.write(1, json.dumps({facts}).encode() + b'\\n')\n" + say(end=True))
    assert seen(stored) == [Failed(-1, Reason.DAMAGED_INPUT, "False")]


def test_a_short_process_that_rereads_parquet_ends_with_code_0(stored):
    """Ended with 134 now and then: threads of the parser read through Python while it shut down."""
    code = (
        "import sys; from pathlib import Path; from audit.config import IngestConfig\n"
        "from audit.schema import InputFile\n"
        "from audit.sources.readers import reread\n"
        "rows = reread(Path(sys.argv[1]), InputFile('d', 'parquet', '', 1, '', 40, {}), IngestConfig())\n"
        "print(next(rows).fields['text'], sum(1 for _ in rows))"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code, str(stored)], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "row 0 39\n"), done.stderr


def test_reading_again_gives_the_same_rows(stored):
    from audit.config import IngestConfig
    from audit.schema import InputFile

    rows = list(reread(stored, InputFile("d", "parquet", "", 1, "", 40, {}), IngestConfig()))
    assert [row.fields["text"] for row in rows] == TABLE["text"].to_pylist()
