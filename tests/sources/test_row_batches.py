"""Runs of lines give the shards, regions and facts that the same lines give one by one, byte for byte."""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from both_ways import compare, eager, ingested
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import ConservationError
from audit.rundir import RunDir
from audit.sources import regions, streams
from audit.sources.record import LineRun, Reading

GOOD = b'{"text": "a fine film", "label": 1}'
texts = st.text(max_size=12) | st.sampled_from(
    ["", "\n\nHuman: hi\n\nAssistant:", "\n\nHuman", 'a\\b"c/\n', "😀", "\x00", "Human: x", "x" * 300]
)
TRANSCRIPT = "\n\nHuman: hi\n\nAssistant:"
ODD_VALUES = (None, 5, True, ["x"], {"text": "x"}, "", 1.5, 2**63, "\ud800", TRANSCRIPT, "\n\nHuman:", "\n\n", "é\x00")
rarely = st.sampled_from(ODD_VALUES)
cells = st.one_of(texts, texts, texts, rarely)
SHAPES = {
    "text and label": {"text": texts, "label": st.integers(0, 3) | texts | rarely, "id": rarely},
    "pair of texts": {"premise": texts, "hypothesis": cells, "label": st.sampled_from(["a", "b", 1, None])},
    "alpaca": {"instruction": cells, "input": cells, "output": texts, "system": cells, "source": texts},
    "alpaca with history": {"instruction": texts, "output": texts, "history": st.sampled_from([None, [["a", "b"]]])},
    "prompt and completion": {"prompt": cells, "completion": cells, "system_prompt": cells, "worker": rarely},
    "question and answer": {"question": texts, "answer": cells, "context": cells, "z": cells, "b": cells},
    "pairwise": {"prompt": cells, "chosen": texts, "rejected": cells, "system": cells, "annotator": texts},
    "pairwise with input": {"instruction": cells, "input": cells, "chosen": texts, "rejected": texts, "e": rarely},
}
KINDS = {"text and label": "classification", "pair of texts": "classification", "pairwise": "preference"}
HOSTILE_LINES = (
    *(b"", b" ", b"\t", b"{}", b"[]", b"{", b"\xff", b" " + GOOD, GOOD + b",", GOOD + b"\r", GOOD + b" "),
    b'{"text": "a", "text": "b", "label": 1}',
    b'{"text": "\\ud800", "label": 1}',
    b'{"text": "\xff", "label": 1}',
    b'{"text": "' + b"x" * 1100 + b'", "label": 1}',
    b'{"t\\u0065xt": "a", "label": 1}',
    b'{"text": "a\tb", "label": 1}',
    b"\xef\xbb\xbf" + GOOD,
)
hostile_lines = st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")) | st.sampled_from(HOSTILE_LINES)


def spell(row: dict, style: int) -> bytes:
    separators = (",", ":") if style & 1 else (", ", ": ")
    text = json.dumps(row, ensure_ascii=bool(style & 2), separators=separators)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def files(draw) -> tuple[str, bytes]:
    """(shape, bytes): rows of a shape, most of one layout, among them what is none; some order of line ends."""
    shape = draw(st.sampled_from(sorted(SHAPES)))
    columns = SHAPES[shape]
    firm = dict.fromkeys(columns, "x") | {name: 1 for name in columns if name == "label"}
    if "history" in firm:
        firm["history"] = None
    row = st.builds(spell, st.fixed_dictionaries(columns), st.integers(0, 3))
    some = st.builds(spell, st.fixed_dictionaries({}, optional=columns), st.integers(0, 3))
    lines = [spell(firm, 0)] * 8 + draw(st.lists(st.one_of(row, row, row, some, hostile_lines), max_size=25))
    newline = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    head = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\n", newline * 2]))
    return shape, head + newline.join(lines) + draw(st.sampled_from([b"", newline, newline * 3]))


@settings(max_examples=40, deadline=None)
@given(files(), st.sampled_from([64, 300, 1 << 20]))
def test_both_ways_end_alike(file, block):
    shape, data = file
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(streams, "BLOCK", block)
        patched.setattr(regions, "BLOCK", block)
        path = Path(folder) / "d.jsonl"
        path.write_bytes(data)
        compare(path, Path(folder), kind=KINDS.get(shape, "auto"), max_line_bytes=1024)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_long_line_that_ends_in_crlf_was_taken_whole(tmp_path, newline):
    """The cap held for lines that end in LF alone, where many are read at once."""
    firm = spell(dict.fromkeys(SHAPES["alpaca"], "x"), 0)
    lines = [firm] * 16 + [spell(dict.fromkeys(SHAPES["alpaca"], "x" * 300), 0)] + [firm] * 16
    (tmp_path / "d.jsonl").write_bytes(newline.join(lines))
    compare(tmp_path / "d.jsonl", tmp_path, max_line_bytes=1024)
    assert RunDir(tmp_path / "fast").dataset().bad == {"too_long": 1}


