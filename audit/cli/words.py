"""Figures and row text as a terminal may show them."""

from __future__ import annotations

from rich.text import Text

from audit.text import safe_text


def plain(text: str, style: str = "", limit: int | None = None) -> Text:
    """Text that is shown as it is: no markup is read in it, and what cannot be seen is spelled out."""
    return Text(safe_text(text, limit), style=style)


def amount(count: int, noun: str) -> str:
    """`1 row`, `12,345 rows`; `noun` is a plural in s.

    >>> amount(1, "rows")
    '1 row'
    """
    return f"{count:,} {noun[:-1] if count == 1 and noun.endswith('s') else noun}"


def seconds(value: float) -> str:
    """Seconds as a person reads them: 0.4 s, 12 s, 3 min 05 s."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def size(count: int) -> str:
    """Bytes as a person reads them, in powers of 1,000."""
    value, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):  # noqa: B007
        if value < 1000:
            break
        value /= 1000
    return f"{value:,.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:,.1f} {unit}"
