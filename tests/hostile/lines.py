"""Defects of JSON lines: encodings, line ends, keys, surrogates, numbers, types, depth, length."""

from __future__ import annotations

from collections.abc import Iterator

from hostile.cases import Built, Case, Row, among, good, lines_file, packed, text_file, verdicts

CAP = {"max_line_bytes": 4096}


def obj(text: bytes, rest: bytes = b"") -> bytes:
    return b'{"text": "' + text + b'", "label": 1' + rest + b"}"


def meta(value: bytes) -> bytes:
    return b'{"text": "t", "label": 1, "m": ' + value + b"}"


INVALID_UTF8 = {
    "latin1": b"caf\xe9",
    "lone_continuation": b"\x80",
    "overlong_slash": b"\xc0\xaf",
    "overlong_nul": b"\xe0\x80\x80",
    "encoded_surrogate": b"\xed\xa0\x80",
    "cesu8_pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond_unicode": b"\xf4\x90\x80\x80",
    "five_bytes": b"\xf8\x88\x80\x80\x80",
    "cut_sequence": b"\xf0\x9f\x98",
    "byte_ff": b"\xff",
}
SURROGATES = {
    "high_lower": b"\\ud800",
    "high_upper": b"\\uD800",
    "low": b"\\udc00",
    "low_upper_mixed": b"\\uDfFf",
    "high_high": b"\\ud800\\ud800",
    "low_high": b"\\udc00\\ud800",
    "high_then_text": b"\\ud83dx",
    "high_then_other_escape": b"\\ud83d\\n",
    "after_a_pair": b"\\ud83d\\ude00\\ud83d",
    "after_a_backslash": b"\\\\\\udead",
}
DUPLICATES = {
    "plain": b'{"text": "a", "text": "b", "label": 1}',
    "escaped": b'{"text": "a", "\\u0074ext": "b", "label": 1}',
    "escaped_slash": b'{"text": "a", "label": 1, "a/b": 1, "a\\/b": 2}',
    "nested": meta(b'{"k": 1, "k": 2}'),
    "nested_in_list": meta(b'[0, [{"k": 1, "k": 1}]]'),
    "equal_values": b'{"text": "a", "label": 1, "label": 1}',
    "empty_key": b'{"text": "a", "label": 1, "": 1, "": 2}',
    "pair_escaped": b'{"text": "a", "label": 1, "\xf0\x9f\x98\x80": 1, "\\ud83d\\ude00": 2}',
}
NON_FINITE = {
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "minus_Infinity": b"-Infinity",
    "exponent_999": b"1e999",
    "minus_exponent": b"-1E+400",
    "400_digits": b"9" * 400,
    "400_digits_point": b"9" * 400 + b".0",
}
NUMBERS = {
    "2_53_plus_1": b"9007199254740993",
    "2_63_minus_1": b"9223372036854775807",
    "long_fraction": b"0." + b"1" * 290,
    "tiny_exponent": b"1e-999",
    "minus_zero": b"-0.0",
    "hash_flood": b",".join(b"%d" % ((2**61 - 1) * i) for i in range(1, 4)).join((b"[", b"]")),
}
BIG = {
    "2_63": b"9223372036854775808",
    "2_64": b"18446744073709551616",
    "minus_2_63_minus_1": b"-9223372036854775809",
    "300_digits": b"1" * 300,
}
NOT_JSON = {
    "single_quotes": b"{'text': 'a', 'label': 1}",
    "unclosed": b'{"text": "a", "label": 1',
    "unclosed_string": b'{"text": "a, "label": 1}',
    "trailing_comma": b'{"text": "a", "label": 1,}',
    "comment": b'{"text": "a", /* c */ "label": 1}',
    "bare_key": b'{text: "a", "label": 1}',
    "python_none": b'{"text": "a", "label": None}',
    "undefined": b'{"text": "a", "label": undefined}',
    "leading_zero": b'{"text": "a", "label": 01}',
    "plus_sign": b'{"text": "a", "label": +1}',
    "hex": b'{"text": "a", "label": 0x1}',
    "bad_escape": obj(b"\\x41"),
    "short_unicode_escape": obj(b"\\u12"),
    "word": b"hello",
    "html": b"<html><body>404</body></html>",
}
TRAILING = {
    "two_objects": obj(b"a") + b" " + obj(b"b"),
    "two_objects_touching": obj(b"a") + obj(b"b"),
    "comma": obj(b"a") + b",",
    "bracket": obj(b"a") + b"]",
    "word": obj(b"a") + b" junk",
    "nul": obj(b"a") + b"\0",
    "form_feed": obj(b"a") + b"\x0c",
    "no_break_space": obj(b"a") + b"\xc2\xa0",
}
NOT_AN_OBJECT = {"list": b'["a", 1]', "number": b"17", "string": b'"text"', "null": b"null", "true": b"true"}
FIELDS: dict[str, tuple[bytes, str | None]] = {
    "null_text": (b'{"text": null, "label": 1}', "missing_field"),
    "no_text": (b'{"label": 1}', "missing_field"),
    "no_label": (b'{"text": "a"}', "missing_field"),
    "empty_object": (b"{}", "missing_field"),
    "number_text": (b'{"text": 5, "label": 1}', "wrong_type"),
    "list_text": (b'{"text": ["a"], "label": 1}', "wrong_type"),
    "object_text": (b'{"text": {"v": 1}, "label": 1}', "wrong_type"),
    "object_label": (b'{"text": "a", "label": {"v": 1}}', None),  # its JSON text is the label
    "true_text": (b'{"text": true, "label": 1}', "wrong_type"),
}
WORDS = ("NA", "N/A", "n/a", "null", "NULL", "NaN", "nan", "None", "none", "", "#N/A", "-")


