from __future__ import annotations

import gzip
import hashlib
import json
import zlib

import pytest
from packing import COMPRESS, zst

from audit.config import IngestConfig
from audit.errors import NothingScanned
from audit.sources.record import Budget
from audit.sources.streams import ByteStream, Lines

ROWS = [json.dumps({"text": f"row {i} {hashlib.md5(str(i).encode()).hexdigest()}", "label": i % 2}) for i in range(400)]
PLAIN = ("\n".join(ROWS) + "\n").encode()
ARRAY = ("[" + ",\n".join(ROWS) + "]").encode()
CSV = b"text,label\n" + b"".join(b"row %d,%d\n" % (i, i % 2) for i in range(400))


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize(
    ("name", "data"), [("d.jsonl", PLAIN), ("d.json", ARRAY), ("d.csv", CSV), ("d.tsv", CSV.replace(b",", b"\t"))]
)
def test_every_text_format_in_every_compression(read, name, data, ending):
    packed = COMPRESS[ending](data)
    got = read(name + ending, packed)
    assert got.info.rows == got.info.readable == 400
    file = got.info.files[0]
    assert file.compression == ending.removeprefix(".")
    assert file.sha256 == hashlib.sha256(packed).hexdigest() and file.size_bytes == len(packed)


@pytest.mark.parametrize("pack", [gzip.compress, zst], ids=["gz", "zst"])
def test_members_one_after_another_are_one_stream(read, pack):
    half = PLAIN.find(b"\n", len(PLAIN) // 2) + 1
    ending = ".gz" if pack is gzip.compress else ".zst"
    assert read("d.jsonl" + ending, pack(PLAIN[:half]) + pack(PLAIN[half:])).info.readable == 400


def test_zero_padding_behind_gzip_is_padding_and_other_bytes_are_damage(read):
    assert read("d.jsonl.gz", gzip.compress(PLAIN) + b"\0" * 512).bad == {}
    got = read("e.jsonl.gz", gzip.compress(PLAIN) + b"junk")
    assert got.bad == {400: "damaged_input"} and got.examples.height == 400


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("pack", [gzip.compress, zst], ids=["gz", "zst"])
@pytest.mark.parametrize(("name", "data"), [("d.jsonl", PLAIN * 20), ("d.json", ARRAY), ("d.csv", CSV)])
def test_a_truncated_archive_gives_its_head_and_one_reason(read, pack, name, data, share):
    packed = pack(data)
    ending = ".gz" if pack is gzip.compress else ".zst"
    cut = packed[: int(len(packed) * share)]
    try:
        got = read(name + ending, cut)
    except NothingScanned as error:  # nothing at all could be decoded
        assert "truncated_input" in str(error)
        return
    assert list(got.bad.values()) == ["truncated_input"]
    assert got.info.rows == got.examples.height + 1
    assert got.ledger["raw"].to_list()[:-1] == [
        raw for raw in got.ledger["raw"].to_list()[:-1] if raw.decode() in ROWS or name == "d.csv"
    ]
    assert got.info.files[0].sha256 == hashlib.sha256(cut).hexdigest()


def test_the_head_of_a_truncated_gzip_is_all_that_gzip_can_give(read):
    packed = gzip.compress(PLAIN)
    cut = packed[: len(packed) // 2]
    decoded = zlib.decompressobj(wbits=31).decompress(cut)
    got = read("d.jsonl.gz", cut)
    assert got.examples.height == decoded.count(b"\n")
    assert got.ledger["raw"][-1] == decoded[decoded.rfind(b"\n") + 1 :]


@pytest.mark.parametrize("pack", [gzip.compress, zst], ids=["gz", "zst"])
def test_a_flipped_byte_is_damage_and_never_a_clean_read(read, pack):
    data = PLAIN * 30
    packed = bytearray(pack(data))
    packed[len(packed) // 2] ^= 0xFF
    if pack is zst:  # frames without a checksum: damage shows where it breaks the format
        packed = bytearray(pack(data) + pack(data))
        packed[len(packed) // 2] ^= 0xFF
    ending = ".gz" if pack is gzip.compress else ".zst"
    got = read("d.jsonl" + ending, bytes(packed))
    assert "damaged_input" in got.info.bad or "truncated_input" in got.info.bad
    assert got.info.files[0].sha256 == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_bomb_stops_at_the_cap_and_says_so(read, ending):
    bomb = PLAIN + b" " * (8 << 20) + b"\n" + PLAIN
    got = read("d.jsonl" + ending, COMPRESS[ending](bomb), max_decoded_bytes=2 << 20)
    assert got.examples.height == 400
    assert list(got.bad.values())[-1] == "resource_limit"


def test_lines_are_the_same_for_any_block_size(tmp_path, monkeypatch):
    data = b"\xef\xbb\xbfone\r\n" + b"x" * 50 + b"\n\nlast"
    path = tmp_path / "f"
    path.write_bytes(data)
    seen = set()
    for block in (1, 2, 3, 7, 1 << 20):
        monkeypatch.setattr("audit.sources.streams.BLOCK", block)
        with path.open("rb") as handle:
            lines = Lines(ByteStream(handle, "", Budget(1 << 30)), IngestConfig(max_line_bytes=1024).max_line_bytes)
            seen.add((tuple(lines), lines.bom, lines.newline))
    assert len(seen) == 1
    found = next(iter(seen))[0]
    assert [(n, o, len(raw), size) for n, o, raw, size in found] == [
        (1, 3, 4, 4),
        (2, 8, 50, 50),
        (3, 59, 0, 0),
        (4, 60, 4, 4),
    ]


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_no_block_of_a_bomb_is_larger_than_a_megabyte(tmp_path, ending):
    """A megabyte of an archive may stand for a gigabyte: it is not decoded at once."""
    path = tmp_path / f"bomb.{ending}"
    path.write_bytes(COMPRESS[f".{ending}"](b" " * (20 << 20)))
    assert path.stat().st_size < 100_000
    with path.open("rb") as handle:
        sizes = [len(block) for block in ByteStream(handle, ending, Budget(1 << 30))]
    assert sum(sizes) == 20 << 20 and max(sizes) <= 1 << 20