def test_a_long_line_of_a_table_ends_alike(tmp_path):
    lines = ["text,label", *["a fine film,1"] * 16, "x" * 1100 + ",1", *["a poor film,0"] * 16]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    compare(tmp_path / "d.csv", tmp_path, max_line_bytes=1024)
    assert RunDir(tmp_path / "fast").dataset().bad == {"too_long": 1}


plain_cells = st.text(alphabet="ab \\/{}:;é😀\x00\x1f\x7f\u2028", max_size=6) | st.sampled_from(
    ["", "null", "1", "\\n"]
)
odd_cells = st.sampled_from(
    ['"a"', '"a,b"', '"a\nb"', '"', 'a"b', '""', "a\rb", "\r", "a,b", "a\tb", '"x" y', "x" * 1100]
)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_odd_cell_of_every_column_ends_alike(tmp_path, monkeypatch, shape):
    columns = SHAPES[shape]
    firm = {name: "x" for name in columns if name != "history"}
    lines = [spell(firm, 0)] * 8
    for name in columns:
        for odd in ODD_VALUES:
            # Three times: the layout is known from the third on. Then without the cell, and with a number beside it.
            lines += [spell(firm | {name: odd}, 0)] * 3
        lines += [spell({key: value for key, value in firm.items() if key != name}, 0)] * 3
        for other in columns:
            lines += [spell(firm | {other: 1, name: odd}, 0) for odd in (None, 2, 2, None, "", "x")]
    monkeypatch.setattr(streams, "BLOCK", 2_000)  # what is learned in one run is used in the next
    (tmp_path / "d.jsonl").write_bytes(b"\n".join(lines * 3))
    kind = "preference" if "rejected" in columns else "classification" if "label" in columns else "instruction"
    counts = compare(tmp_path / "d.jsonl", tmp_path, kind=kind)
    assert counts.mapped > len(lines) / 2


@st.composite
def tables(draw) -> tuple[str, bytes]:
    """(ending, bytes) of a csv or tsv file, most lines plain."""
    ending, delimiter = draw(st.sampled_from([("csv", ","), ("tsv", "\t")]))
    columns = draw(st.sampled_from([["text", "label"], ["id", "text", "z", "label", "b"], ["text", "label", "text"]]))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    row = st.lists(plain_cells, min_size=len(columns), max_size=len(columns)).map(delimiter.join)
    odd = st.lists(plain_cells | odd_cells, max_size=len(columns) + 1).map(delimiter.join)
    lines = [delimiter.join(columns), *[delimiter.join("x" * len(columns))] * 8]
    lines += draw(st.lists(st.one_of(row, row, row, row, odd), max_size=25))
    raw = newline.join(lines).encode() + draw(st.sampled_from([b"", newline.encode(), b"\n\n"]))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(raw)))
        raw = (
            raw[:at] + draw(st.sampled_from([b"\xff", b"\r", b"\n", b'"', b"\xc3\xa9", delimiter.encode()])) + raw[at:]
        )
    return ending, draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\n"])) + raw


@settings(max_examples=40, deadline=None)
@given(tables(), st.sampled_from([64, 300, 1 << 20]))
def test_tables_end_alike(table, block):
    ending, data = table
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(streams, "BLOCK", block)
        patched.setattr(regions, "BLOCK", block)
        path = Path(folder) / f"d.{ending}"
        path.write_bytes(data)
        compare(path, Path(folder), kind="classification", max_line_bytes=1024)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_plain_tables_are_mapped_at_once(tmp_path, ending, newline):
    delimiter = b"," if ending == "csv" else b"\t"
    rows = [delimiter.join([b"id", b"text", b"label"])]
    rows += [delimiter.join([b"%d" % i, "Größe \\ {}".encode() * (i % 5), b"%d" % (i % 2)]) for i in range(300)]
    path = tmp_path / f"d.{ending}"
    path.write_bytes(newline.join(rows))
    counts = compare(path, tmp_path)
    assert counts.mapped == counts.rows > 280
    quoted = [b'7,"one, and a quote",1'.replace(b",", delimiter)]
    path.write_bytes(newline.join([*rows, *quoted, *rows[1:]]))
    assert compare(path, tmp_path / "again").rows <= 1  # a run with a quote in it is read one by one


