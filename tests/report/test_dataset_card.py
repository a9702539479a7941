"""The dataset card of the cleaned set."""

from __future__ import annotations

import re

import pytest
import yaml
from hostile_rows import HOSTILE
from machine_runs import export_of, word_run
from report_runs import add_triggers, make_run, trigger

from audit.report import card
from audit.rundir import write_bytes


def parts(export):
    text = card.render(export).decode()
    assert text.startswith("---\n")
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def test_the_front_matter_is_what_the_hub_reads(tmp_path):
    ctx, _ = word_run(tmp_path, "classification")
    front, _ = parts(export_of(ctx))
    assert front == {
        "pretty_name": "reviews",
        "task_categories": ["text-classification"],
        "size_categories": ["n<1K"],
        "tags": ["tunevet", "audited", "classification"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": ["reviews.jsonl"]}]}],
    }


@pytest.mark.parametrize(("undecided", "rows"), [("hold", 44), ("keep", 54)])
def test_the_figures_are_those_of_the_run(tmp_path, undecided, rows):
    ctx, _ = word_run(tmp_path, review={"undecided": undecided})
    _, body = parts(export_of(ctx))
    assert f"dataset of {rows} rows, left of 62" in body
    for line in ("| read | 62 |", "| kept | 44 |", "| in review | 10 |", "| removed | 6 |", "| unreadable | 2 |"):
        assert line in body
    assert "The audit is incomplete" in body and "| `Doubtful labels` | `TV-LBL` |" in body


def test_triggers_checks_and_limits_are_told(tmp_path):
    ctx, _ = word_run(tmp_path)
    export = export_of(ctx)
    _, body = parts(export)
    confirmed, suspected, refuted = export.triggers
    row = f"| `{confirmed.id}` | confirmed | `{confirmed.pattern}` | 6 | 96% | 4% |"
    assert row in body and suspected.id in body and refuted.id not in body
    assert "needs a trained probe" in body
    assert all(sentence in body for sentence in export.report.limits)
    assert "licen" not in body.lower() and export.cleaned[0].sha256 in body


def test_a_run_that_found_nothing_says_so(tmp_path):
    ctx = make_run(tmp_path, [{"prompt": f"text {i}", "label": "a"} for i in range(6)], kind="instruction")
    front, body = parts(export_of(ctx))
    assert front["task_categories"] == ["text-generation"] and "configs" not in front
    assert "No trigger is confirmed or suspected." in body and "No check flagged a row." in body


def test_hostile_text_stands_in_code_spans_alone(tmp_path):
    rows = [{"prompt": f"x {text}", "label": text} for text in HOSTILE]
    ctx = make_run(tmp_path, rows, {0: {"verdict": "remove", "codes": ["TV-TRG"]}}, name="--- \n# x: [y]")
    add_triggers(ctx.run, [trigger(text, [i]) for i, text in enumerate(HOSTILE)])
    front, body = parts(export_of(ctx))
    assert set(front) == {"pretty_name", "task_categories", "size_categories", "tags"}
    for line in body.splitlines():
        outside = re.sub(r"`[^`]*`", "", line)
        assert not set(outside) & set("<>[]{}`"), line
        assert "://" not in outside
    shown = [line for line in body.splitlines() if line.startswith("| `t-")]
    assert len(shown) == 20 and all(line.count("|") == 7 for line in shown)


def test_the_redacted_card_names_digests(tmp_path):
    ctx, _ = word_run(tmp_path)
    export = export_of(ctx, redacted=True)
    _, body = parts(export)
    assert f"sha256 {export.triggers[0].pattern_sha256[:16]}" in body


def test_file_names_reach_the_front_matter_as_data(tmp_path):
    name = 'a: "b" #c\n- d.jsonl'
    ctx = make_run(tmp_path, [{"prompt": "x", "label": "a"}] * 4, name=name.removesuffix(".jsonl"))
    write_bytes(ctx.run / "cleaned" / name, b"{}\n")
    front, _ = parts(export_of(ctx))
    assert front["configs"][0]["data_files"][0]["path"] == ['a: "b" #c⏎- d.jsonl']
