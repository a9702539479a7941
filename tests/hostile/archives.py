"""Damaged, cut, padded and exploding archives."""

from __future__ import annotations

import gzip
import hashlib
import random
import zlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from hostile.cases import GZ, ZST, Built, Case, Row, good, pack, text_file, verdicts, zst

ROWS = [
    b'{"text": "row %d %s", "label": %d}' % (i, hashlib.md5(b"%d" % i).hexdigest().encode(), i % 2) for i in range(300)
]
PLAIN = b"\n".join(ROWS) + b"\n"
CSV = b"text,label\n" + b"".join(
    b"row %d %s,%d\n" % (i, hashlib.md5(b"%d" % i).hexdigest().encode(), i % 2) for i in range(300)
)
EVERY = 5  # per cent between two cuts; all of them with the marker


def decoded_gzip(data: bytes) -> bytes:
    """All that zlib gives of one member, byte by byte up to an error."""
    member, found = zlib.decompressobj(wbits=31), bytearray()
    try:
        for at in range(len(data)):
            found += member.decompress(data[at : at + 1])
    except zlib.error:
        pass
    return bytes(found)


def decoded_zstd(data: bytes) -> bytes | None:
    """What another reader of the format gives; None where it refuses."""
    try:
        return pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    except OSError:
        return None


def prefix_rows(stream: bytes, reason: str) -> list[Row]:
    """The whole lines of what could be decoded, then the rest with the reason."""
    whole, _, rest = stream.rpartition(b"\n")
    rows = verdicts(line for line in whole.split(b"\n") if line)
    return [*rows, (rest, reason)]


def cut_gzip(share: float) -> Built:
    data = pack(PLAIN, GZ)
    data = data[: int(len(data) * share)]
    stream = decoded_gzip(data)
    rows = prefix_rows(stream, "truncated_input") if data else []
    error = "" if len(rows) > 1 else "NothingScanned" if data else "InputError"
    return Built({"d.jsonl.gz": data}, rows, error, stream={"d.jsonl.gz": stream})


def cut(content: bytes, name: str, packing: str, share: float, header: int = 0) -> Built:
    """Any packing: the rows are a prefix of the rows, and one reason follows."""
    data = pack(content, packing)
    data = data[: int(len(data) * share)]
    lines = content.split(b"\n")[header:-1]

    def check(got: Any) -> None:
        raws = got.ledger["raw"].to_list()
        assert raws[:-1] == lines[: len(raws) - 1]
        assert lines[len(raws) - 1].startswith(raws[-1])
        assert got.ledger["reason"].to_list() == [None] * (len(raws) - 1) + ["truncated_input"]

    files, match = {name + packing: data}, "truncated_input" if data else "empty"
    return Built(files, None, "?", match, {name + packing: content}, check=check)


def damaged(packing: str, share: float, seed: int) -> Built:
    """One byte changed. Either it is found, or what was audited is what every other reader decodes: the gzip header's
    time changes nothing, and a zstd frame without a checksum may decode to another text."""
    data = bytearray(pack(PLAIN, packing))
    at = min(int(len(data) * share), len(data) - 1)
    data[at] ^= random.Random(seed).randrange(1, 256)
    name = "d.jsonl" + packing

    def check(got: Any) -> None:
        raws, reasons = got.ledger["raw"].to_list(), got.ledger["reason"].to_list()
        found = [reason for reason in reasons if reason in ("damaged_input", "truncated_input")]
        stream = PLAIN if packing == GZ else decoded_zstd(bytes(data))
        read = stream is not None and raws == [line for line in stream.split(b"\n") if line.strip(b" \t\r")]
        assert (found and reasons[-1] == found[-1] and len(found) == 1) or read
        if packing == GZ and found:
            assert got.ledger["offset"][-1] + len(raws[-1]) <= len(decoded_gzip(bytes(data)))

    return Built(
        {name: bytes(data)}, None, "?", check=check, match="damaged_input|truncated_input|not_json|invalid_utf8"
    )


def bomb(packing: str) -> Built:
    """300 rows, then 60 MiB of spaces: what stands in front of the cap is read."""
    content = PLAIN + b" " * (60 << 20) + b"\n" + PLAIN

    def check(got: Any) -> None:
        assert got.ledger["raw"].to_list()[:300] == ROWS
        assert got.ledger["reason"].to_list()[:300] == [None] * 300
        assert got.ledger["reason"].to_list()[-1] == "resource_limit"
        assert set(got.ledger["reason"].to_list()[300:]) <= {"resource_limit", "too_long"}

    assert len(pack(content, packing)) < len(content) // 200
    return Built(
        {f"d.jsonl{packing}": pack(content, packing)}, None, check=check, settings={"max_decoded_bytes": 4 << 20}
    )


