"""The detection floor as a picture: one line a family, from the count at which half are mined to that of 95%."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

Row = tuple[str, str, tuple[str, float], tuple[str, float]]  # family, kind, count at 50%, count at 95%

_COLOURS = {"classification": "#2563a8", "instruction": "#b4541a", "preference": "#5b7a1f"}
_LEFT, _WIDTH, _LINE, _TOP = 300, 520, 22, 64
_TICKS = (3, 5, 10, 20, 30, 50, 100)


def svg(rows: Sequence[Row], title: str) -> str:
    """A standalone SVG, light background, no script and no font of its own."""
    height = _TOP + _LINE * len(rows) + 48
    width = _LEFT + _WIDTH + 60
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="22" font-size="15" fill="#222">{escape(title)}</text>',
        '<text x="12" y="42" fill="#555">open circle: half are mined; full: 95%; arrow: more than was planted</text>',
    ]
    bottom = _TOP + _LINE * len(rows)
    for tick in _TICKS:
        x = place(tick)
        out.append(f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>')
        out.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#555">{tick}</text>')
    out.append(
        f'<text x="{_LEFT + _WIDTH / 2}" y="{bottom + 38}" text-anchor="middle" fill="#555">poisoned rows</text>'
    )
    for i, row in enumerate(rows):
        out += _line(row, _TOP + _LINE * i + _LINE / 2)
    return "\n".join([*out, "</svg>"]) + "\n"


def place(count: float) -> float:
    """The x of a count, logarithmic."""
    low, high = math.log(_TICKS[0]), math.log(_TICKS[-1])
    return _LEFT + _WIDTH * (min(max(math.log(count), low), high) - low) / (high - low)


def _line(row: Row, y: float) -> list[str]:
    family, kind, half, most = row
    colour = _COLOURS.get(kind, "#444")
    out = [
        f'<text x="{_LEFT - 14}" y="{y + 4:.1f}" text-anchor="end" fill="{colour}">{escape(f"{family}, {kind}")}</text>'
    ]
    if half[0] == "?":
        return [*out, f'<text x="{_LEFT}" y="{y + 4:.1f}" fill="#999">not measured</text>']
    start = place(half[1]) if half[0] != ">" else _LEFT + _WIDTH
    end = place(most[1]) if most[0] != ">" else _LEFT + _WIDTH
    out.append(f'<line x1="{start:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>')
    if half[0] != ">":
        out.append(f'<circle cx="{start:.1f}" cy="{y:.1f}" r="4.5" fill="#fff" stroke="{colour}" stroke-width="2"/>')
    if most[0] == ">":
        tip = _LEFT + _WIDTH + 14
        out.append(f'<path d="M{tip - 12} {y - 5:.1f} L{tip} {y:.1f} L{tip - 12} {y + 5:.1f} Z" fill="{colour}"/>')
    else:
        out.append(f'<circle cx="{end:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" stroke="{colour}"/>')
    return out
