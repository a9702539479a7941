"""restore(scan(x)) == x: every byte of every text input is in one row or one region, and comes back."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import polars as pl
import pytest
from conserving import GOOD, all_regions, blocks_of, scan, write_input, zst
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from audit.remedies.restore import broken_laws, restore

PACK = {"": lambda data: data, ".gz": gzip.compress, ".zst": zst}
ROOT = Path(__file__).resolve().parents[2]
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink a scan takes minutes
QUICK = settings(max_examples=25, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])

snippets = st.sampled_from(
    [
        *(
            b"\n",
            b"\r\n",
            b"\r",
            b"\n\n",
            b" \t\n",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"\x00",
            b"\\",
            b'"',
            b'""',
            b",",
            b"\t",
        ),
        *(b"[", b"]", b"{", b"}", b"[{", b"}]", b":", b'{"text":"a","label":"1"}', b'{"text":"zzq"}', b"text,label"),
        *(b'"a\nb",1', b"a,b", b"NaN", b"\xed\xa0\x80", b"\\ud800", b"1e999", b"x" * 1100, b'{"rows":[', b'"n":1,'),
    ]
)
arbitrary = st.one_of(st.binary(max_size=300), st.lists(snippets, max_size=30).map(b"".join))


def json_rows(rows: list[tuple[str, int]]) -> list[bytes]:
    return [json.dumps({"text": text, "label": label}, ensure_ascii=False).encode() for text, label in rows]


rows = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.integers(0, 1)), max_size=12
)
line_ends = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \n"])


@st.composite
def structured(draw: st.DrawFn) -> tuple[str, bytes]:
    """A sound file of some format, then damaged in up to four places."""
    form = draw(st.sampled_from(["jsonl", "json", "csv", "tsv"]))
    records = draw(rows)
    if form == "jsonl":
        data = b"".join(raw + draw(line_ends) for raw in json_rows(records))
    elif form == "json":
        comma = draw(st.sampled_from([b",", b",\n ", b" , "]))
        opening, closing = draw(st.sampled_from([(b"[", b"]"), (b' {"n": 1, "data": [', b'], "m": {}}\n')]))
        data = opening + comma.join(json_rows(records)) + closing
    else:
        mark = b"," if form == "csv" else b"\t"
        cells = [b'"' + text.encode().replace(b'"', b'""') + b'"' + mark + b"%d" % label for text, label in records]
        data = b"text" + mark + b"label" + b"".join(draw(line_ends) + cell for cell in cells)
    data = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + data
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.one_of(st.just(b""), snippets)) + data[at + draw(st.integers(0, 6)) :]
    return form, data


def restored(files: dict[str, bytes], block: int = 1 << 20) -> dict[str, bytes]:
    """What comes back of these files, by their names in the input."""
    with tempfile.TemporaryDirectory() as folder, blocks_of(block):
        place = Path(folder)
        run = scan(write_input(place / "in", files), place / "run", max_line_bytes=1024)
        done = restore(run, place / "out")
        assert all(file.whole for file in done)
        assert sum(file.records for file in run.dataset().files) == run.dataset().rows
        return {file.path: file.written.read_bytes() for file in done if file.written is not None}


@QUICK
@given(arbitrary, st.sampled_from(["jsonl", "json", "csv", "tsv"]), st.sampled_from(list(PACK)), st.integers(16, 400))
def test_arbitrary_bytes_come_back(data, form, packing, block):
    name = f"x.{form}{packing}"
    found = restored({name: PACK[packing](data)}, block)
    assert found.get(name, b"") == data  # an empty file is not read, and named in the note
    assert found["good.jsonl"] == GOOD


@QUICK
@given(structured(), st.sampled_from(list(PACK)), st.integers(16, 400))
def test_damaged_files_come_back(made, packing, block):
    form, data = made
    name = f"x.{form}{packing}"
    assert restored({name: PACK[packing](data)}, block).get(name, b"") == data


@QUICK
@given(structured(), st.floats(0, 1), st.integers(64, 400))
def test_of_a_truncated_archive_all_that_decodes_comes_back(made, share, block):
    form, data = made
    packed = gzip.compress(data)
    cut = packed[: int(len(packed) * share)]
    decodes = zlib.decompressobj(wbits=31).decompress(cut)
    assert restored({f"x.{form}.gz": cut}, block).get(f"x.{form}.gz", b"") == decodes


@pytest.mark.slow
@settings(max_examples=3_000, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(structured(), st.tuples(st.sampled_from(["jsonl", "json", "csv", "tsv"]), arbitrary)),
    st.integers(16, 400),
)
def test_thousands_of_files_come_back(made, block):
    form, data = made
    assert restored({f"x.{form}": data}, block).get(f"x.{form}", b"") == data


EDGES = {
    "bom_only.jsonl": b"\xef\xbb\xbf",
    "half_bom.jsonl": b"\xef\xbb",
    "bom_and_blank.csv": b"\xef\xbb\xbf\n\r\n",
    "blank.jsonl": b"\n \t\n\r\n\n",
    "cr_only.jsonl": b'{"text":"a","label":"1"}\r{"text":"b","label":"0"}\r',
    "mixed_ends.jsonl": b'{"text":"a","label":"1"}\r\n{"text":"b","label":"0"}\n{"text":"c","label":"0"}\r\n',
    "no_last_end.csv": b"text,label\r\na,1",
    "header_only.csv": b"text,label",
    "header_and_end.csv": b"\n\ntext,label\r\n\r\n",
    "header_twice.csv": b"text,text\na,1\n",
    "header_too_long.csv": b"text,label," + b"c" * 3000 + b"\na,1\n",
    "long_cell.csv": b'text,label\n"' + b"y" * 5000 + b'\r",1\na,0\n',
    "open_quote.csv": b'text,label\n"never,1\n' + b"b,0\n" * 700,
    "long_line.jsonl": b'{"text":"' + b"y" * 5000 + b'\r"}\r\n{"text":"b","label":"0"}',
    "long_last_line.jsonl": b'{"text":"b","label":"0"}\n{"text":"' + b"y" * 9000,
    "exactly_the_cap.jsonl": b'{"text":"' + b"y" * 1001 + b'","label":"1"}\r\n\n',
    "empty_list.json": b" [ ] \n",
    "card.json": b'{"license": "mit", "rows": []}',
    "text.json": b"no JSON at all\n",
    "wrapped.json": b'\xef\xbb\xbf{"v": 1, "data" : [ {"text":"a","label":"1"} , {"text":"b"} ], "w": [2]}\n\n',
    "trailing.json": b'[{"text":"a","label":"1"}] [1]',
    "no_end.json": b'[{"text":"a","label":"1"}, {"text":"b',
    "zero_bytes.tsv": b"text\tlabel\n\x00\t1\n\x00",
    "utf16.jsonl": '{"text":"a","label":"1"}\n'.encode("utf-16"),
}


@pytest.mark.parametrize("packing", PACK)
def test_odd_files_come_back_all_together(packing):
    files = {name + packing: PACK[packing](data) for name, data in EDGES.items()}
    found = restored(files)
    assert {name: found[name + packing] for name in EDGES} == EDGES


@pytest.mark.parametrize("end", [b", ]", b",]\n", b", \n", b"\n", b" , ]} x", b',{"text":"b","label": m": {}}\n'])
def test_bytes_behind_the_last_row_were_claimed_twice(end):
    data = b'[{"text":"a","label":"1"}' + end
    assert restored({"x.json": data})["x.json"] == data


@pytest.mark.parametrize("block", [16, 338, 1 << 20])
def test_the_ends_of_two_long_lines_were_stored_out_of_order(block):
    data = b"x" * 1105 + b"\n" + b'"' + b"y" * 1130 + b"\n" + b"z" * 3000
    assert restored({"x.csv": data}, block)["x.csv"] == data


def test_many_members_and_frames_come_back():
    data = GOOD * 50
    found = restored({"x.jsonl.gz": gzip.compress(data) * 2 + b"\0" * 100, "y.jsonl.zst": zst(data) + zst(data)}, 256)
    assert found["x.jsonl.gz"] == found["y.jsonl.zst"] == data * 2


def test_equal_line_ends_are_one_region_however_many(tmp_path):
    run = scan(write_input(tmp_path / "in", {"x.csv": b"text,label\n" + b"a,1\n" * 5000}), tmp_path / "run")
    found = all_regions(run).filter(pl.col("file") == 1).select("kind", "times", "data").rows()
    assert found == [("header", 1, b"text,label"), ("line_end", 5001, b"\n")]


def test_every_kind_of_region_has_its_name(tmp_path):
    files = {
        "a.csv": b"\xef\xbb\xbftext,label\r\na,1\r\n\r\nb,0",
        "b.json": b'[{"text":"a","label":"1"}, {"text":"b","label":"1"}]\n',
        "c.json": b"{}",
        "d.jsonl": b"y" * 2000 + b"\n",
    }
    run = scan(write_input(tmp_path / "in", files), tmp_path / "run", max_line_bytes=1024)
    found = all_regions(run).filter(pl.col("file") != 3).select("file", "offset", "times", "kind", "data").rows()
    assert found == [
        (0, 0, 1, "bom", b"\xef\xbb\xbf"),
        (0, 3, 1, "header", b"text,label"),
        (0, 13, 1, "line_end", b"\r\n"),
        (0, 18, 1, "blank", b"\r\n\r\n"),
        (1, 0, 1, "opening", b"["),
        (1, 25, 1, "separator", b", "),
        (1, 51, 1, "closing", b"]\n"),
        (-1, 0, 1, "no_rows", b"{}"),
        (2, 1024, 1, "cut_end", b"y" * 976),
        (2, 2000, 1, "line_end", b"\n"),
    ]


def test_where_a_scan_is_told_to_end_early_the_rest_is_not_claimed(tmp_path):
    run = scan(write_input(tmp_path / "in", {}) / "good.jsonl", tmp_path / "run", limit=5)
    (done,) = restore(run, tmp_path / "out")
    assert not done.whole and "in part" in done.note
    assert done.written.read_bytes() + b"\n" == b"".join(GOOD.splitlines(keepends=True)[:5])


def test_a_plain_file_and_its_archive_come_back_beside_each_other(tmp_path):
    source = write_input(tmp_path / "in", {"good.jsonl.gz": gzip.compress(GOOD * 2), "a/b/c.csv": b"text,label\nx,1\n"})
    done = restore(scan(source, tmp_path / "run"), tmp_path / "out")
    names = {str(file.written.relative_to(tmp_path / "out")) for file in done}
    assert names == {"good.jsonl", "good.jsonl.gz.decompressed", "a/b/c.csv"}


def test_nothing_of_it_imports_torch_or_prefect(tmp_path):
    write_input(tmp_path / "in", EDGES)
    code = f"""
import sys
from pathlib import Path
from conserving import scan
from audit.remedies.restore import broken_laws, restore
run = scan(Path({str(tmp_path / "in")!r}), Path({str(tmp_path / "run")!r}))
assert all(file.whole for file in restore(run, Path({str(tmp_path / "out")!r})))
assert broken_laws(run) == []
print([name for name in ("torch", "prefect", "transformers", "sklearn") if name in sys.modules])
"""
    paths = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    for name, data in EDGES.items():
        assert (tmp_path / "out" / name).read_bytes() == data


def test_what_was_scanned_holds_every_law(tmp_path):
    run = scan(write_input(tmp_path / "in", EDGES), tmp_path / "run")
    assert broken_laws(run) == []
