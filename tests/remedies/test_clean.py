from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.config import build
from audit.errors import ConservationError
from audit.remedies import clean, pieces
from audit.rundir import Context, RunDir, read_json, write_frame, write_json
from audit.schema import VERDICTS, NoProgress
from audit.sources import ingest

JSONL = [json.dumps({"text": f"zeile {i} é", "label": i % 2}, ensure_ascii=False).encode() for i in range(12)]
CSV = [b'"row %d, with comma",%d' % (i, i % 2) if i % 3 else b"row %d,%d" % (i, i % 2) for i in range(12)]
VERDICT = ["keep", "review", "remove", "keep"] * 3


def zst(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


def unzst(data: bytes) -> bytes:
    return pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()


PACK = {"": lambda d: d, ".gz": gzip.compress, ".zst": zst}
UNPACK = {"": lambda d: d, ".gz": gzip.decompress, ".zst": unzst}


def judge(run: RunDir, choose: Callable[[int], str]) -> list[str]:
    """Writes verdicts: `choose` for readable rows, unreadable for the others."""
    ledger = run.ledger(["row", "reason"])
    words = ["unreadable" if reason else choose(row) for row, reason in ledger.iter_rows()]
    count = len(words)
    frame = pl.DataFrame(
        {
            "row": range(count),
            "content_hash": [None if w == "unreadable" else f"hash{i}" for i, w in enumerate(words)],
            "verdict": words,
            "fix": [None] * count,
            "new_value": [None] * count,
            "score": [0.5] * count,
            "codes": [["TV-TRIGGER"] if w == "remove" else [] for w in words],
            "trigger_ids": [["t1"] if w == "remove" else [] for w in words],
        },
        schema=VERDICTS,
    )
    write_frame(run.verdicts, frame)
    return words


def cleaned(source: Path, folder: Path, choose: Callable[[int], str], **values) -> tuple[RunDir, list[Path]]:
    run = RunDir(folder)
    ctx = Context(run, build({"source": str(source), **values}), NoProgress())
    ingest(ctx, "all")
    judge(run, choose)
    return run, clean.build(ctx, "all")


def by_pattern(row: int) -> str:
    return VERDICT[row]


def picked(rows: list[bytes], *words: str) -> list[bytes]:
    return [raw for raw, word in zip(rows, VERDICT, strict=True) if word in words]


LAYOUTS = [
    ("d.jsonl", JSONL, lambda rows: b"".join(r + b"\n" for r in rows)),
    ("d.jsonl", JSONL, lambda rows: b"\xef\xbb\xbf" + b"".join(r + b"\r\n" for r in rows)),
    ("d.json", JSONL, lambda rows: b"[\n  " + b",\n  ".join(rows) + b"\n]\n"),
    ("d.json", JSONL, lambda rows: b'{"version": "1.0", "data": [' + b", ".join(rows) + b'], "note": "end"}'),
    ("d.csv", CSV, lambda rows: b"text,label\n" + b"".join(r + b"\n" for r in rows)),
    (
        "d.tsv",
        [r.replace(b",", b"\t") for r in CSV],
        lambda rows: b"text\tlabel\r\n" + b"".join(r + b"\r\n" for r in rows),
    ),
]
# Every third tsv row is free of quotes, so that a quoted cell can hold the tab.
LAYOUTS[5] = (
    "d.tsv",
    [b'"row %d\twith tab"\t%d' % (i, i % 2) if i % 3 else b"row %d\t%d" % (i, i % 2) for i in range(12)],
    LAYOUTS[5][2],
)


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize(("name", "rows", "layout"), LAYOUTS)
def test_each_text_format_keeps_its_rows_byte_for_byte(tmp_path, name, rows, layout, ending):
    source = tmp_path / (name + ending)
    source.write_bytes(PACK[ending](layout(rows)))
    run, paths = cleaned(source, tmp_path / "run", by_pattern)
    extension = name[1:] + ending
    target, beside = run / "cleaned" / source.name, run / "cleaned" / f"review{extension}"
    assert UNPACK[ending](target.read_bytes()) == layout(picked(rows, "keep"))
    assert UNPACK[ending](beside.read_bytes()) == layout(picked(rows, "review"))
    aside = {run / f"{name}.parquet" for name in ("removed", "unreadable", "ledger")}
    assert set(paths) == {target, beside} | aside
    removed = pl.read_parquet(run / "removed.parquet")
    assert removed["raw"].to_list() == picked(rows, "remove")
    assert removed["trigger_ids"].to_list() == [["t1"]] * 3 and removed["content_hash"][0] == "hash2"
    assert clean.counts(run) == {"keep": 6, "review": 3, "remove": 3, "unreadable": 0}
    assert clean.outputs(run) == ([target], [beside])
    run2, _ = cleaned(source, tmp_path / "all", lambda row: "keep")
    assert UNPACK[ending]((run2 / "cleaned" / source.name).read_bytes()) == layout(rows)
    assert not (run2 / "cleaned" / f"review{extension}").exists()


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_the_same_rows_give_the_same_compressed_bytes(tmp_path, ending):
    source = tmp_path / ("d.jsonl" + ending)
    source.write_bytes(PACK[ending](b"\n".join(JSONL)))
    first, second = (cleaned(source, tmp_path / n, by_pattern)[0] / "cleaned" / source.name for n in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    if ending == ".gz":  # two files of one second would be equal even with a time in them
        assert first.read_bytes()[4:8] == bytes(4)


def test_undecided_rows_are_kept_in_place_when_asked(tmp_path):
    source = tmp_path / "d.jsonl"
    source.write_bytes(b"\n".join(JSONL))
    run, paths = cleaned(source, tmp_path / "run", by_pattern, review={"undecided": "keep"})
    assert (run / "cleaned" / "d.jsonl").read_bytes().splitlines() == picked(JSONL, "keep", "review")
    assert not [p for p in paths if "review" in p.name]


TABLE = pa.table(
    {
        "text": pa.array([f"row {i}" for i in range(12)], pa.large_string()),
        "label": pa.array(["a", "b", "c"] * 4).dictionary_encode(),
        "score": pa.array([None, 0.1, float("inf")] * 4, pa.float32()),
        "at": pa.array(range(12), pa.timestamp("s", tz="UTC")),
        "tags": pa.array([["x"], [], None] * 4),
    },
    metadata={"huggingface": '{"info": {"features": {}}}'},
)


def pack_table(name: str) -> bytes:
    buffer = io.BytesIO()
    if name.endswith(".parquet"):
        pq.write_table(TABLE, buffer, compression="gzip", row_group_size=5)
    else:
        new = pa.ipc.new_file if name == "file.arrow" else pa.ipc.new_stream
        with new(buffer, TABLE.schema) as writer:
            writer.write_table(TABLE, max_chunksize=5)
    return buffer.getvalue()


def read_table(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    if path.read_bytes()[:6] == b"ARROW1":
        return pa.ipc.open_file(path.read_bytes()).read_all()
    return pa.ipc.open_stream(path.read_bytes()).read_all()


@pytest.mark.parametrize("name", ["d.parquet", "file.arrow", "stream.arrow"])
def test_columnar_files_keep_schema_and_values(tmp_path, name):
    source = tmp_path / name
    source.write_bytes(pack_table(name))
    whole = read_table(source)
    run, _ = cleaned(source, tmp_path / "run", by_pattern)
    for path, word in [(run / "cleaned" / name, "keep"), (run / "cleaned" / f"review{source.suffix}", "review")]:
        found = read_table(path)
        assert found.schema.equals(whole.schema, check_metadata=True)
        wanted = whole.take([i for i, w in enumerate(VERDICT) if w == word])
        assert found.to_pylist() == wanted.to_pylist()
    if name == "d.parquet":
        metadata = pq.ParquetFile(run / "cleaned" / name).metadata
        assert metadata.row_group(0).column(0).compression == "GZIP"
    else:
        assert (source.read_bytes()[:6] == b"ARROW1") == ((run / "cleaned" / name).read_bytes()[:6] == b"ARROW1")
    removed = pl.read_parquet(run / "removed.parquet")
    assert [json.loads(o)["text"] for o in removed["original"]] == ["row 2", "row 6", "row 10"]
    assert removed["raw"].null_count() == 3


def test_several_files_keep_their_places_and_names(tmp_path):
    root = tmp_path / "set"
    (root / "sub").mkdir(parents=True)
    (root / "a.jsonl").write_bytes(b"\n".join(JSONL[:4]))
    (root / "sub" / "b.csv.gz").write_bytes(gzip.compress(b"text,label\n" + b"\n".join(CSV[:4]) + b"\n"))
    pq.write_table(pa.table({"text": ["w", "x", "y", "z"], "label": ["1"] * 4}), root / "sub" / "c.parquet")
    (root / "sub" / "head.csv").write_bytes(b"text,label\n")
    run, paths = cleaned(root, tmp_path / "run", by_pattern)
    names = sorted(str(p.relative_to(run / "cleaned")) for p in paths if "cleaned" in p.parts)
    assert names == sorted(
        [
            "a.jsonl",
            "a.review.jsonl",
            "sub/b.csv.gz",
            "sub/b.review.csv.gz",
            "sub/c.parquet",
            "sub/c.review.parquet",
            "sub/head.csv",
        ]
    )
    assert (run / "cleaned/a.jsonl").read_bytes() == JSONL[0] + b"\n" + JSONL[3] + b"\n"
    packed = (run / "cleaned/sub/b.csv.gz").read_bytes()
    assert gzip.decompress(packed) == b"text,label\n" + CSV[0] + b"\n" + CSV[3] + b"\n"
    assert pq.read_table(run / "cleaned/sub/c.review.parquet").to_pylist() == [{"text": "x", "label": "1"}]
    assert (run / "cleaned/sub/head.csv").read_bytes() == b"text,label\n"
    assert pl.read_parquet(run / "removed.parquet")["row"].to_list() == [2, 6, 10]


def test_unreadable_rows_stand_beside_with_their_bytes(tmp_path):
    source = tmp_path / "d.jsonl"
    source.write_bytes(b"\n".join([JSONL[0], b"caf\xe9", JSONL[1], b'{"text": "a", "text": "b"}']))
    run, _ = cleaned(source, tmp_path / "run", lambda row: "keep")
    assert (run / "cleaned" / "d.jsonl").read_bytes().splitlines() == JSONL[:2]
    bad = pl.read_parquet(run / "unreadable.parquet")
    assert bad["raw"].to_list() == [b"caf\xe9", b'{"text": "a", "text": "b"}']
    assert bad["reason"].to_list() == ["invalid_utf8", "duplicate_key"] and bad["line"].to_list() == [2, 4]


def test_a_damaged_parquet_keeps_what_could_be_read(tmp_path):
    source = tmp_path / "d.parquet"
    table = pa.table({"text": [f"row {i}" for i in range(30)], "label": [i % 2 for i in range(30)]})
    pq.write_table(table, source, compression="none", use_dictionary=False, row_group_size=10, write_page_checksum=True)
    data = bytearray(source.read_bytes())
    data[data.find(b"row 15")] ^= 1
    source.write_bytes(bytes(data))
    run, _ = cleaned(source, tmp_path / "run", lambda row: "keep")
    assert pq.read_table(run / "cleaned" / "d.parquet")["text"].to_pylist() == [
        f"row {i}" for i in range(30) if not 10 <= i < 20
    ]
    assert pl.read_parquet(run / "unreadable.parquet")["reason"].to_list() == ["damaged_input"]


def test_a_second_run_leaves_no_file_of_the_first(tmp_path):
    source = tmp_path / "d.jsonl"
    source.write_bytes(b"\n".join(JSONL))
    run, _ = cleaned(source, tmp_path / "run", by_pattern)
    assert (run / "cleaned" / "review.jsonl").exists()
    judge(run, lambda row: "keep")
    clean.build(Context(run, build({"source": str(source)}), NoProgress()), "all")
    assert [p.name for p in (run / "cleaned").iterdir()] == ["d.jsonl"]


def broken_verdicts(frame: pl.DataFrame) -> list[pl.DataFrame]:
    unreadable = frame.with_columns(
        pl.when(pl.col("row") == 3).then(pl.lit("unreadable")).otherwise("verdict").alias("verdict")
    )
    odd = frame.with_columns(pl.lit("drop").alias("verdict"))
    return [frame.head(11), pl.concat([frame, frame.head(1)]), unreadable, odd, frame.with_columns(pl.col("row") + 1)]


@pytest.mark.parametrize("which", range(5))
def test_verdicts_that_do_not_conserve_the_rows_void_the_run(tmp_path, which):
    source = tmp_path / "d.jsonl"
    source.write_bytes(b"\n".join(JSONL))
    run, _ = cleaned(source, tmp_path / "run", by_pattern)
    write_frame(run.verdicts, broken_verdicts(pl.read_parquet(run.verdicts))[which])
    with pytest.raises(ConservationError):
        clean.build(Context(run, build({"source": str(source)}), NoProgress()), "all")


def test_each_law_of_the_rows_is_told_by_its_name(tmp_path):
    """One law stands behind the other; which one was broken is what a person needs to know."""
    source = tmp_path / "d.jsonl"
    source.write_bytes(b"\n".join(JSONL))
    run, _ = cleaned(source, tmp_path / "run", by_pattern)
    info, frame, path = run.dataset(), pl.read_parquet(run.verdicts), run.shards("ledger")[0]
    write_frame(run.verdicts, frame.head(11))
    with pytest.raises(ConservationError, match="11 verdicts do not cover each of 12 rows once"):
        pieces.judged(run, info, [])
    write_frame(run.verdicts, frame.with_columns(pl.lit("drop").alias("verdict")))
    with pytest.raises(ConservationError, match=r"1 words in verdicts\.parquet are no verdict"):
        pieces.judged(run, info, [])
    write_frame(run.verdicts, frame)
    ledger = pl.read_parquet(path)
    write_frame(path, ledger.filter(pl.col("row") != 5))
    with pytest.raises(ConservationError, match="shard part-00000 of the ledger does not continue at row 0"):
        list(pieces.pieces(run, info, frame.select("row", "verdict")))


def test_a_ledger_that_lost_a_row_voids_the_run(tmp_path):
    source = tmp_path / "d.jsonl"
    source.write_bytes(b"\n".join(JSONL))
    run, _ = cleaned(source, tmp_path / "run", by_pattern)
    path = run.shards("ledger")[0]
    write_frame(path, pl.read_parquet(path).filter(pl.col("row") != 5))
    with pytest.raises(ConservationError):
        clean.build(Context(run, build({"source": str(source)}), NoProgress()), "all")


def test_records_that_are_known_and_were_not_read_void_the_run(tmp_path):
    source = tmp_path / "d.jsonl"
    source.write_bytes(b"\n".join(JSONL))
    run, _ = cleaned(source, tmp_path / "run", by_pattern)
    info = read_json(run / "dataset.json")
    info["files"][0]["records"] += 1
    write_json(run / "dataset.json", info)
    with pytest.raises(ConservationError, match="13 records were read, 12 are known, 12 were written"):
        clean.build(Context(run, build({"source": str(source)}), NoProgress()), "all")


def test_bytes_that_do_not_come_back_void_the_run(tmp_path):
    source = tmp_path / "d.jsonl"
    source.write_bytes(b"\n".join(JSONL))
    run, _ = cleaned(source, tmp_path / "run", by_pattern)
    path = run.shards("ledger")[0]
    split = pl.when(pl.col("row") == 0).then(pl.lit(JSONL[0] + b"\n" + JSONL[1])).otherwise("raw")
    write_frame(path, pl.read_parquet(path).with_columns(split.alias("raw")))
    with pytest.raises(ConservationError, match="6 rows were written, 7 are read again"):
        clean.build(Context(run, build({"source": str(source)}), NoProgress()), "all")


@pytest.mark.parametrize(
    ("path", "files", "wanted"),
    [
        ("data.jsonl", 1, "review.jsonl"),
        ("data.v1.csv.zst", 1, "review.csv.zst"),
        ("review.jsonl", 1, "review.review.jsonl"),
        ("a/x.y.parquet", 3, "a/x.y.review.parquet"),
        ("a/x.JSON.GZ", 2, "a/x.review.JSON.GZ"),
    ],
)
def test_names_of_review_files(path, files, wanted):
    assert clean.review_name(path, files) == wanted


json_line = st.one_of(
    st.builds(
        lambda t, n: json.dumps({"text": t, "label": n}, ensure_ascii=False).encode(), st.text(), st.integers(0, 2)
    ),
    st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")),
)
csv_line = st.binary(max_size=14).map(lambda b: b.replace(b"\n", b'"'))


@settings(max_examples=15, deadline=None)
@given(st.data(), st.sampled_from(["d.jsonl", "d.csv"]))
def test_conservation_of_rows_and_bytes(data, name):
    lines = data.draw(st.lists(json_line if name == "d.jsonl" else csv_line, max_size=10))
    head = [JSONL[0]] * 3 if name == "d.jsonl" else [b"text,label", b"a,1"]
    words = data.draw(st.lists(st.sampled_from(["keep", "review", "remove"]), min_size=20, max_size=20))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / name
        source.write_bytes(b"\n".join([*head, *lines]))
        run, _ = cleaned(source, Path(folder) / "run", lambda row: words[row % 20], ingest={"kind": "classification"})
        ledger, info, counts = run.ledger(), run.dataset(), clean.counts(run)
        verdicts = pl.read_parquet(run.verdicts)["verdict"].to_list()
        kept = (run / "cleaned" / name).read_bytes()
        removed, bad = pl.read_parquet(run / "removed.parquet"), pl.read_parquet(run / "unreadable.parquet")
        everything, _ = cleaned(source, Path(folder) / "all", lambda row: "keep", ingest={"kind": "classification"})
        whole = (everything / "cleaned" / name).read_bytes()
    readable = ledger.filter(pl.col("reason").is_null())["raw"].to_list()
    newline = info.files[0].layout["newline"].encode()
    start = b"" if name == "d.jsonl" else info.files[0].layout["header"].encode() + newline
    assert whole == start + b"".join(raw + newline for raw in readable)
    wanted = [raw for raw, word in zip(ledger["raw"], verdicts, strict=True) if word == "keep"]
    assert kept == start + b"".join(raw + newline for raw in wanted)
    assert sum(counts.values()) == info.rows == ledger.height
    assert (removed.height, bad.height) == (counts["remove"], counts["unreadable"])
    assert bad.height == sum(info.bad.values())
