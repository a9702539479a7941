"""Defects of csv, tsv and .json files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hostile.cases import Built, Case, Row, good, packed, text_file, verdicts
from hostile.lines import DUPLICATES, NON_FINITE, SURROGATES, WORDS, meta, obj

HEAD = b"text,label\n"


def table(
    rows: Sequence[Row], packing: str, end: bytes = b"\n", head: bytes = b"text,label", name: str = "d.csv"
) -> Built:
    data = head + end + b"".join(raw + end for raw, _ in rows if raw is not None)
    return text_file(data, rows, packing, name)


def sound(count: int = 3) -> list[Row]:
    return verdicts([b"row %d,%d" % (i, i % 2) for i in range(count)])


CSV_ROWS: dict[str, dict[str, tuple[bytes, str | None]]] = {
    "ragged csv": {
        "short": (b"alone", "ragged_row"),
        "long": (b"a,1,extra", "ragged_row"),
        "very_long": (b"a,1" + b",x" * 5_000, "ragged_row"),
        "trailing_comma": (b"a,1,", "ragged_row"),
    },
    "bad quotes in csv": {
        "text_behind": (b'"a"b,1', "bad_quoting"),
        "quote_inside": (b'a"b,1', "bad_quoting"),
        "never_closed": (b'"a,1', "bad_quoting"),
    },
    "quoted csv": {
        "comma": (b'"a, b",1', None),
        "doubled": (b'"say ""hi""",1', None),
        "line_break": (b'"two\nlines",1', None),
        "crlf_inside": (b'"two\r\nlines",1', None),
        "cr_inside": (b'"two\rlines",1', None),
        "empty_quotes": (b'"",1', None),
    },
    "carriage return outside of quotes": {"middle": (b"a\rb,1", "stray_carriage_return")},
    "csv that is not utf-8": {"latin1": (b"caf\xe9,1", "invalid_utf8"), "ff": (b"\xff\xfe,1", "invalid_utf8")},
    "odd characters in csv": {
        "nul": (b"a\0b,1", None),
        "formula": (b"=HYPERLINK(1),1", None),
        "escape": (b"\x1b[31mred,1", None),
        "leading_zero": (b"007,01", None),
        "spaces": (b"  padded  , 1 ", None),
    },
}


def cases() -> Iterator[Case]:
    for defect, rows in CSV_ROWS.items():
        for name, row in rows.items():
            yield from packed(defect, name, lambda p, r=row: table([*sound(), r, *sound(2)], p))
    for number, word in enumerate(WORDS):
        yield from packed("null word in csv", f"word_{number:02d}", lambda p, w=word: _null_word(w, p))
    yield from packed("null words in a whole column", "csv", lambda p: _null_words(p, ",", "d.csv"))
    yield from packed("null words in a whole column", "tsv", lambda p: _null_words(p, "\t", "d.tsv"))
    for name, end in {"crlf": b"\r\n", "lf": b"\n"}.items():
        yield from packed("csv line ends", name, lambda p, e=end: table(sound(4), p, e))
    cr = b"text,label\rrow 0,0\rrow 1,1"
    yield from packed("csv with cr alone", "all", lambda p: text_file(cr, [(cr, "bad_header")], p, "d.csv"))
    yield from packed("byte-order mark in csv", "start", lambda p: _marked(p))
    yield from _headers()
    yield from _tabs()
    yield from _arrays()


def _null_word(word: str, packing: str) -> Built:
    def check(got) -> None:
        assert got.examples["prompt"].to_list()[3] == word
        assert got.examples["label"].null_count() == 0

    built = table([*sound(), (word.encode() + b",1", None), *sound(2)], packing)
    built.check = check
    return built


def _null_words(packing: str, mark: str, name: str) -> Built:
    """All twelve as text, as label and as one more column, which is not a column of nulls to us."""
    raws = [mark.join((f"text {i}", word, word)).encode() for i, word in enumerate(WORDS)]

    def check(got) -> None:
        assert got.examples["label"].to_list() == list(WORDS)

    head = mark.join(("text", "label", "note")).encode()
    built = table(verdicts(raws), packing, head=head, name=name)
    built.check = check
    built.settings = {"kind": "classification"}
    return built


def _marked(packing: str) -> Built:
    rows = sound(3)
    data = b"\xef\xbb\xbf" + HEAD + b"\n".join(raw for raw, _ in rows if raw is not None)
    return text_file(data, rows, packing, "d.csv")


