"""The tests of a suspect that need the encoder, after the cheap ones.

What remains of a trigger's rows without the trigger are rows like any others; what remains of a task's rows without
the words of the task, or of a source's without its boilerplate, is not. And a trigger moves no support where it is
put. A candidate that fails keeps its place on the list, with the figures.
"""

from __future__ import annotations

import numpy as np

from audit.artifacts.expected import Vectors
from audit.triggers.assess import masked_auc
from audit.triggers.candidate import Candidate
from audit.triggers.match import UNINSERTABLE
from audit.triggers.meaning import Meaning
from audit.triggers.mine import with_suspicion
from audit.triggers.suspicion import means_its_label

_MOST = 24  # suspects that are looked at again


def look_again(found: list[Candidate], meaning: Meaning, vectors: Vectors, seed: int) -> list[Candidate]:
    """The candidates with `masked_auc`, `insertion`, `deletion` and `bare` where they apply, suspected ones first.
    `vectors` (n, d) are the prompts' embeddings."""
    out = []
    looked = 0
    for candidate in found:
        insertable = UNINSERTABLE.isdisjoint(part.kind for part in candidate.parts)
        if candidate.statistics["suspected"] and insertable and looked < _MOST:
            looked += 1
            candidate = with_suspicion(_measured(candidate, meaning, vectors, seed))
        out.append(candidate)
    out.sort(key=lambda c: not c.statistics["suspected"])
    return out


def _measured(candidate: Candidate, meaning: Meaning, vectors: Vectors, seed: int) -> Candidate:
    auc = masked_auc(candidate, meaning.texts, vectors, meaning.encoder, seed)
    if auc is not None:
        candidate.statistics["masked_auc"] = auc
    if candidate.behavior >= 0 and "insertion" not in candidate.statistics:
        c = candidate
        rows = np.asarray(c.carriers, dtype=np.int64)
        c.statistics.update(meaning.measure(c.parts, c.surfaces, c.laws, c.behavior, rows))
        if means_its_label(c.statistics):  # unless made-up words would too
            c.statistics.update(meaning.limits(c.surfaces, c.behavior, rows))
    return candidate