def cases() -> Iterator[Case]:
    for percent in range(0, 100):
        slow = percent % EVERY != 0
        share = percent / 100
        yield Case("truncated gz", f"{percent:02d}", lambda s=share: cut_gzip(s), slow)
        for packing in (ZST, GZ):
            label = packing.removeprefix(".")
            if packing == ZST:
                yield Case("truncated zst", f"{percent:02d}", lambda s=share: _zst(s), slow)
            yield Case(
                f"damaged {label}", f"{percent:02d}", lambda p=packing, s=share, n=percent: damaged(p, s, n), slow
            )
    for percent in range(60, 100, 13):
        for packing in (GZ, ZST):
            share = percent / 100
            name = f"{percent}{packing}"
            yield Case("truncated archive of csv", name, lambda p=packing, s=share: cut_csv(p, s))
    for packing in (GZ, ZST):
        yield Case("decompression bomb", packing, lambda p=packing: bomb(p))
        yield Case("archive of nothing", packing, lambda p=packing: text_file(b"", [], p))
        yield Case("members one after another", packing, lambda p=packing: _members(p))
        yield Case("archive inside an archive", packing, lambda p=packing: _twice(p))
        yield Case("plain text named as an archive", packing, lambda p=packing: _not_packed(p))
        yield Case("the other archive's ending", packing, lambda p=packing: _swapped(p))
    yield Case("bytes behind a gz", "zeros", lambda: _behind(b"\0" * 512, []))
    yield Case("bytes behind a gz", "junk", lambda: _behind(b"junk", [(b"", "damaged_input")]))
    yield Case("bytes behind a gz", "half_a_member", lambda: _behind(pack(PLAIN, GZ)[:5], [(b"", "truncated_input")]))
    yield Case("gz checksum", "crc", lambda: _trailer(-8))
    yield Case("gz checksum", "length", lambda: _trailer(-1))


def _zst(share: float) -> Built:
    """A frame in many blocks, so that a cut leaves a head."""
    return cut(PLAIN, "d.jsonl", ZST, share) if share < 0.02 else _zst_frames(share)


def _zst_frames(share: float) -> Built:
    parts = [b"\n".join(ROWS[i : i + 30]) + b"\n" for i in range(0, 300, 30)]
    data = b"".join(zst(part) for part in parts)
    size = int(len(data) * share)
    end = whole = 0
    for part in parts:
        if end + len(zst(part)) > size:
            break
        end, whole = end + len(zst(part)), whole + 30

    def check(got: Any) -> None:
        raws, reasons = got.ledger["raw"].to_list(), got.ledger["reason"].to_list()
        assert raws[:whole] == ROWS[:whole] and reasons[:whole] == [None] * whole
        if end == size:
            assert len(raws) == whole
            return
        assert reasons[-1] == "truncated_input" and set(reasons[:-1]) <= {None}
        assert raws[:-1] == ROWS[: len(raws) - 1] and ROWS[len(raws) - 1].startswith(raws[-1])

    error = "" if whole else "NothingScanned"
    return Built({"d.jsonl.zst": data[:size]}, None, error, "truncated_input", {"d.jsonl.zst": PLAIN}, check=check)


def cut_csv(packing: str, share: float) -> Built:
    if packing == GZ:
        return cut(CSV, "d.csv", GZ, share, header=1)
    half = CSV.find(b"\n", len(CSV) // 2) + 1
    data = zst(CSV[:half]) + zst(CSV[half:])
    data = data[: int(len(data) * share)]

    def check(got: Any) -> None:
        lines = CSV.split(b"\n")[1:-1]
        raws = got.ledger["raw"].to_list()
        assert raws[:-1] == lines[: len(raws) - 1] and len(raws) >= 150
        assert got.ledger["reason"].to_list()[-1] == "truncated_input"

    return Built({"d.csv.zst": data}, None, stream={"d.csv.zst": CSV}, check=check)


def _members(packing: str) -> Built:
    data = b"".join(pack(row + b"\n", packing) for row in ROWS[:60])
    name = "d.jsonl" + packing
    return Built({name: data}, verdicts(ROWS[:60]), stream={name: b"\n".join(ROWS[:60]) + b"\n"})


def _twice(packing: str) -> Built:
    """Only one layer is taken off: what is below is no text."""
    inner = pack(b"\n".join(good(3)), packing)
    rows: list[Row] = []
    for line in inner.split(b"\n"):
        raw = line[:-1] if line.endswith(b"\r") else line
        if raw.strip(b" \t\r"):
            rows.append((raw, "invalid_utf8"))
    return text_file(inner, rows, packing)


def _not_packed(packing: str) -> Built:
    return Built({f"d.jsonl{packing}": PLAIN}, None, "NothingScanned", "damaged_input")


def _swapped(packing: str) -> Built:
    other = ZST if packing == GZ else GZ
    return Built({f"d.jsonl{packing}": pack(PLAIN, other)}, None, "NothingScanned", "damaged_input")


def _behind(more: bytes, rows: list[Row]) -> Built:
    return Built({"d.jsonl.gz": pack(PLAIN, GZ) + more}, [*verdicts(ROWS), *rows], stream={"d.jsonl.gz": PLAIN})


def _trailer(at: int) -> Built:
    """All rows are decoded and read; that the checksum is wrong is a record of its own."""
    data = bytearray(gzip.compress(PLAIN, mtime=0))
    data[at] ^= 1
    rows: list[Row] = [*verdicts(ROWS), (b"", "damaged_input")]
    return Built({"d.jsonl.gz": bytes(data)}, rows, stream={"d.jsonl.gz": PLAIN})