def _headers() -> Iterator[Case]:
    bad = {
        "a_name_twice": b"text,label,text",
        "not_utf8": b"t\xe9xt,label",
        "bad_quotes": b'"text"x,label',
        "cr_inside": b"te\rxt,label",
    }
    for name, head in bad.items():
        rows: list[Row] = [(head, "bad_header"), (b"row 0,0", "bad_header"), (b"row 1,1", "bad_header")]
        data = head + b"\nrow 0,0\nrow 1,1\n"
        yield from packed("bad csv header", name, lambda p, d=data, r=rows: text_file(d, r, p, "d.csv"))
    yield from packed("csv without rows", "header_alone", lambda p: text_file(HEAD, [], p, "d.csv"))
    yield from packed("csv without rows", "empty", lambda p: text_file(b"", [], p, "d.csv"))


def _tabs() -> Iterator[Case]:
    rows: dict[str, tuple[bytes, str | None]] = {
        "quote_is_text": (b'5" disk\t1', None),
        "comma_is_text": (b"a, b\t1", None),
        "short": (b"alone", "ragged_row"),
        "long": (b"a\t1\tx", "ragged_row"),
        "not_utf8": (b"\xe9\t1", "invalid_utf8"),
    }
    for name, row in rows.items():
        some = verdicts([b"row %d\t%d" % (i, i % 2) for i in range(3)])
        yield from packed("tsv", name, lambda p, r=row, s=some: table([*s, r], p, head=b"text\tlabel", name="d.tsv"))


def _arrays() -> Iterator[Case]:
    bad: dict[str, tuple[bytes, str]] = {
        "duplicate_key": (DUPLICATES["escaped"], "duplicate_key"),
        "surrogate": (obj(SURROGATES["low"]), "lone_surrogate"),
        "infinity": (meta(NON_FINITE["exponent_999"]), "non_finite_number"),
        "nan": (meta(b"NaN"), "non_finite_number"),
        "number": (b"17", "not_an_object"),
        "list": (b"[1, 2]", "not_an_object"),
        "not_utf8": (obj(b"\xff"), "invalid_utf8"),
        "too_deep": (meta(b"[" * 80 + b"]" * 80), "too_deep"),
    }
    for name, row in bad.items():
        rows: list[Row] = [*verdicts(good(3)), row, *verdicts(good(2, 3))]
        yield from packed("bad element of a json list", name, lambda p, r=rows: _array(r, p))
    sound_rows = verdicts(good(4))
    shapes = {
        "bare": (b"[", b"]"),
        "spaced": (b" \n[ ", b" ]\n"),
        "mark": (b"\xef\xbb\xbf[", b"]"),
        "wrapped": (b'{"version": 1, "rows": [', b"]}"),
        "wrapped_behind": (b'{"rows": [', b'], "note": "x"}'),
    }
    for name, (start, end) in shapes.items():
        yield from packed("json around its rows", name, lambda p, s=start, e=end: _array(sound_rows, p, s, e))
    twice: list[Row] = [*sound_rows, (b'], "rows": 5}', "duplicate_key")]
    yield from packed("json envelope unsound", "key_twice", lambda p: _tail(twice, b'{"rows": [', p))
    junk: list[Row] = [*sound_rows, (b"] trailing", "trailing_data")]
    yield from packed("json envelope unsound", "junk", lambda p: _tail(junk, b"[", p))
    open_end: list[Row] = [*sound_rows, (b"", "truncated_input")]
    yield from packed("json envelope unsound", "never_closed", lambda p: _tail(open_end, b"[", p))
    for name, data in {"object": b'{"a": 1}', "number": b"3", "two_lists": b'{"a": [{}], "b": [{}]}'}.items():
        yield from packed("json without rows", name, lambda p, d=data: text_file(d, [], p, "d.json"))
    yield from packed("json without rows", "empty_list", lambda p: text_file(b"[]", [], p, "d.json"))
    lines = b"\n".join(good(4))
    yield from packed("json lines named .json", "lines", lambda p: text_file(lines, sound_rows, p, "d.json"))


def _array(rows: Sequence[Row], packing: str, start: bytes = b"[", end: bytes = b"]") -> Built:
    return text_file(start + b",\n".join(raw for raw, _ in rows if raw is not None) + end, rows, packing, "d.json")


def _tail(rows: Sequence[Row], start: bytes, packing: str) -> Built:
    """The last row is what follows the list's last element."""
    data = start + b",\n".join(raw for raw, _ in rows[:-1] if raw is not None) + (rows[-1][0] or b"")
    return text_file(data, rows, packing, "d.json")
