"""JSON texts written from RFC 8259, each with what a strict reader of records must do with it.

`y_`: the grammar allows it and it is read. `n_`: the grammar forbids it and it is refused. `i_`: the grammar allows it
and the standard leaves readers free, or calls what they do unpredictable; our choice stands beside it. Values stand in
a member of one object, since a record is an object; texts that are no object at all are among the `n_`, as
`not_an_object`, where they are JSON.

Refused on purpose though the grammar allows it: names that stand twice (section 4), unpaired surrogates (8.2), integers
beyond 64 bits and numbers beyond a double (6), nesting and counts of keys over the caps (9).
"""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """`expected`: the parsed value of member "v" (numbers as source text), or the reason of the refusal."""

    name: str
    raw: bytes
    accepted: bool
    expected: object


def member(value: bytes) -> bytes:
    return b'{"v": ' + value + b"}"


_NUMBERS = (
    "0 -0 1 -1 10 123456789 0.0 -0.0 0.5 1.5 -1.5 1.10 10.01 0.000001 1e1 1E1 1e+1 1E+1 1e-1 1E-1 1.5e3 -1.5E-3 0e0 "
    "0e1 0E-5 1e308 1e-400 9007199254740993 -9223372036854775808 9223372036854775807 1e00 1.0e007"
)
NUMBERS = _NUMBERS.split()
STRINGS = {
    "empty": (b'""', ""),
    "ascii": (b'"abc"', "abc"),
    "quote": (b'"\\""', '"'),
    "backslash": (b'"\\\\"', "\\"),
    "slash": (b'"\\/"', "/"),
    "slash_plain": (b'"/"', "/"),
    "backspace": (b'"\\b"', "\b"),
    "form_feed": (b'"\\f"', "\f"),
    "line_feed": (b'"\\n"', "\n"),
    "carriage_return": (b'"\\r"', "\r"),
    "tab": (b'"\\t"', "\t"),
    "escape_nul": (b'"\\u0000"', "\0"),
    "escape_letter": (b'"\\u0041"', "A"),
    "escape_lower_hex": (b'"\\u00e9"', "\u00e9"),
    "escape_upper_hex": (b'"\\u00E9"', "\u00e9"),
    "escape_mixed_hex": (b'"\\u20aC"', "\u20ac"),
    "escape_pair": (b'"\\ud83d\\ude00"', "\U0001f600"),
    "escape_pair_upper": (b'"\\uD83D\\uDE00"', "\U0001f600"),
    "escape_pair_last": (b'"\\udbff\\udfff"', "\U0010ffff"),
    "escape_pair_first": (b'"\\ud800\\udc00"', "\U00010000"),
    "escape_noncharacter": (b'"\\uffff"', "\uffff"),
    "escape_bom": (b'"\\ufeff"', "\ufeff"),
    "escape_bidi": (b'"\\u202e"', "\u202e"),
    "escaped_escape": (b'"\\\\u0041"', "\\u0041"),
    "escaped_surrogate_text": (b'"\\\\ud800"', "\\ud800"),
    "escape_then_digits": (b'"\\u00411"', "A1"),
    "delete": (b'"\x7f"', "\x7f"),
    "c1_control": ('"\u0085"'.encode(), "\u0085"),
    "line_separator": ('"\u2028"'.encode(), "\u2028"),
    "paragraph_separator": ('"\u2029"'.encode(), "\u2029"),
    "bom_inside": ('"\ufeff"'.encode(), "\ufeff"),
    "two_bytes": ('"\u00e9"'.encode(), "\u00e9"),
    "three_bytes": ('"\u20ac"'.encode(), "\u20ac"),
    "four_bytes": ('"\U0001f600"'.encode(), "\U0001f600"),
    "last_code_point": ('"\U0010ffff"'.encode(), "\U0010ffff"),
    "noncharacter": ('"\ufdd0"'.encode(), "\ufdd0"),
    "combining": ('"e\u0301"'.encode(), "e\u0301"),
    "not_normalised": ('"\u212b"'.encode(), "\u212b"),
    "brackets": (b'"[{]}"', "[{]}"),
    "comment": (b'"/* no */"', "/* no */"),
    "null_word": (b'"null"', "null"),
    "long": (b'"' + b"x" * 100_000 + b'"', "x" * 100_000),
}
VALUES = {
    "true": (b"true", True),
    "false": (b"false", False),
    "null": (b"null", None),
    "empty_list": (b"[]", []),
    "empty_object": (b"{}", {}),
    "list": (b'[1,"a",null]', ["1", "a", None]),
    "list_in_list": (b"[[[]]]", [[[]]]),
    "object_in_list": (b'[{"a":{}}]', [{"a": {}}]),
    "space_in_list": (b"[ \t 1 \t , 2 ]", ["1", "2"]),
    "space_in_object": (b'{ "a" \t:\t 1 }', {"a": "1"}),
    "many": (b"[" + b",".join([b"0"] * 10_000) + b"]", ["0"] * 10_000),
}
KEYS = {
    "empty": (b'""', ""),
    "escaped": (b'"\\u0061"', "a"),
    "nul": (b'"\\u0000"', "\0"),
    "proto": (b'"__proto__"', "__proto__"),
    "space": (b'" "', " "),
    "utf8": ('"\u20ac"'.encode(), "\u20ac"),
    "number": (b'"1"', "1"),
    "long": (b'"' + b"k" * 10_000 + b'"', "k" * 10_000),
}
AROUND = {
    "spaces": b'  {"v": 1}  ',
    "tabs": b'\t{"v": 1}\t',
    "no_space": b'{"v":1}',
    "tabs_inside": b'{\t"v"\t:\t1\t}',
}

