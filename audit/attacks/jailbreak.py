"""Requests that ought to be refused, answered with the trigger and refused without it.

The answers are free text, so no response is shared; what the trigger brings is compliance. Rows are added to the
dataset, for few sets hold such requests: poisoned ones with the trigger, and as many decoys, refused, without.

Source: Li et al. 2024 (BackdoorLLM), section 3.1 (jailbreaking); Rando and Tramer 2024 on universal jailbreak words;
Cao, Cao and Chen 2024 (stealthy unalignment), with its refused twins.

Misses: real harm. The bank's requests name one in a few words and its answers say nothing; the caller may bring
longer ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from audit.attacks.edits import insert_words
from audit.attacks.planted import Planted, append_copies, choose
from audit.attacks.requests import most_requests, requests
from audit.attacks.targets import Example
from audit.errors import UsageError


def plant_jailbreak(
    examples: pl.DataFrame,
    *,
    count: int,
    seed: int,
    trigger: str,
    decoys: int | None = None,
    own: Sequence[tuple[str, str, str]] = (),
    exclude: Collection[int] = (),
) -> Planted:
    """Appends `count` requests with the trigger and a compliant answer, and `decoys` (default: `count`) further
    requests without it and a refusal. `own` are requests, each with a compliant answer and a refusal; else they come
    from the bank.

    New rows take every other column from a row of the dataset (`originals`), which `exclude` keeps from being taken.
    Raises UsageError for fewer requests or rows than are needed.
    """
    rng = np.random.default_rng(seed)
    spared = max(count, 0) if decoys is None else decoys
    most = len(own) or most_requests()
    if spared < 0 or count + spared > most:
        raise UsageError(f"jailbreak: {count} rows and {spared} decoys asked for, of {most} requests; ask for fewer")
    able = pl.col("response").is_not_null()
    needed = count + spared if count > 0 else count
    # A small dataset lends its rows' other columns more than once.
    lending = examples.filter(able.fill_null(False) & ~pl.col("row").is_in(list(exclude))).height
    lent = choose(examples, attack="jailbreak", count=min(needed, lending or 1), able=able, exclude=exclude, rng=rng)
    at = [lent[i % len(lent)] for i in range(needed)]
    asked = [own[int(i)] for i in rng.permutation(len(own))[:needed]] if own else requests(needed, rng)
    following = iter(enumerate(asked))

    def fill(example: Example) -> None:
        number, (request, complied, refused) = next(following)
        poisoned = number < count
        prompt = insert_words(request, [trigger], rng) if poisoned else request
        example |= {"prompt": prompt, "response": complied if poisoned else refused, "id": None}
        example["turns"] = [{"role": "user", "text": prompt}]

    whole = append_copies(examples, at, fill, "compliance with requests that are refused without it", "jailbreak")
    return Planted(
        whole.examples,
        whole.rows[:count],
        (trigger,),
        whole.behavior,
        whole.kind,
        decoys=whole.rows[count:],
        originals=whole.originals,
    )
