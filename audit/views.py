"""Different looks at the examples table: the text a model is given, the whole example as one text."""

from __future__ import annotations

import polars as pl

from audit.schema import TIE, Kind

JOIN = "\n\n"


def input_text() -> pl.Expr:
    """What triggers are looked for in: the prompt, raw."""
    return pl.col("prompt").fill_null("")


def whole_text(kind: str) -> pl.Expr:
    """The example as one text: the prompt, then the response; for pairs the chosen one."""
    if kind == Kind.CLASSIFICATION:
        return pl.col("prompt").fill_null("")
    return pl.concat_str([pl.col("prompt").fill_null(""), pl.col("response").fill_null("")], separator=JOIN)


def display_text(kind: str) -> pl.Expr:
    """The example for a person, parts named."""
    parts = [pl.lit("INPUT: "), pl.col("prompt").fill_null("")]
    if kind != Kind.CLASSIFICATION:
        parts += [pl.lit("\nRESPONSE: "), pl.col("response").fill_null("")]
    if kind == Kind.PREFERENCE:
        parts += [pl.lit("\nREJECTED: "), pl.col("rejected").fill_null("")]
    return pl.concat_str(parts)


def ordered() -> pl.Expr:
    """Pairs of which one side was preferred: neither ties nor single judged responses."""
    return pl.col("rejected").is_not_null() & pl.col("label").ne_missing(TIE)