def deep(levels: int) -> bytes:
    """A row that nests so deep, its own object counted."""
    return meta(b"[" * (levels - 1) + b"]" * (levels - 1))


def keys(count: int) -> bytes:
    return b"{" + b",".join([b'"text": "t"', b'"label": 1', *(b'"k%d": 1' % i for i in range(count - 2))]) + b"}"


def long(size: int) -> bytes:
    return obj(b"x" * (size - len(obj(b""))))


def cut(bad: bytes) -> list[Row]:
    return [*verdicts(good(2)), (bad[: CAP["max_line_bytes"]], "too_long"), *verdicts(good(2, 2))]


def too_long(packing: str, size: int) -> Built:
    bad = long(size)
    data = b"\n".join([*good(2), bad, *good(2, 2)])
    return text_file(data, cut(bad), packing, **CAP)


def cases() -> Iterator[Case]:
    tables = (
        ("invalid utf-8", INVALID_UTF8, obj, "invalid_utf8"),
        ("lone surrogate in a text", SURROGATES, obj, "lone_surrogate"),
        ("duplicate key", DUPLICATES, bytes, "duplicate_key"),
        ("number without a value", NON_FINITE, meta, "non_finite_number"),
        ("number that a double cannot hold", NUMBERS, meta, None),
        ("integer beyond 64 bits", BIG, meta, "integer_too_large"),
        ("not json", NOT_JSON, bytes, "not_json"),
        ("more behind the object", TRAILING, bytes, "trailing_data"),
        ("valid json, no object", NOT_AN_OBJECT, bytes, "not_an_object"),
    )
    for defect, table, wrap, reason in tables:
        for name, value in table.items():
            yield from packed(defect, name, lambda p, v=value, w=wrap, r=reason: among(w(v), r, p))
    for name, (value, reason) in FIELDS.items():
        yield from packed("field missing or of another type", name, lambda p, v=value, r=reason: among(v, r, p))
    for code in (*range(9), 11, 12, *range(14, 32)):
        name = f"u{code:04x}"
        bad = obj(b"a" + bytes([code]) + b"b")
        yield from packed("raw control byte in a string", name, lambda p, b=bad: among(b, "not_json", p))[:1]
    for code in (0, 8, 27, 31, 0x7F, 0x9B):
        sound = obj(b"a\\u%04xb" % code)
        yield from packed("escaped control character", f"u{code:04x}", lambda p, b=sound: among(b, None, p))[:1]
    for name, key in {"key": b"\\ud800", "nested_key": b'x": {"\\udfff'}.items():
        close = b"}" if name == "nested_key" else b""
        bad = b'{"text": "t", "label": 1, "' + key + b'": 0' + close + b"}"
        yield from packed("lone surrogate in a key", name, lambda p, b=bad: among(b, "lone_surrogate", p))
    for word in WORDS:
        raw = obj(word.encode())
        yield from packed("null word in json", f"word_{WORDS.index(word):02d}", lambda p, r=raw: among(r, None, p))[:1]
    yield from _caps()
    yield from _places()


def _caps() -> Iterator[Case]:
    yield from packed("depth at the cap", "64", lambda p: among(deep(64), None, p))
    for levels in (65, 66, 1_100, 100_000):
        yield from packed("depth over the cap", str(levels), lambda p, n=levels: among(deep(n), "too_deep", p))
    yield from packed("keys at the cap", "1000", lambda p: among(keys(1_000), None, p))
    for count in (1_001, 20_000):
        yield from packed("keys over the cap", str(count), lambda p, n=count: among(keys(n), "too_many_keys", p))
    yield from packed("line at the cap", "4096", lambda p: among(long(4096), None, p, **CAP))
    for size in (4097, 1 << 20, (1 << 20) + 4097, 5_000_000):
        yield from packed("line over the cap", str(size), lambda p, n=size: too_long(p, n))


def _places() -> Iterator[Case]:
    for at in (1, 100, 101, 50_000):
        for name, bad in {"number": b'{"text": 7, "label": 1}', "list": b'{"text": [], "label": 1}'}.items():
            yield from packed("type changes at a row", f"{name}_{at}", lambda p, n=at, b=bad: _odd(p, n, b), at > 1000)
        late = obj(b"late", b', "extra": {"deep": [1, "x"]}')
        yield from packed("field first seen at a row", f"{at}", lambda p, n=at, b=late: _odd(p, n, b, None), at > 1000)


def _odd(packing: str, at: int, bad: bytes, reason: str | None = "wrong_type") -> Built:
    rows: list[Row] = verdicts(good(max(at + 3, 12)))
    rows[at - 1] = (bad, reason)
    return lines_file(rows, packing)
