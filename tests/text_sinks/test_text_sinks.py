"""Nothing that deceives a reader comes out raw of any place where people read, and no markup becomes markup.

A sink is a function that feeds hostile text through a real path and returns what came out. Every planted text ends in
a mark of its own, so that a sink that shows nothing of the data fails.
"""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from text_sinks import command_sinks, error_sinks, flow_sinks, report_sinks
from text_sinks.hostile_places import COUNT, mark
from text_sinks.hostile_sequences import SEQUENCES, SURROGATES, floods, raw, runs_in_ci

from audit import report

SINKS = {**report_sinks.SINKS, **command_sinks.SINKS, **error_sinks.SINKS, **flow_sinks.SINKS}
IN_LOGS = {*command_sinks.SINKS, *error_sinks.SINKS, "Prefect's log"} - {"exceptions", "the Python interface"}
# Planted texts that have to come through a sink; where a sink shows a few places alone, fewer.
FEW = {
    **{f"report of {kind}: summary.md": 20 for kind in ("labels", "pairs")},
    **{f"report of {kind}: README.md": 20 for kind in ("labels", "pairs")},
    **{f"report of {kind}: croissant.json": 1 for kind in ("labels", "pairs")},
    **{f"export, redacted: {form}": 1 for form in ("markdown", "card", "croissant")},
    **{"export --format markdown": 20, "export --format card": 20, "export --format croissant": 1},
    **{"scan, the first": 20, "scan, again": 20, "scan of a held directory": 2, "show a run": 20},
    **{"relabel import": 40, "relabel import of a csv": 40, "apply --json": 40, "verify published data": 20},
    **{"plant": 1, "plant --json": 2, "Prefect's states": 2, "Prefect's table": 30, "apply": 1},
    **{name: 10 for name in error_sinks.SINKS if name.startswith("errors of") or "interface" in name},
}
FAST = {
    *(name for name in SINKS if name.startswith(("report of labels", "Prefect's e", "Prefect's su", "Prefect's a"))),
    *("documents of a run: scanned", "queue of pairs: csv", "scan, again", "schema", "show a run", "show triggers"),
    *("apply", "verify", "exceptions", "tracebacks", "log records of libraries", "warnings and the last handler"),
    *("threads", "provenance documents", "relabel import", "restore"),
}
WITH_TRACES = ("tracebacks", "threads", "log records of libraries", "Prefect's log")


def test_there_are_enough_sequences_and_sinks(capsys):
    with capsys.disabled():
        sys.stdout.write(f"\n{len(SEQUENCES) + len(SURROGATES)} hostile sequences, {len(SINKS)} sinks\n")
    assert len(SEQUENCES) >= 140 and len(set(SEQUENCES.values())) == len(SEQUENCES)
    assert len(SINKS) >= 80 and set(SINKS) >= FAST and set(FEW) <= set(SINKS)


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SINKS]
)
def test_what_comes_out_can_be_seen(name, kit):
    text = SINKS[name](kit)
    assert sum(mark(i) in text for i in range(COUNT)) >= FEW.get(name, 45)
    assert raw(text) == []
    assert floods(text) == 0
    if name in IN_LOGS:
        assert runs_in_ci(text) == []
        assert "Traceback" not in text or name in WITH_TRACES


def test_no_cell_of_a_queue_is_a_formula(kit):
    """Cells are looked at as a spreadsheet does: after blanks, and in the wide forms that some read as ASCII."""
    cells = report_sinks.cells(kit)
    assert len(cells) > 500
    assert [c for c in cells if re.match(r"[\s\x00]*[=+\-@＝＋－＠﹦﹢﹣﹫−]", c) or c[:1] in ("\t", "\r", "\n")] == []
    assert sum(c.startswith("'") for c in cells) >= 14


TEMPLATES = Path(report.__file__).parent.glob("*.j2")
HOUSE = {tag for path in TEMPLATES for tag in re.findall("<([a-z][a-z0-9]*)", path.read_text("utf-8"))}


class Page(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.blocks = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        if self.elements and self.elements[-1] == "script":
            self.blocks.append(data)

    def handle_comment(self, data):
        self.elements.append("comment")


def test_nothing_becomes_markup_in_the_page(kit):
    page = Page(report_sinks.report(kit, "labels", "report.html"))
    assert set(page.elements) <= HOUSE, set(page.elements) - HOUSE
    assert page.elements.count("script") == 2 and page.elements.count("style") == 1
    assert [a for a in page.attributes if a[0].startswith("on") or a[0] in ("style", "src", "srcdoc", "action")] == []
    assert {value for name, value in page.attributes if name == "href" and not value.startswith("#")} <= {"data:,"}
    data = json.loads(page.blocks[0])
    assert len(data["rows"]) > 100 and "<" not in page.blocks[0]


@pytest.mark.parametrize("name", ["summary.md", "README.md"])
def test_nothing_becomes_markup_in_markdown(kit, name):
    text = report_sinks.report(kit, "labels", name)
    body = text.split("---\n", 2)[2] if text.startswith("---\n") else text
    outside = re.sub(r"`[^`\n]*`", "", body)
    assert not re.search(r"<[a-zA-Z/!]|\]\(|!\[|^\[|^:{2}", outside, re.MULTILINE), outside
    assert [line for line in outside.splitlines() if re.match(r"#+ ", line) and re.search(r"Q\d{3}", line)] == []


def test_documents_parse_and_prefect_sees_no_markup(kit):
    ElementTree.fromstring(report_sinks.report(kit, "labels", "junit.xml"))
    for name in ("findings.sarif", "report.json", "croissant.json"):
        json.loads(report_sinks.report(kit, "labels", name))
    lines = report_sinks.report(kit, "labels", "findings.jsonl").split("\n")
    assert len([json.loads(line) for line in lines if line]) >= COUNT
    escaped = flow_sinks.escaped(kit)
    assert len(escaped.split("\n")) == COUNT  # one line each
    assert not re.search(r"[<>\[\]*_`|~$@\\]", escaped)
