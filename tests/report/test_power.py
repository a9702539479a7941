"""What would have been found, as the report and the last screen say it, beside what cannot be found at all."""

from __future__ import annotations

import io
import json

import pytest
from report_runs import add_triggers, make_run, trigger
from rich.console import Console

from audit import outcome
from audit.cli.screens import result_screen
from audit.report import build
from audit.rundir import write_json

SHARE = {
    "family": "badnet",
    "name": "rare-token",
    "count": 8,
    "targets": ["a label"],
    "planted": 20,
    "mined": 19,
    "mined_interval": [0.7639, 0.9911],
    "tried": 20,
    "confirmed": 17,
    "confirmed_interval": [0.6396, 0.9476],
}
TOLD = {"mode": "quick", "probe": "quick", "reason": "", "copies": 3, "relaxed": 0.0, "shares": [SHARE], "plants": []}
SENTENCE = (
    "Nothing confirmed; of 20 planted rare-token triggers with 8 rows, 19 were mined and 17 confirmed; this holds for "
    "those families, counts and targets only."
)
FALSE_FACTS = "False facts spread over many rows, such as the published attack with 0.001% of all tokens"


@pytest.fixture
def run(tmp_path):
    def made(told, *triggers):
        ctx = make_run(tmp_path, [{"prompt": f"row {i}", "label": "ab"[i % 2]} for i in range(8)])
        add_triggers(ctx.run, list(triggers))
        if told:
            write_json(ctx.run / "canaries.json", told)
            write_json(ctx.run.marker("canaries", "all"), {"key": "k", "outputs": {}, "seconds": 1.0})
        return ctx

    return made


def pages(ctx):
    made = {path.name: path for path in build(ctx, "all")}
    return [made[name].read_text(encoding="utf-8") for name in ("report.html", "summary.md", "report.json")]


def test_every_page_says_what_would_have_been_found_and_what_cannot_be(run):
    page, summary, record = pages(run(TOLD))
    assert page.count(SENTENCE) == 2 and SENTENCE in summary and json.loads(record)["power"] == SENTENCE
    assert "What would have been found" in page and "19 <small>76.4% to 99.1%</small>" in page
    assert json.loads(record)["canaries"][0]["confirmed_interval"] == [0.6396, 0.9476]
    assert FALSE_FACTS in page and any(FALSE_FACTS in limit for limit in json.loads(record)["limits"])


def test_beside_a_confirmed_trigger_it_is_no_headline(run):
    page, summary, record = pages(run(TOLD, trigger("cf", [0, 1])))
    besides = SENTENCE.replace("Nothing confirmed; of", "Besides, of")
    assert page.count(besides) == 1 and besides in summary and SENTENCE not in page
    assert not any("Besides" in h["text"]["text"] for h in json.loads(record)["headlines"])


def test_a_run_without_canaries_promises_nothing(run):
    page, summary, _ = pages(run(None))
    assert "would have been found" not in page + summary and FALSE_FACTS in page


def test_a_share_that_was_not_tried_is_not_zero(run):
    share = {**SHARE, "tried": 0, "confirmed": 0, "confirmed_interval": None}
    page, _, _ = pages(run({**TOLD, "shares": [share]}))
    assert "not tried" in page and "(the probe was not tried)" in page


def test_the_last_screen_says_it(run):
    ctx, stream = run(TOLD), io.StringIO()
    result_screen(Console(file=stream, width=400), ctx.run, ctx.config, outcome.read(ctx.run, ctx.config))
    assert SENTENCE in stream.getvalue()
