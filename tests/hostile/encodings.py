"""Byte-order marks, other encodings, line ends, blank lines and the edges of JSON lines."""

from __future__ import annotations

from collections.abc import Iterator

from hostile.cases import Built, Case, Row, good, lines_file, packed, text_file, verdicts

BOM = b"\xef\xbb\xbf"


def cases() -> Iterator[Case]:
    rows = verdicts(good(5))
    yield from packed("byte-order mark", "start", lambda p: text_file(BOM + b"\n".join(good(5)), rows, p))
    second: list[Row] = [*verdicts(good(2)), (BOM + good(1)[0], "not_json")]
    yield from packed("byte-order mark", "in_the_middle", lambda p: lines_file(second, p))
    twice: list[Row] = [(BOM + good(1)[0], "not_json"), *verdicts(good(3, 1))]
    data = BOM + b"\n".join([BOM + good(1)[0], *good(3, 1)])
    yield from packed("byte-order mark", "twice", lambda p: text_file(data, twice, p))
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        for mark in ("", "\ufeff"):
            name = encoding + ("_with_mark" if mark else "")
            yield from packed("utf-16 and utf-32", name, lambda p, e=encoding, m=mark: _wide(e, m, p))
    for encoding, where in (("utf-16-le", 2), ("utf-32-be", 1)):
        yield from packed("one line in another encoding", encoding, lambda p, e=encoding, w=where: _mixed(e, w, p))
    yield from _ends()
    yield from _edges()


def _wide(encoding: str, mark: str, packing: str) -> Built:
    """Every byte is kept, no row is read. Lines are split at the byte LF, as everywhere."""
    data = (mark + "".join(row.decode() + "\n" for row in good(3))).encode(encoding)
    rows: list[Row] = []
    for line in data.split(b"\n"):
        raw = line[:-1] if line.endswith(b"\r") else line
        if raw.strip(b" \t\r"):
            rows.append((raw, _why(raw)))
    return text_file(data, rows, packing)


def _why(raw: bytes) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    return "not_json"


def _mixed(encoding: str, where: int, packing: str) -> Built:
    """UTF-16 holds no byte LF in ASCII text, so its line stays one line."""
    odd = good(1)[0].decode().encode(encoding)
    rows = verdicts(good(4))
    rows.insert(where, (odd, "not_json"))
    return lines_file(rows, packing)


def _ends() -> Iterator[Case]:
    rows = verdicts(good(4))
    yield from packed("crlf line ends", "all", lambda p: lines_file(rows, p, b"\r\n"))
    mixed = b"".join(raw + end for raw, end in zip(good(4), (b"\n", b"\r\n", b"\n", b"\r\n"), strict=True))
    yield from packed("mixed line ends", "lf_crlf", lambda p: text_file(mixed, rows, p))
    only = b"\r".join(good(4))
    yield from packed("cr-only line ends", "all", lambda p: text_file(only, [(only, "trailing_data")], p))
    one: list[Row] = [*rows, (only, "trailing_data")]
    yield from packed("cr-only line ends", "in_one_line", lambda p: lines_file(one, p))
    double: list[Row] = [(raw + b"\r", None) for raw in good(3)]
    yield from packed("cr-only line ends", "cr_cr_lf", lambda p: lines_file(double, p, b"\r\n"))
    for name, char in {"u2028": "\u2028", "u2029": "\u2029", "u0085": "\u0085", "vt": "\x0b"}.items():
        joined = char.encode().join(good(2))
        between: list[Row] = [*rows, (joined, "trailing_data")]
        yield from packed("other separators of lines", name, lambda p, b=between: lines_file(b, p))
    for name, char in {"u2028": "\u2028", "u2029": "\u2029", "u0085": "\u0085"}.items():
        inside: list[Row] = [*rows, (f'{{"text": "a{char}b", "label": 0}}'.encode(), None)]
        yield from packed("line separator inside a text", name, lambda p, b=inside: lines_file(b, p))


def _edges() -> Iterator[Case]:
    rows = verdicts(good(3))
    blanks = {
        "empty_lines": b"\n\n\n".join(good(3)) + b"\n\n",
        "spaces": b"\n   \n".join(good(3)),
        "tabs_and_cr": b"\n\t \r\n".join(good(3)),
        "leading": b"\n\n" + b"\n".join(good(3)),
        "thousands": b"\n" * 70_000 + b"\n".join(good(3)) + b"\n" * 70_000,
    }
    for name, data in blanks.items():
        yield from packed("blank lines", name, lambda p, d=data: text_file(d, rows, p))
    yield from packed("no line end at the end", "plain", lambda p: text_file(b"\n".join(good(3)), rows, p))
    padded: list[Row] = [(b" \t" + raw + b"  ", None) for raw in good(3)]
    yield from packed("spaces around the object", "both", lambda p: lines_file(padded, p))
    nothing = {"zero_bytes": b"", "one_lf": b"\n", "spaces": b"   \n \n", "mark_alone": BOM, "crs": b"\r\r\n"}
    for name, data in nothing.items():
        yield from packed("empty file", name, lambda p, d=data: text_file(d, [], p))
    yield from packed("one row", "sound", lambda p: text_file(good(1)[0], verdicts(good(1)), p))
    yield from packed("one row", "broken", lambda p: text_file(b"{", [(b"{", "not_json")], p))
    nuls: list[Row] = [*rows, (b"\0" * 4_000, "not_json")]
    yield from packed("nul bytes", "a_block", lambda p: lines_file(nuls, p))
    yield from packed("nul bytes", "the_whole_file", lambda p: text_file(b"\0" * 512, [(b"\0" * 512, "not_json")], p))
    classes: list[Row] = verdicts([b'{"text": "row %d", "label": 1}' % i for i in range(20)])
    yield from packed("one class", "all_rows", lambda p: lines_file(classes, p))
    same: list[Row] = verdicts([good(1)[0]] * 20)
    yield from packed("equal rows", "all_rows", lambda p: lines_file(same, p))
