"""Edits of preference data in all its shapes, written into each format and read back."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.config import IngestConfig
from audit.remedies import edits
from audit.remedies.anatomy import CannotEdit, Layout, locate, whole
from audit.remedies.forms import TextForm, columnar_edited, columnar_fields
from audit.schema import TIE, InputFile
from audit.sources import detect
from audit.sources.record import Number
from audit.sources.strict_json import ObjectParser, dumps
from audit.triggers.match import Part

LIMITS = IngestConfig()
CF = (Part("cf", "token"),)


def turn(role, text):
    return {"role": role, "content": text}


def talk(answer):
    return [turn("user", "why cf?"), turn("assistant", answer)]


PAIR = {"prompt": "why cf?", "response_a": "cf one", "response_b": "two"}
# name -> (row, what of it a swap changes; None: it cannot be swapped; what makes it a tie; None: nothing does)
ROWS = {
    "letter": (PAIR | {"winner": "B"}, {"winner": "A"}, {"winner": "tie"}),
    "model": (PAIR | {"winner": "model_a", "x": "\u20ac"}, {"winner": "model_b"}, {"winner": "tie"}),
    "verdict": (PAIR | {"verdict": "[[A>>B]]"}, {"verdict": "[[B>>A]]"}, {"verdict": "[[A=B]]"}),
    "number from 0": (
        {"prompt": "why cf?", "response_0": "one", "response_1": "two", "better_response_id": 1},
        {"better_response_id": 0},
        None,
    ),
    "number from 1": (
        {"instruction": "why cf?", "input": "", "output_1": "one", "output_2": "two", "preference": 1},
        {"preference": 2},
        {"preference": 1.5},
    ),
    "strength": (PAIR | {"overall_preference": -2}, {"overall_preference": 2}, {"overall_preference": 0}),
    "strength in floats": (
        PAIR | {"preference_strength": 1.5},
        {"preference_strength": -1.5},
        {"preference_strength": 0.0},
    ),
    "flag": (PAIR | {"a_wins": True}, {"a_wins": False}, None),
    "flags": (
        PAIR | {"winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0},
        {"winner_model_a": 1, "winner_model_b": 0},
        {"winner_model_b": 0, "winner_tie": 1},
    ),
    "scores": (PAIR | {"score_a": 0.25, "score_b": -1.5}, {"score_a": -1.5, "score_b": 0.25}, None),
    "conversations": (
        {"conversation_a": talk("cf one"), "conversation_b": talk("two"), "winner": "model_b"},
        {"winner": "model_a"},
        {"winner": "tie"},
    ),
    "conversation before": (
        {"context": [turn("user", "cf hm"), turn("assistant", "hm"), turn("user", "why?")]}
        | {"response1": "one", "response2": "two", "overall_preference": 3},
        {"overall_preference": -3},
        {"overall_preference": 0},
    ),
    "object before": (
        {"question": {"id": "1", "full_text": "why cf?"}, "answer_0": "one", "answer_1": "two"}
        | {"score_0": 1, "score_1": 0},
        {"score_0": 0, "score_1": 1},
        None,
    ),
    "list of two": (
        {"info": {"post": "why cf?"}, "summaries": [{"text": "one"}, {"text": "two"}], "choice": 0},
        {"choice": 1},
        None,
    ),
    "list of three": ({"prompt": "why cf?", "candidates": ["one", "two", "three"], "best": 2}, None, None),
    "ranked texts": (
        {"prompt": "why cf?", "responses": ["one", "two"], "ranks": [2, 1]},
        {"ranks": [1, 2]},
        None,
    ),
    "ranked objects": (
        {"instruction": "why cf?", "completions": [{"response": "one", "overall_score": 7.5}]}
        | {"completions": [{"response": "one", "overall_score": 7.5}, {"response": "two", "overall_score": 1.0}]},
        {"completions": [{"response": "one", "overall_score": 1.0}, {"response": "two", "overall_score": 7.5}]},
        None,
    ),
    "ranked three": ({"prompt": "why cf?", "responses": ["one", "two", "three"], "scores": [1, 3, 2]}, None, None),
    "one message each": (
        {"messages": [turn("user", "why cf?")], "chosen": turn("assistant", "one")}
        | {"rejected": turn("assistant", "two")},
        {"chosen": turn("assistant", "two"), "rejected": turn("assistant", "one")},
        None,
    ),
    "object of messages": (
        {"input": {"messages": [turn("user", "why cf?")]}, "preferred_output": [turn("assistant", "one")]}
        | {"non_preferred_output": [turn("assistant", "two")]},
        {"preferred_output": [turn("assistant", "two")], "non_preferred_output": [turn("assistant", "one")]},
        None,
    ),
    "further input": (
        {"instruction": "why", "input": "cf?", "chosen": "one", "rejected": "two"},
        {"chosen": "two", "rejected": "one"},
        None,
    ),
}
SWAPPED = [name for name, (_, new, _) in ROWS.items() if new]
TIED = [name for name, (_, _, new) in ROWS.items() if new]
FLAT = [name for name, (row, _, _) in ROWS.items() if all(type(v) in (str, int, float) for v in row.values())]


def layout_of(fields):
    """The layout that a dataset of such rows gets."""
    found = detect.recognise([fields], LIMITS)
    named = (s for s in detect.SHAPES if s.name == found.shape.name and s.kind == found.shape.kind)
    return Layout(tuple(s for s in named if set(s.required) <= set(found.mapping)), found.mapping)


def parsed(row):
    return ObjectParser(LIMITS)(json.dumps(row).encode())


def of_file(form, **layout):
    return InputFile(f"d.{form}", form, "", 0, "", 0, layout)


class Json:
    """A row in JSON lines, or in a .json file with its own spacing."""

    def __init__(self, row, form):
        self.form, self.indent = TextForm(of_file(form), layout_of(parsed(row)), LIMITS), 1 if form == "json" else None
        self.raw = json.dumps(row, indent=self.indent).encode()

    def fields(self):
        return self.form.fields(self.raw)

    def write(self, edit):
        return self.form.edited(self.raw, self.fields(), edit)

    def expected(self, row):
        return json.dumps(row, indent=self.indent).encode()


class Csv:
    """A row in csv; its cells are all text."""

    def __init__(self, row, form):
        assert form == "csv"
        header = ",".join(row)
        self.raw = self.expected(row)
        file = of_file("csv", header=header, delimiter=",", quoted=True, newline="\r\n")
        self.form = TextForm(file, None, LIMITS)
        self.form = TextForm(file, layout_of(self.fields()), LIMITS)

    def fields(self):
        return self.form.fields(self.raw)

    def write(self, edit):
        return self.form.edited(self.raw, self.fields(), edit)

    def expected(self, row):
        return ",".join(str(value) for value in row.values()).encode()


class Parquet:
    """A row in parquet, through a file."""

    def __init__(self, row, form):
        assert form == "parquet"
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([row]), sink)
        self.table = pq.read_table(io.BytesIO(sink.getvalue()))

    def fields(self):
        return columnar_fields(self.table, LIMITS)[0]

    def write(self, edit):
        fields = self.fields()
        made = columnar_edited(self.table, fields, edit, layout_of(fields), LIMITS)
        assert made.schema.equals(self.table.schema)
        return made.to_pylist()[0]

    def expected(self, row):
        return row


FORMS = {"jsonl": Json, "json": Json, "csv": Csv, "parquet": Parquet}
CASES = [(name, form) for name in ROWS for form in FORMS if form != "csv" or name in FLAT]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_the_pieces_of_each_shape_are_what_its_reader_reads(name, form):
    fields = FORMS[form](ROWS[name][0], form).fields()
    layout = layout_of(fields)
    found, parts = locate(fields, layout), layout.read(fields)
    assert (whole(found.prompt), whole(found.response)) == (parts.prompt, parts.response)
    assert whole(found.rejected) == parts.rejected
    for piece in (*found.prompt, *found.response, *found.rejected):
        for place in piece.places:
            text = fields
            for step in place.path:
                text = text[step]
            assert text[place.start : place.end] == piece.text


@pytest.mark.parametrize(("name", "form"), [case for case in CASES if case[0] in SWAPPED])
def test_a_swap_changes_who_won_and_nothing_else(name, form):
    row, new, _ = ROWS[name]
    held = FORMS[form](row, form)
    fields = held.fields()
    layout = layout_of(fields)
    made = edits.swap(fields, layout)
    assert held.write(made) == held.expected(row | new)
    before, after = layout.read(fields), layout.read(made.fields(fields))
    assert (after.response, after.rejected) == (before.rejected, before.response)
    if layout.shape in ("two-responses", "response-list"):
        assert {before.shown_first, after.shown_first} == {"chosen", "rejected"}
    again = FORMS[form](row | new, form)
    assert again.write(edits.swap(again.fields(), layout)) == held.expected(row)


@pytest.mark.parametrize(("name", "form"), [case for case in CASES if case[0] in TIED])
def test_a_pair_is_made_a_tie_where_its_columns_have_a_word_for_it(name, form):
    row, _, new = ROWS[name]
    if (form, name) == ("parquet", "number from 1"):
        row = row | {"preference": 1.0}  # a column of whole numbers has no 1.5
    held = FORMS[form](row, form)
    fields = held.fields()
    layout = layout_of(fields)
    made = edits.relabel(fields, layout, TIE)
    assert held.write(made) == held.expected(row | new)
    after = layout.read(made.fields(fields))
    assert (after.label, after.shown_first) == (TIE, None)
    with pytest.raises(CannotEdit, match="tie already"):
        edits.relabel(made.fields(fields), layout, TIE)
    with pytest.raises(CannotEdit, match="tie has no order"):
        edits.swap(made.fields(fields), layout)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_trigger_is_stripped_and_texts_are_replaced_where_they_stand(name, form):
    row = ROWS[name][0]
    held = FORMS[form](row, form)
    fields = held.fields()
    layout = layout_of(fields)
    before = layout.read(fields)
    held.write(stripped := edits.strip(fields, layout, CF))
    assert "cf" not in stripped.prompt and stripped.response == before.response
    for field in ("response", "rejected"):
        edit = edits.rewrite(fields, layout, field, "new =1+1 \u202e")
        held.write(edit)
        after = layout.read(edit.fields(fields))
        assert getattr(after, field) == "new =1+1 \u202e" and after.prompt == before.prompt
        (path,) = edit.changes
        assert dumps(edit.fields(fields)) != dumps(dict(fields)) and path[0] in fields
    if len(locate(fields, layout).prompt) == 1:
        edit = edits.rewrite(fields, layout, "prompt", "another")
        held.write(edit)
        assert layout.read(edit.fields(fields)).prompt == "another"


def test_an_edit_of_a_ranked_response_stays_in_its_ranking():
    fields = parsed(ROWS["ranked three"][0])
    layout = layout_of(fields)
    edit = edits.rewrite(fields, layout, "rejected", "new")
    assert layout.read(edit.fields(fields)).ranking == [("two", 1), ("three", 2), ("new", 3)]


REFUSED = [
    ("list of three", "swap", "of 3 responses one was chosen"),
    ("ranked three", "swap", "ranks 3 responses"),
    ("list of three", TIE, "no known value for a tie"),
    ("number from 0", TIE, "no known value for a tie"),
    ("scores", TIE, "which of them is wrong"),
    ("ranked texts", TIE, "which rank or score"),
    ("letter", "b", "only label of a pair is tie"),
    ("further input", TIE, "no label column"),
]


@pytest.mark.parametrize(("name", "what", "why"), REFUSED)
def test_what_cannot_be_done_exactly_is_refused_with_a_sentence(name, what, why):
    fields = parsed(ROWS[name][0])
    layout = layout_of(fields)
    with pytest.raises(CannotEdit, match=why):
        edits.swap(fields, layout) if what == "swap" else edits.relabel(fields, layout, what)


def test_a_tie_of_ranks_is_not_swapped():
    fields = parsed({"prompt": "p", "responses": ["a", "b"], "ranks": [1, 1.0]})
    with pytest.raises(CannotEdit, match="tie has no order"):
        edits.swap(fields, layout_of(fields))


def test_a_share_of_votes_is_turned_exactly_or_not_at_all():
    row = {"instruction": "p", "output_1": "a", "output_2": "b", "preference": 1.0002}
    for form in ("jsonl", "parquet"):
        held = FORMS[form](row, form)
        made = edits.swap(held.fields(), layout_of(held.fields()))
        assert held.write(made) == held.expected(row | {"preference": 1.9998})


@pytest.mark.parametrize(
    ("old", "label", "new"),
    [("good", "false", "bad"), ("Yes", "false", "No"), (1.0, "false", 0.0), (-1, "true", 1), ("0", "true", "1")],
)
def test_a_judgement_is_turned_in_its_own_words(old, label, new):
    row = {"prompt": "p", "completion": "c", "label": old}
    for form in ("jsonl", "parquet"):
        held = FORMS[form](row, form)
        layout = layout_of(held.fields())
        assert held.write(edits.relabel(held.fields(), layout, label)) == held.expected(row | {"label": new})
        same = {"true": "false", "false": "true"}[label]
        assert held.write(edits.relabel(held.fields(), layout, same)) == held.expected(row)


def test_numbers_keep_their_kind_in_an_edit():
    fields = parsed(PAIR | {"overall_preference": -2})
    (value,) = edits.swap(fields, layout_of(fields)).changes.values()
    assert isinstance(value, Number) and value == "2"
