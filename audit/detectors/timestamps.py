"""When a row was made, read from the text of its `created_at`: ISO 8601 and its common variants, mail dates, English
month names, and seconds, milliseconds, microseconds or nanoseconds since 1970. Without an offset a time counts as UTC.
What is none of these abstains, and so does 03/04/2024, which is April or March.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

_EARLIEST, _LATEST = 631_152_000.0, 4_102_444_800.0  # 1990 and 2100
_UNITS = (1.0, 1e3, 1e6, 1e9)  # of numbers, per second; no two put one number between 1990 and 2100
_OFFSET = r"(?::\d\d|[Tt ]\d{6})(?:\.\d+)?(?:\s?[AaPp][Mm])?\s*(Z|z|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)$"
_CLOCKS = (
    *("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y%m%d %H%M%S", "%a, %d %b %Y %H:%M:%S", "%d %b %Y %H:%M:%S"),
    *("%a %b %d %H:%M:%S %Y", "%b %d, %Y %I:%M:%S %p", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M %p"),
    *("%b %d, %Y, %I:%M %p", "%d %b %Y %H:%M"),
)
_DATES = ("%Y-%m-%d", "%Y%m%d", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y")
_LONGEST = 40  # characters; what is longer is no time

Array = NDArray[np.float64]


def seconds(column: pl.Series) -> Array:
    """(n,) seconds since 1970, NaN where the text is no time between 1990 and 2100."""
    text = column.str.strip_chars()
    frame = pl.DataFrame({"text": pl.select(pl.when(text.str.len_chars() <= _LONGEST).then(text)).to_series()})
    offset = pl.col("text").str.extract(_OFFSET)
    plain = pl.col("text").str.replace(r"\s*(?:Z|z|UTC|GMT)$", "")
    plain = pl.when(offset.is_null()).then(pl.col("text")).otherwise(plain.str.replace(r"\s*[+-]\d\d:?(?:\d\d)?$", ""))
    plain = plain.str.replace(r"^(\d{4})/(\d\d?)/(\d\d?)", "$1-$2-$3").str.replace(r"^(\d{4}-?\d\d-?\d\d)[Tt]", "$1 ")
    frame = frame.with_columns(plain=plain, shift=_shift(offset))
    clocks = [pl.col("plain").str.to_datetime(f, strict=False, time_unit="us", ambiguous="null") for f in _CLOCKS]
    dates = [pl.col("plain").str.to_date(f, strict=False).cast(pl.Datetime("us")) for f in _DATES]
    read = frame.select(at=pl.coalesce(*clocks, *dates).dt.epoch("us") / 1e6 - pl.col("shift"))["at"]
    number = frame["text"].cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    out = np.asarray(read.fill_null(float("nan")).to_numpy(), dtype=np.float64).copy()
    for unit in _UNITS:
        use = np.isnan(out) & (number / unit >= _EARLIEST) & (number / unit <= _LATEST)
        out[use] = number[use] / unit
    out[~((out >= _EARLIEST) & (out <= _LATEST))] = np.nan
    return out


def resolution(at: Array) -> float:
    """Seconds in which these times were written down: 86,400, 60, 1 or 0 for finer ones."""
    for step in (86_400.0, 60.0, 1.0):
        if len(at) and (np.mod(at, step) == 0).all():
            return step
    return 0.0


def written(at: float) -> str:
    """A time for a sentence, in UTC and to the minute."""
    return str(np.datetime_as_string(np.datetime64(int(at), "s"), unit="m")).replace("T", " ")


def _shift(offset: pl.Expr) -> pl.Expr:
    """Seconds that an offset is ahead of UTC; null where it is none that exists."""
    digits = offset.str.replace_all(r"\D", "")
    hours = digits.str.slice(0, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(2).cast(pl.Int64, strict=False).fill_null(0)
    named = offset.is_null() | offset.is_in(["Z", "z", "UTC", "GMT"])
    sign = pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)
    known = (hours <= 15) & (minutes < 60)
    return pl.when(named).then(0).when(known).then(sign * (hours * 3600 + minutes * 60)).otherwise(None)