def foreign(cells: list[bytes | None]) -> pa.Array:
    """Strings of which some may be no UTF-8."""
    return pa.array(cells, pa.binary()).view(pa.string())


def listed(cells: st.SearchStrategy, kind: pa.DataType):
    return lambda draw, n: pa.array(draw(st.lists(cells, min_size=n, max_size=n)), kind)


COLUMNS = {
    "text": listed(plain_cells, pa.string()),
    "label": listed(st.none() | st.integers(-9, 9), pa.int8()),
    "source": listed(st.none() | plain_cells, pa.large_string()),
    "b": listed(st.none() | st.booleans(), pa.bool_()),
    "id": lambda draw, n: pa.array([2**64 - 1 - i for i in range(n)], pa.uint64()),
    "n": lambda draw, n: pa.nulls(n),
    "f": lambda draw, n: pa.array([i / 3 for i in range(n)], pa.float64()),
    "d": lambda draw, n: pa.array([f"c{i % 3}" for i in range(n)]).dictionary_encode(),
    "u": lambda draw, n: foreign(draw(st.lists(st.sampled_from([b"a", b"\xff", None]), min_size=n, max_size=n))),
    "l": lambda draw, n: pa.array([["x"]] * n),
}
others = st.sampled_from(sorted(set(COLUMNS) - {"text", "label"}))


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_columnar_files_end_alike(data):
    names = [
        "text",
        "label",
        *data.draw(st.lists(st.sampled_from(sorted(set(COLUMNS) - {"text", "label"})), max_size=2)),
    ]
    rows = data.draw(st.integers(5, 30))
    table = pa.table([COLUMNS[name](data.draw, rows) for name in names], names=names)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / data.draw(st.sampled_from(["t.parquet", "t.arrow"]))
        if path.suffix == ".arrow":
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table, max_chunksize=7)
        else:
            pq.write_table(table, path, row_group_size=7)
        compare(path, Path(folder), kind="classification")


def test_flat_columns_are_mapped_at_once(tmp_path):
    table = {"text": [f"a \\ {i}" for i in range(500)], "label": [1, 0] * 250, "n": [None, 7] * 250, "b": [True] * 500}
    pl.DataFrame(table | {"s": [None if i == 444 else "x" for i in range(500)]}).write_parquet(
        tmp_path / "t.parquet", row_group_size=120
    )
    counts = compare(tmp_path / "t.parquet", tmp_path)
    assert counts.rows == 400 and counts.mapped == 399  # in batches of a shard


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("style", range(4))
def test_plain_rows_are_mapped_at_once(tmp_path, shape, style):
    """Else the fast path would be right and of no use."""
    rows = [{name: f'{name} {i}: é "x"\n' for name in SHAPES[shape] if name != "history"} for i in range(250)]
    (tmp_path / "d.jsonl").write_bytes(b"\n".join(spell(row, style) for row in rows))
    counts = compare(tmp_path / "d.jsonl", tmp_path)
    assert counts.mapped == counts.rows > 230


def test_many_files_of_any_kind_in_a_row(tmp_path):
    rows = [spell({"text": f"text {i}", "label": i % 3, "n": None if i % 2 else i}, i % 4) for i in range(700)]
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"\n".join(rows[:130]))
    (folder / "b.jsonl").write_bytes(b"\r\n".join(rows[130:320]) + b"\r\n")
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(b"\n".join([*rows[320:400], b"", b"\xff", *rows[400:]])))
    (folder / "d.jsonl.gz").write_bytes(gzip.compress(b"\n".join(rows))[:-300])
    (folder / "e.json").write_bytes(b"\n".join(rows[:99]) + b"\n")
    (folder / "f.csv").write_bytes(b"text,label\n" + b"".join(b"row %d,%d\n" % (i, i % 2) for i in range(150)))
    (folder / "g.json").write_bytes(b"[" + b",\n".join(rows[:120]) + b"]")
    pl.DataFrame({"text": ["a", "b"] * 80, "label": [1, 2] * 80}).write_parquet(folder / "h.parquet")
    (folder / "i.jsonl").write_bytes(b"\n".join([*rows[::-1], b'{"text": "x", "label": "seen here alone"}']) + b"\n")
    (folder / "j.csv").write_bytes(b"text,label,label\n" + b"a,1,2\n" * 90)  # names that stand twice
    (folder / "k.csv").write_bytes(b'text,label,"a\n' + b"a,1,2\n" * 90)
    twice = [pa.array(["a"] * 90), pa.array(["1"] * 90), pa.array(["2"] * 90)]
    pq.write_table(pa.Table.from_arrays(twice, ["text", "label", "label"]), folder / "l.parquet")
    nulls = {"text": ["a", None] * 80, "label": ["1"] * 160, "note": [None, "x", "y", "z"] * 40}
    pl.DataFrame(nulls).write_parquet(folder / "m.parquet")
    counts = compare(folder, tmp_path)
    assert counts.mapped > 1_500
    with eager():
        found = ingested(folder, tmp_path / "limited", True, limit=222)
        assert found == ingested(folder, tmp_path / "plainly", False, limit=222)