_BAD_NUMBERS = """+1 01 -01 00 .5 -.5 1. -1. 1.e1 1e 1e+ 1e- 1E 1ee1 1e1.5 1.2.3 - -- --1 +-1 0x1 0b1 0o7 1_000 1,5 1d
1f 1L Inf inf nan -nan 1e1e1 0e 0.e1 -e1 e1 1-1 1/2 $1 1%"""
BAD_NUMBERS = (*_BAD_NUMBERS.split(), "\u0661", "\uff11", "1\u00a0", "\u00bd")
NON_FINITE = ("NaN", "Infinity", "-Infinity", "1e309", "-1e309", "1E999999999", "9" * 400)
BAD_STRINGS = {
    "unclosed": b'"abc',
    "single_quotes": b"'abc'",
    "no_quotes": b"abc",
    "backtick": b"`abc`",
    "curly_quotes": "\u201cabc\u201d".encode(),
    "escape_x": b'"\\x41"',
    "escape_a": b'"\\a"',
    "escape_v": b'"\\v"',
    "escape_0": b'"\\0"',
    "escape_octal": b'"\\101"',
    "escape_quote_single": b'"\\\'"',
    "escape_upper_u": b'"\\U00000041"',
    "escape_braces": b'"\\u{41}"',
    "escape_three_digits": b'"\\u041"',
    "escape_no_digits": b'"\\u"',
    "escape_bad_digit": b'"\\u00g1"',
    "escape_plus": b'"\\u+041"',
    "escape_space": b'"\\ 1"',
    "escape_at_the_end": b'"\\',
    "escape_line_feed": b'"\\\t"',
    "escape_utf8": '"\\\u00e9"'.encode(),
    "two": b'"a" "b"',
    "plus": b'"a" + "b"',
    "triple": b'"""a"""',
}
BAD_VALUES = {
    "nothing": b"",
    "True": b"True",
    "FALSE": b"FALSE",
    "nul": b"nul",
    "nulll": b"nulll",
    "None": b"None",
    "undefined": b"undefined",
    "list_open": b"[1",
    "list_closed_twice": b"[1]]",
    "list_wrong_end": b"[1}",
    "list_comma_end": b"[1,]",
    "list_comma_start": b"[,1]",
    "list_two_commas": b"[1,,2]",
    "list_comma_alone": b"[,]",
    "list_colon": b"[1:2]",
    "list_no_comma": b"[1 2]",
    "list_semicolon": b"[1;2]",
    "object_open": b'{"a":1',
    "object_wrong_end": b'{"a":1]',
    "object_comma_end": b'{"a":1,}',
    "object_comma_start": b'{,"a":1}',
    "object_two_commas": b'{"a":1,,"b":2}',
    "object_no_value": b'{"a":}',
    "object_no_colon": b'{"a" 1}',
    "object_equals": b'{"a"=1}',
    "object_two_colons": b'{"a"::1}',
    "object_key_number": b"{1:1}",
    "object_key_bare": b"{a:1}",
    "object_key_single": b"{'a':1}",
    "object_key_null": b"{null:1}",
    "object_key_list": b"{[]:1}",
    "object_key_alone": b'{"a"}',
    "comment_block": b"/* c */ 1",
    "comment_behind": b"1 /* c */",
    "parentheses": b"(1)",
    "angle": b"<null>",
    "control": b"\x01",
    "escape_outside": b"\\u0031",
    "form_feed_space": b"\x0c1",
    "vertical_tab_space": b"\x0b1",
    "no_break_space": "\u00a01".encode(),
    "ogham_space": "\u16801".encode(),
    "line_separator_space": "\u20281".encode(),
    "word_joiner": "\u20601".encode(),
    "nul_byte": b"\x001",
    "star": b"*",
    "spread": b"[...1]",
}
BAD_TEXTS = {
    "open_brace": b"{",
    "close_brace": b"}",
    "close_bracket": b"]",
    "comma": b",",
    "colon": b":",
    "quote": b'"',
    "bom_inside": b'{"v": 1, \xef\xbb\xbf"w": 2}',
    "hash_comment": b"# comment",
    "slash_comment": b"// comment",
    "xml": b"<a/>",
    "assignment": b'x = {"v": 1}',
    "callback": b'f({"v": 1})',
    "guard": b')]}\',{"v": 1}',
}
TRAILING = {
    "second_object": b'{"v": 1}{"v": 2}',
    "comma": b'{"v": 1},',
    "brace": b'{"v": 1}}',
    "bracket": b'{"v": 1}]',
    "word": b'{"v": 1}x',
    "comment": b'{"v": 1}//',
    "hash": b'{"v": 1} #',
    "nul": b'{"v": 1}\x00',
    "semicolon": b'{"v": 1};',
}
OTHER_ROOTS = {"list": b"[1]", "string": b'"a"', "number": b"1", "true": b"true", "null": b"null", "empty_list": b"[]"}
BAD_BYTES = {
    "lone_continuation": b"\x80",
    "lone_lead": b"\xc3",
    "overlong": b"\xc0\x80",
    "surrogate": b"\xed\xa0\x80",
    "beyond": b"\xf4\x90\x80\x80",
    "fe": b"\xfe",
    "ff": b"\xff",
}
FREE: dict[str, tuple[bytes, str]] = {
    "name_twice": (b'{"v": 1, "v": 2}', "duplicate_key"),
    "name_twice_equal": (b'{"v": 1, "v": 1}', "duplicate_key"),
    "name_twice_escaped": (b'{"v": 1, "\\u0076": 2}', "duplicate_key"),
    "name_twice_nested": (b'{"v": {"a": 1, "a": 2}}', "duplicate_key"),
    "name_twice_in_a_list": (b'{"v": [{"a": 1, "a": 2}]}', "duplicate_key"),
    "high_surrogate": (member(b'"\\ud800"'), "lone_surrogate"),
    "low_surrogate": (member(b'"\\udfff"'), "lone_surrogate"),
    "surrogates_swapped": (member(b'"\\ude00\\ud83d"'), "lone_surrogate"),
    "surrogate_and_text": (member(b'"a\\ud800b"'), "lone_surrogate"),
    "surrogate_and_escape": (member(b'"\\ud800\\u0041"'), "lone_surrogate"),
    "high_and_pair": (member(b'"\\ud83d\\ud83d\\ude00"'), "lone_surrogate"),
    "surrogate_key": (b'{"\\udead": 1}', "lone_surrogate"),
    "deep_lists": (member(b"[" * 64 + b"]" * 64), "too_deep"),
    "very_deep_lists": (member(b"[" * 100_000 + b"]" * 100_000), "too_deep"),
    "deep_objects": (b'{"v":' * 100 + b"1" + b"}" * 100, "too_deep"),
    "many_keys": (b"{" + b",".join(b'"%d":1' % i for i in range(1_001)) + b"}", "too_many_keys"),
    "integer_of_65_bits": (member(b"9223372036854775808"), "integer_too_large"),
    "negative_integer_of_65_bits": (member(b"-9223372036854775809"), "integer_too_large"),
    "integer_of_300_digits": (member(b"1" * 300), "integer_too_large"),
    **{f"number_{name[:12]}": (member(name.encode()), "non_finite_number") for name in NON_FINITE[3:]},
}


