"""Without row text: no six characters of any row, pattern or value stand in any output of the report."""

from __future__ import annotations

import doctest
from dataclasses import fields, is_dataclass

import pytest
from machine_runs import Words, export_of, word_run
from report_runs import add_triggers, make_run, trigger

from audit.config import build as settings
from audit.report import FORMATS, build, card, excerpts, html, inert, json, kept, record, redact, values
from audit.report.excerpt import excerpt
from audit.report.values import fingerprint

GRAM = 6


def grams(text):
    return {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}


def renderings(export):
    made = {name: render(export) for name, render in FORMATS.items()}
    made["html"], made["json"] = html.render(export.report), json.render(export.report)
    return {name: content.decode() for name, content in made.items()}


@pytest.mark.parametrize("kind", ["classification", "instruction", "preference"])
@pytest.mark.parametrize("seed", range(3))
def test_no_six_characters_of_the_rows_stand_anywhere(tmp_path, kind, seed):
    ctx, say = word_run(tmp_path, kind, Words(seed))
    secret = set().union(*(grams(text) for text in say.all))
    assert len(secret) > 10_000
    for name, text in renderings(export_of(ctx, redacted=True)).items():
        assert not secret & grams(text), name


def test_the_same_search_finds_row_text_where_it_stands(tmp_path):
    ctx, say = word_run(tmp_path)
    secret = set().union(*(grams(text) for text in say.all))
    shown = renderings(export_of(ctx))
    assert {name for name, text in shown.items() if secret & grams(text)} == set(shown) - {"croissant"}


def test_the_setting_redacts_every_file_of_the_stage(tmp_path):
    ctx, say = word_run(tmp_path, report={"redact": True})
    secret = set().union(*(grams(text) for text in say.all))
    written = build(ctx, "all")
    assert len(written) == 8
    for path in written:
        assert not secret & grams(path.read_text(encoding="utf-8")), path.name


def test_ids_spans_and_figures_stay(tmp_path):
    ctx, _ = word_run(tmp_path)
    full, bare = export_of(ctx), export_of(ctx, redacted=True)
    assert [t.id for t in bare.triggers] == [t.id for t in full.triggers]
    assert bare.triggers[0].proof["asr_a"] == 0.96 and bare.triggers[0].proof["probe"] == "wordpiece"
    assert bare.triggers[0].statistics["purity"] == 1.0 and "suspected" not in bare.triggers[0].statistics
    assert bare.triggers[0].pattern_sha256 == fingerprint(full.triggers[0].pattern)
    assert [row.place for row in bare.flagged] == [row.place for row in full.flagged]
    assert [(s.score, s.start, s.end) for s in bare.flagged[0].said] == [
        (s.score, s.start, s.end) for s in full.flagged[0].said
    ]
    card, was = bare.report.rows[0], full.report.rows[0]
    assert (card.row, card.content_hash, card.codes, card.score) == (was.row, was.content_hash, was.codes, was.score)
    assert bare.report.counts == full.report.counts and bare.report.verdict == full.report.verdict


def test_a_trigger_is_its_length_classes_and_digest(tmp_path):
    ctx = make_run(tmp_path, [{"prompt": f"cf\u200b text {i}", "label": "a"} for i in range(6)])
    add_triggers(ctx.run, [trigger("cf\u200b", [0, 1, 2])])
    card = export_of(ctx, redacted=True).report.triggers[0]
    assert card.pattern.plain == f"[3 characters: Cf 1, Ll 2; sha256 {fingerprint('cf' + chr(0x200B))[:16]}]"
    assert card.code_points == () and "3 of 3 rows with trigger t-" in card.sentence.plain


def test_marked_spans_are_those_of_the_original():
    text = "one \u200b\u200b\u200b two three " * 3
    spans = [(4, 7), (8, 11), (40, 46)]
    assert redact.marked(excerpt(text, spans)) == spans
    far = "x " * 2_000 + "hit here"
    assert redact.marked(excerpt(far, [(4_000, 4_003)], 300)) == [(4_000, 4_003)]


def test_equal_values_have_equal_digests_and_others_differ():
    assert redact.token("positive") == redact.token("positive") != redact.token("Positive")


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("the response is far shorter than its prompt leads to expect", None),
        ('the response opens with "sure , "quoted" here"', "the response opens with #"),
        ("label positive", "label #"),
        ("free words of the rows", "behavior #"),
        ('the response says "this', "behavior #"),
    ],
)
def test_a_behavior_keeps_its_kind_alone(told, shown):
    made = redact.behavior(told)
    assert made == told if shown is None else made.startswith(shown) and len(made) == len(shown) + 12


def test_a_failed_check_names_its_error_and_not_its_message(tmp_path):
    ctx, _ = word_run(tmp_path)
    bare = export_of(ctx, redacted=True).report
    failed = next(c for c in bare.checks if c.status == "failed")
    assert failed.reason == "ValueError" and any(s.endswith("failed: ValueError") for s in bare.incomplete)


def test_what_is_not_named_is_redacted():
    """A field that is added to a record later is hidden until it is named in KEPT."""
    shift = record.Shift("secret words", 1, 2, 0.5, 0.5)
    assert "secret" not in redact._record(shift, "").name
    unknown = excerpts.Field("secret words", "input", excerpt("more secret words"))
    assert "secret" not in str(redact._record(unknown, ""))


def test_every_name_in_the_table_is_a_field():
    named = {**vars(record), **vars(excerpts)}
    for place, names in kept.KEPT.items():
        owner = named[place.rpartition("/")[2]]
        assert is_dataclass(owner) and names <= {f.name for f in fields(owner)}, place


def test_redacting_needs_no_change_of_the_run(tmp_path):
    ctx, _ = word_run(tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    export_of(ctx, redacted=True)
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}


def test_the_setting_is_off_unless_asked_for():
    assert not settings({}).report.redact and settings({"report": {"redact": True}}).report.redact


@pytest.mark.parametrize("module", [redact, inert, values, card], ids=lambda m: m.__name__)
def test_the_examples_in_docstrings_are_true(module):
    told = doctest.testmod(module)
    assert told.attempted and not told.failed
