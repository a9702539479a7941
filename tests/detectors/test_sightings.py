"""From sightings to signals; and rows made to exhaust the checks."""

from __future__ import annotations

import time

import pytest

from audit import registry
from audit.detectors.sightings import PER_TEXT, Sighting, detection, few
from audit.schema import Severity


def sighting(position, weight, channel="odd", field="prompt", start=0):
    return Sighting(position, field, start, start + 1, channel, weight, f"{channel} {weight}")


def test_the_heaviest_sighting_of_a_row_is_its_score(build):
    examples = build(["abc"] * 3, responses=["def"] * 3)
    seen = [sighting(0, 0.7), sighting(0, 0.9, field="response"), sighting(0, 0.8, start=2), sighting(2, 0.3)]
    found = detection(examples, seen, code="X", threshold=0.6, house_style=0.5, severities={"odd": Severity.HIGH})
    scores = found.signals["score"].to_list()
    assert scores == pytest.approx([0.9 + 0.05 * 2 / 3, 0.0, 0.3])
    assert found.signals["start"].to_list() == [None, None, 0] and found.signals["evidence"][0] == "odd 0.9"
    assert [(f.subject, f.severity, f.rows) for f in found.findings] == [("odd", Severity.HIGH, (1, 5))]


def test_few_keeps_every_kind_of_sighting():
    seen = [sighting(0, 0.3, start=i) for i in range(1_000)] + [sighting(0, 0.9), sighting(0, 0.3, "other")]
    kept = list(few(seen))
    assert len(kept) == PER_TEXT + 2 and {s.weight for s in kept} == {0.3, 0.9}


CHECKS = ["unicode_anomaly", "whitespace_anomaly", "hidden_channel", "role_tags"]
HOSTILE = {
    "direction marks": "\u200e",
    "zero-width": "a\u200b",
    "tags": "\U000e0041",
    "selectors": "\ufe0f\u200d",
    "spaces": " ",
    "line ends": "\n",
    "comments": "<!--",
    "elements": '<a alt="',
    "links": "![a](",
    "code": "# ",
    "blobs": "QUJD",
    "hex": "61",
    "roles": "\nHuman:",
    "tokens": "<|a",
    "cyrillic": "pа",
}


@pytest.mark.parametrize("name", CHECKS)
def test_time_grows_with_the_text_and_no_faster(name, build):
    check = registry.detectors()[name]

    def seconds(unit, length):
        examples = build([(unit * length)[:length]])
        started = time.process_time()
        check({"examples": examples}, {})
        return time.process_time() - started

    for kind, unit in HOSTILE.items():
        small, large = seconds(unit, 20_000), seconds(unit, 160_000)
        assert large < 24 * small + 0.3, f"{name} on {kind}: {small:.3f} s, then {large:.3f} s for 8 times the text"