@pytest.mark.parametrize("broken", [False, True])
def test_columns_of_a_later_table_are_known(tmp_path, broken):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, header in (("a.csv", "text,label,one"), ("b.csv", "two,label,text"), ("c.tsv", "three\tlabel\ttext")):
        delimiter = "," if name.endswith("csv") else "\t"
        row = ["x"] * (4 if broken and name == "b.csv" else 3)
        (folder / name).write_text("\n".join([header, *[delimiter.join(row)] * 150]) + "\n")
    counts = compare(folder, tmp_path)
    assert counts.mapped > (250 if broken else 400)
    columns = RunDir(tmp_path / "fast").dataset().columns
    assert columns == ("text", "label", "one", *(() if broken else ("two",)), "three")


def test_a_large_file_is_read_alike_with_the_real_thresholds(tmp_path, monkeypatch):
    """Several blocks, several runs, shards across them, and writes behind the reader."""
    chosen = random.Random(0)
    words = ["film", "Größe", "\\", '"', "a\nb", "😀", "plain words of a review"]

    def line(i: int) -> bytes:
        row = {"text": " ".join(chosen.choices(words, k=40)), "label": chosen.randrange(3)}
        odd = chosen.random()
        if odd < 0.01:
            return chosen.choice([b"", b"{}", b"\xff{", b'{"text": 1, "label": 2}', b'{"text": "\\ud800", "label": 0}'])
        if odd < 0.3:
            row["source"] = f"s{i}"
        return spell(row, 2 if odd > 0.9 else 0)

    path = tmp_path / "d.jsonl"
    path.write_bytes(b"\n".join(line(i) for i in range(30_000)))
    assert path.stat().st_size > 4 << 20
    monkeypatch.setattr("audit.sources.reading._BEHIND_BYTES", 0)
    fast = ingested(path, tmp_path / "fast", True, shard_rows=1_000)
    monkeypatch.setattr("audit.sources.reading._BEHIND_BYTES", 1 << 60)
    assert fast == ingested(path, tmp_path / "slow", False, shard_rows=1_000)


def claimed(data: bytes, claims: list[LineRun | tuple[int, bytes]]) -> tuple[list[regions.Region], int]:
    found: list[regions.Region] = []
    coverage = regions.Coverage(Reading(0, "jsonl"), found.append, hashed=False)
    coverage.feed(data)
    for claim in claims:
        coverage.claim_lines(claim) if isinstance(claim, LineRun) else coverage.claim(*claim)
    coverage.end()
    return found, coverage.position


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_run_that_is_claimed_is_its_lines_claimed_each(newline, count):
    raws = [b"line %d" % i for i in range(count)]
    data = b"\xef\xbb\xbf" + newline.join([b"x", *raws, b"y"]) + newline * 2
    first = data.index(b"line")
    places = [(data.index(raw), raw) for raw in raws]
    ends = (3, b"x"), (data.index(b"y"), b"y")
    run = LineRun(0, 2, first, raws, newline)
    assert claimed(data, [ends[0], run, ends[1]]) == claimed(data, [ends[0], *places, ends[1]])
    for number in range(count):
        wrong = [*raws[:number], b"lime %d" % number, *raws[number + 1 :]]
        with pytest.raises(ConservationError):
            claimed(data, [ends[0], run._replace(raws=wrong), ends[1]])
    with pytest.raises(ConservationError):
        claimed(data, [run._replace(offset=first + 1)])
    if count > 1:
        with pytest.raises(ConservationError):
            claimed(data, [run._replace(newline=b"\r\n" if newline == b"\n" else b"\n")])