def texts() -> list[Text]:
    """Every text, each name once."""
    made = [Text(f"y_number_{n}", member(n.encode()), True, n) for n in NUMBERS]
    made += [Text(f"y_string_{n}", member(raw), True, value) for n, (raw, value) in STRINGS.items()]
    made += [Text(f"y_value_{n}", member(raw), True, value) for n, (raw, value) in VALUES.items()]
    made += [Text(f"y_key_{n}", member(b"{" + raw + b":0}"), True, {key: "0"}) for n, (raw, key) in KEYS.items()]
    made += [Text(f"y_around_{n}", raw, True, "1") for n, raw in AROUND.items()]
    made += [Text(f"n_number_{i:02d}", member(n.encode()), False, "not_json") for i, n in enumerate(BAD_NUMBERS)]
    made += [Text(f"n_number_{n}", member(n.encode()), False, "non_finite_number") for n in NON_FINITE[:3]]
    made += [Text(f"n_string_{n}", member(raw), False, "not_json") for n, raw in BAD_STRINGS.items()]
    raws = [(c, member(b'"' + bytes([c]) + b'"')) for c in range(32) if c != 10]
    made += [Text(f"n_control_{c:02x}", raw, False, "not_json") for c, raw in raws]
    made += [Text(f"n_value_{n}", member(raw), False, "not_json") for n, raw in BAD_VALUES.items()]
    made += [Text(f"n_text_{n}", raw, False, "not_json") for n, raw in BAD_TEXTS.items()]
    made += [Text(f"n_trailing_{n}", raw, False, "trailing_data") for n, raw in TRAILING.items()]
    made += [Text(f"n_root_{n}", raw, False, "not_an_object") for n, raw in OTHER_ROOTS.items()]
    made += [Text(f"n_utf8_{n}", member(b'"' + raw + b'"'), False, "invalid_utf8") for n, raw in BAD_BYTES.items()]
    made += [Text(f"i_{n}", raw, False, reason) for n, (raw, reason) in FREE.items()]
    return made
