"""Text for viewers that may read markup in it: SARIF viewers, test dashboards, dataset hubs.

Nothing can be escaped for a viewer that is not known, so the characters that HTML, markdown, message links and
mentions begin with are put down as look-alikes. The exact text stands in the report and in the run directory.
"""

from __future__ import annotations

import re

from audit.text import safe_text

# Each of these begins something in some viewer: a tag, a link, a placeholder, code, a mention, a table cell, an escape.
_LOOKS = str.maketrans("<>[]{}`@|\\&", "‹›⁅⁆❴❵ˋ＠¦⧵＆")
_LINK = re.compile("(?<=:)//|(?<=www)\\.|(?<=mailto):|(?<=script):|(?<=data):", re.IGNORECASE)
_LINK_LOOKS = {"//": "∕∕", ".": "․", ":": "։"}


def inert(text: str, limit: int = 300) -> str:
    """One line of at most about `limit` characters in which no viewer finds markup, a link or a mention; invisible
    characters are spelled out.

    >>> inert("<b>see [this](https://x)</b>")
    '‹b›see ⁅this⁆(https:∕∕x)‹/b›'
    """
    shown = safe_text(text[: limit + 1], limit).translate(_LOOKS)
    return _LINK.sub(lambda found: _LINK_LOOKS[found.group()], shown)


def xml_text(text: str) -> str:
    """Text of which every character may stand in XML 1.0; others, control characters first, are spelled out.

    >>> xml_text("a\\x00b")
    'a⟦U+0000⟧b'
    """
    return "".join(c if _in_xml(ord(c)) else f"⟦U+{ord(c):04X}⟧" for c in text)


def _in_xml(code: int) -> bool:
    """The characters of XML 1.0, less CR, which parsers turn into a newline."""
    return code in (0x9, 0xA) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
