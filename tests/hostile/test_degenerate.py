"""Empty, one-row, one-class and other degenerate sets against every detector: no exception, and an explicit status."""

from __future__ import annotations

import numpy as np
import pytest
from detectors.conftest import complete, make_examples

from audit import registry
from audit.detectors import findings_frame, summary, validate
from audit.schema import Detection, Kind, Skipped

NAMES = list(registry.detectors())
SETS = {
    "empty": [],
    "one_row": ["alone"],
    "two_equal_rows": ["same", "same"],
    "one_class": [f"row {i} of one class" for i in range(80)],
    "equal_rows": ["the same words"] * 80,
    "empty_texts": [""] * 80,
    "one_letter": ["a"] * 40 + ["b"] * 40,
    "one_long_row": ["short"] * 79 + ["word " * 20_000],
    "controls": ["\x00\x1b[31m\u202e\u200b\ufeff"] * 80,
    "one_row_a_class": [f"row {i}" for i in range(80)],
}


def world(kind: Kind, name: str) -> dict:
    texts = SETS[name]
    count = len(texts)
    labels = [f"l{i}" if name == "one_row_a_class" else "only" for i in range(count)]
    sides: dict = {"labels": labels} if kind == Kind.CLASSIFICATION else {"responses": list(texts)}
    if kind == Kind.PREFERENCE:
        sides["rejected"] = list(texts)
    examples = make_examples(list(texts), annotators=["w1"] * count, **sides)
    vectors = np.zeros((count, 8), dtype=np.float32)
    vectors[:, 0] = 1.0
    extra: dict = {}
    if kind == Kind.CLASSIFICATION:
        classes = len(set(labels))
        extra["label_probability"] = np.full((count, classes), 1.0 / max(classes, 1), dtype=np.float32)
    if kind == Kind.PREFERENCE:
        extra["margin"] = np.zeros(count, dtype=np.float32)
    return complete(kind, examples, vectors, **extra)


@pytest.mark.hostile
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("data", SETS)
def test_every_detector_says_what_it_did(data, kind):
    made = world(kind, data)
    for name in NAMES:
        check = registry.detectors()[name]
        result = check({artifact: made[artifact] for artifact in check.artifacts}, {})
        facts = summary(check, result)
        assert facts["status"] in ("run", "skipped"), name
        if isinstance(result, Skipped):
            assert result.reason, name
            continue
        assert isinstance(result, Detection)
        validate(name, result, made["examples"])
        findings_frame(name, result.findings)
        assert facts["flagged"] <= facts["scored"] <= len(SETS[data]), name
