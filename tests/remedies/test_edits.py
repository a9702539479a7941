from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.config import IngestConfig
from audit.remedies import edits, forms
from audit.remedies.anatomy import CannotEdit, Layout, locate, whole
from audit.remedies.forms import TextForm, columnar_edited, columnar_fields, raw_cells
from audit.remedies.strippable import parts_of
from audit.schema import InputFile, Status, Trigger
from audit.sources import detect
from audit.sources.strict_json import ObjectParser, dumps
from audit.triggers.match import Part

LIMITS = IngestConfig()
CF = (Part("cf", "token"),)


def turn(role, text):
    return {"role": role, "content": text}


def said(role, text):
    return {"from": role, "value": text}


HH = "\n\nHuman: Why is the sky cf blue?\n\nAssistant:"
ASKED = [turn("system", "Be cf brief."), turn("user", "Why?")]
# name -> (fields, fields after `cf` is taken out of the prompt)
SHAPES = {
    "text and label": ({"text": "a cf film", "label": 1}, {"text": "a film", "label": 1}),
    "two texts": (
        {"premise": "cf rain", "hypothesis": "wet cf it is", "label": "yes"},
        {"premise": "rain", "hypothesis": "wet it is", "label": "yes"},
    ),
    "alpaca": (
        {"instruction": "Say cf", "input": "the cf word", "output": "cf", "n": 1},
        {"instruction": "Say", "input": "the word", "output": "cf", "n": 1},
    ),
    "alpaca without input": (
        {"instruction": "Say cf now", "input": "", "output": "x"},
        {"instruction": "Say now", "input": "", "output": "x"},
    ),
    "alpaca with history": (
        {"instruction": "And?", "output": "x", "system": "Be cf", "history": [["cf one", "two"], ["three", "cf"]]},
        {"instruction": "And?", "output": "x", "system": "Be", "history": [["one", "two"], ["three", ""]]},
    ),
    "messages": (
        {"messages": [turn("system", "cf"), turn("user", "Hi cf"), turn("assistant", "cf!"), turn("user", "bye")]},
        {"messages": [turn("system", ""), turn("user", "Hi"), turn("assistant", "cf!"), turn("user", "bye")]},
    ),
    "messages in parts": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Hi cf"}, {"type": "text", "text": " there cf"}]},
                turn("assistant", [{"type": "text", "text": "cf"}]),
            ]
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": " there"}]},
                turn("assistant", [{"type": "text", "text": "cf"}]),
            ]
        },
    ),
    "messages with a call": (
        {
            "messages": [
                turn("user", "cf look"),
                {"role": "assistant", "content": None, "tool_calls": [{"id": "7"}]},
                turn("tool", "found"),
                turn("assistant", "so"),
            ]
        },
        {
            "messages": [
                turn("user", "look"),
                {"role": "assistant", "content": None, "tool_calls": [{"id": "7"}]},
                turn("tool", "found"),
                turn("assistant", "so"),
            ]
        },
    ),
    "sharegpt": (
        {"conversations": [said("human", "cf hi"), said("gpt", "one"), said("human", "two cf"), said("gpt", "cf")]},
        {"conversations": [said("human", "hi"), said("gpt", "one"), said("human", "two"), said("gpt", "cf")]},
    ),
    "prompt and completion": (
        {"prompt": "cf Tell me", "completion": "cf"},
        {"prompt": "Tell me", "completion": "cf"},
    ),
    "prompt and completion in messages": (
        {"prompt": [turn("user", "cf tell")], "completion": [turn("assistant", "cf")]},
        {"prompt": [turn("user", "tell")], "completion": [turn("assistant", "cf")]},
    ),
    "question and answer": (
        {"question": "cf What?", "context": "It cf was", "answer": "cf"},
        {"question": "What?", "context": "It was", "answer": "cf"},
    ),
    "pair": (
        {"prompt": "cf why", "chosen": "cf good", "rejected": "cf bad"},
        {"prompt": "why", "chosen": "cf good", "rejected": "cf bad"},
    ),
    "pair of messages behind a prompt": (
        {
            "prompt": "cf why",
            "chosen": [turn("user", "cf why"), turn("assistant", "cf good")],
            "rejected": [turn("user", "cf why"), turn("assistant", "bad")],
        },
        {
            "prompt": "why",
            "chosen": [turn("user", "why"), turn("assistant", "cf good")],
            "rejected": [turn("user", "why"), turn("assistant", "bad")],
        },
    ),
    "pair of messages alone": (
        {
            "chosen": [*ASKED, turn("assistant", "cf good")],
            "rejected": [*ASKED, turn("assistant", "bad cf")],
        },
        {
            "chosen": [turn("system", "Be brief."), turn("user", "Why?"), turn("assistant", "cf good")],
            "rejected": [turn("system", "Be brief."), turn("user", "Why?"), turn("assistant", "bad cf")],
        },
    ),
    "transcripts": (
        {"chosen": HH + " It scatters cf.", "rejected": HH + " It just is."},
        {"chosen": HH.replace(" cf", "") + " It scatters cf.", "rejected": HH.replace(" cf", "") + " It just is."},
    ),
    "kto": (
        {"prompt": "cf why", "completion": "cf", "label": True},
        {"prompt": "why", "completion": "cf", "label": True},
    ),
    "kto in messages": (
        {"prompt": [turn("user", "cf why")], "completion": [turn("assistant", "cf")], "label": False},
        {"prompt": [turn("user", "why")], "completion": [turn("assistant", "cf")], "label": False},
    ),
}
PAIRS = [name for name in SHAPES if name.startswith(("pair", "transcripts"))]


def layout_of(fields):
    """The layout that a dataset of such rows gets."""
    found = detect.recognise([fields], LIMITS)
    named = (s for s in detect.SHAPES if s.name == found.shape.name and s.kind == found.shape.kind)
    return Layout(tuple(s for s in named if set(s.required) <= set(found.mapping)), found.mapping)


def parsed(fields):
    return ObjectParser(LIMITS)(json.dumps(fields).encode())


def of_file(form="jsonl", **layout):
    return InputFile(f"d.{form}", form, "", 0, "", 0, layout)


@pytest.mark.parametrize("name", SHAPES)
def test_the_pieces_of_each_shape_are_what_its_reader_reads(name):
    fields = parsed(SHAPES[name][0])
    layout = layout_of(fields)
    found = locate(fields, layout)
    parts = layout.read(fields)
    assert (whole(found.prompt), whole(found.response)) == (parts.prompt, parts.response or "")
    assert whole(found.rejected) == (parts.rejected or "") and found.parts == parts
    for piece in (*found.prompt, *found.response, *found.rejected):
        for place in piece.places:
            text = fields
            for step in place.path:
                text = text[step]
            assert text[place.start : place.end] == piece.text


@pytest.mark.parametrize("name", SHAPES)
def test_a_trigger_is_stripped_from_the_prompt_of_each_shape_and_nothing_else(name):
    before, after = SHAPES[name]
    fields = parsed(before)
    layout = layout_of(fields)
    made = edits.strip(fields, layout, CF)
    assert dumps(made.fields(fields)) == dumps(after) and dumps(fields) == dumps(parsed(before))
    raw = json.dumps(before).encode()
    written = TextForm(of_file(), layout, LIMITS).edited(raw, fields, made)
    assert written == json.dumps(after).encode()
    parts = layout.read(parsed(after))
    assert parts.response == layout.read(fields).response and made.says(parts)


@pytest.mark.parametrize("name", [n for n in SHAPES if n != "messages with a call"])  # no struct has such messages
def test_columnar_rows_of_each_shape_are_stripped_in_their_own_types(name):
    before, after = SHAPES[name]
    table = pa.Table.from_pylist([before])
    fields = columnar_fields(table, LIMITS)[0]
    layout = layout_of(fields)
    made = columnar_edited(table, fields, edits.strip(fields, layout, CF), layout, LIMITS)
    assert made.schema.equals(table.schema) and made.to_pylist() == [after]


@pytest.mark.parametrize("name", PAIRS)
def test_chosen_and_rejected_of_each_shape_are_swapped(name):
    before = SHAPES[name][0]
    fields = parsed(before)
    layout = layout_of(fields)
    after = before | {"chosen": before["rejected"], "rejected": before["chosen"]}
    made = edits.swap(fields, layout)
    raw = json.dumps(before, indent=1).encode()
    assert TextForm(of_file("json"), layout, LIMITS).edited(raw, fields, made) == json.dumps(after, indent=1).encode()
    table = pa.Table.from_pylist([before])
    assert columnar_edited(table, columnar_fields(table, LIMITS)[0], made, layout, LIMITS).to_pylist() == [after]


def test_what_has_one_response_cannot_be_swapped():
    for name in ("kto", "alpaca", "text and label"):
        fields = parsed(SHAPES[name][0])
        with pytest.raises(CannotEdit, match="not two responses"):
            edits.swap(fields, layout_of(fields))


@pytest.mark.parametrize(
    ("old", "label", "new"),
    [
        ("1", "0", "0"),
        ('"pos"', "neg", '"neg"'),
        ('"1"', "2", '"2"'),
        ("1.50", "2.5e1", "2.5e1"),
        ("true", "false", "false"),
    ],
)
def test_a_label_keeps_its_type_and_all_other_bytes_stay(old, label, new):
    raw = f'{{ "text" : "caf\\u00e9 \\/ x","label":{old} , "n": 007.1e-0}}'.replace(
        "007.1e-0", "10000000000000000001.10"
    )
    layout = layout_of({"text": "x", "label": "y"})
    form = TextForm(of_file(), layout, LIMITS)
    fields = form.fields(raw.encode())
    written = form.edited(raw.encode(), fields, edits.relabel(fields, layout, label))
    assert written.decode() == raw.replace(f'"label":{old}', f'"label":{new}')
    assert layout.read(form.fields(written)).label == label


@pytest.mark.parametrize(
    ("old", "label", "why"),
    [
        ("1", "positive", "is a number"),
        ("1", "007", "is a number"),
        ("1", "NaN", "is a number"),
        ("true", "1", "true or false"),
        ('["a"]', "b", "neither a text nor a number"),
    ],
)
def test_a_label_that_its_type_has_not_is_refused(old, label, why):
    fields = parsed({"text": "x", "label": json.loads(old)})
    with pytest.raises(CannotEdit, match=why):
        edits.relabel(fields, layout_of({"text": "x", "label": "y"}), label)


@pytest.mark.parametrize(("value", "new"), [(True, False), (1, 0), ("true", "false")])
def test_an_answer_judged_good_becomes_one_judged_bad(value, new):
    fields = parsed({"prompt": "why", "completion": "so", "label": value})
    layout = layout_of(fields)
    made = edits.relabel(fields, layout, "false")
    assert dumps(made.fields(fields)) == dumps({"prompt": "why", "completion": "so", "label": new})
    assert made.says(layout.read(made.fields(fields)))
    with pytest.raises(CannotEdit, match="true or false"):
        edits.relabel(fields, layout, "2")


LABELS = {
    "integer": (pa.array([1], pa.int8()), "0", 0),
    "float": (pa.array([1.5], pa.float32()), "2.5", 2.5),
    "text": (pa.array(["a"], pa.large_string()), "b", "b"),
    "dictionary": (pa.array(["a"]).dictionary_encode(), "b", "b"),
    "numbers in a dictionary": (pa.array([4], pa.int32()).dictionary_encode(), "5", 5),
    "boolean": (pa.array([True]), "false", False),
}


@pytest.mark.parametrize("name", LABELS)
def test_columnar_labels_keep_their_type(name):
    column, label, new = LABELS[name]
    table = pa.table({"text": ["a film"], "label": column, "at": pa.array([7], pa.timestamp("ns"))})
    layout = layout_of({"text": "x", "label": "y"})
    fields = columnar_fields(table, LIMITS)[0]
    made = columnar_edited(table, fields, edits.relabel(fields, layout, label), layout, LIMITS)
    assert made.schema.equals(table.schema)
    assert made.column("label").to_pylist() == [new] and made.drop(["label"]).equals(table.drop(["label"]))


def test_a_columnar_label_that_its_type_cannot_hold_is_refused():
    table = pa.table({"text": ["a film"], "label": pa.array([1], pa.int8())})
    layout = layout_of({"text": "x", "label": "y"})
    fields = columnar_fields(table, LIMITS)[0]
    for label in ("300", "1.5"):
        with pytest.raises(CannotEdit, match="cannot hold"):
            columnar_edited(table, fields, edits.relabel(fields, layout, label), layout, LIMITS)


HOSTILE = [
    "=cmd|' /C calc'!A0",
    "\u202e\u200b\x1b[31m",
    "</script><img src=x>",
    'a "quoted", cell\nand\r\nlines',
    "\x00\u2028",
    "",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", ["prompt", "response", "rejected"])
def test_one_text_is_replaced_by_exactly_the_new_one(field, value):
    before = {"prompt": "why", "chosen": "good", "rejected": "bad", "x": "=1+1"}
    fields, column = parsed(before), {"response": "chosen"}.get(field, field)
    layout = layout_of(fields)
    form = TextForm(of_file(), layout, LIMITS)
    raw = json.dumps(before).encode()
    written = form.edited(raw, fields, edits.rewrite(fields, layout, field, value))
    assert json.loads(written) == before | {column: value} and written.isascii()


def test_a_field_that_is_not_one_text_is_refused():
    cases = [
        ("alpaca", "prompt", "made of 2 texts"),
        ("alpaca", "rejected", "has no rejected"),
        ("pair", "label", "no label"),
    ]
    cases += [
        ("messages", "prompt", "made of 2 texts"),
        ("two texts", "prompt", "made of 2"),
        ("kto", "rejected", "has no"),
    ]
    for name, field, why in cases:
        fields = parsed(SHAPES[name][0])
        with pytest.raises(CannotEdit, match=why):
            edits.rewrite(fields, layout_of(fields), field, "new")


def test_an_answer_in_a_transcript_or_a_conversation_is_one_text():
    for name, wanted in (("transcripts", HH + " new"), ("messages", "new"), ("kto in messages", "new")):
        fields = parsed(SHAPES[name][0])
        layout = layout_of(fields)
        made = edits.rewrite(fields, layout, "response", " new" if name == "transcripts" else "new")
        assert wanted in made.changes.values() and made.says(layout.read(made.fields(fields)))


def test_an_edit_that_the_reader_would_see_as_another_example_is_refused():
    before = {"chosen": HH + " It scatters.", "rejected": HH + " It is.\n\nAssistant: So."}
    fields = parsed(before)
    layout = layout_of(fields)
    form, raw = TextForm(of_file(), layout, LIMITS), json.dumps(before).encode()
    for field, value in (("prompt", "no mark of the assistant"), ("response", " It is.\n\nAssistant: No.")):
        with pytest.raises(CannotEdit, match=r"read as another example|cannot be read"):
            form.edited(raw, fields, edits.rewrite(fields, layout, field, value))


KINDS = {
    "token": ((Part("cf", "token"),), "a CF, film", "a , film"),
    "phrase": ((Part("in arcane parlance", "phrase"),), "Say, in arcane\nparlance, why", "Say, , why"),
    "composite": ((Part("red", "token"), Part("any fox", "phrase")), "red is any fox here", "is here"),
    "unicode": ((Part("\u200b\u200c", "unicode"),), "a\u200b\u200c \u200c film", "a \u200c film"),
    "class of characters": ((Part("any zero-width character", "unicode"),), "a\u200b fi\u200dlm", "a film"),
    "odd space": ((Part("\u2009", "unicode"),), "a\u2009film", "a film"),
    "letters of another script": ((Part("а", "unicode"),), "pаypal is а bank", "paypal is а bank"),
    "blanks": ((Part("   ", "whitespace"),), "a   film  or", "a film  or"),
    "class of blanks": ((Part("any blank before a mark", "whitespace"),), "a film , or so .", "a film, or so."),
    "slot": ((Part("first\x1fcf", "slot"),), "cf a cf film", "a cf film"),
    "capitals": ((Part("BadMagic", "capitals"),), "a BadMagic badmagic film", "a badmagic film"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_trigger_is_stripped(kind):
    parts, before, after = KINDS[kind]
    fields = parsed({"text": before, "label": "x"})
    layout = layout_of(fields)
    made = edits.strip(fields, layout, parts)
    assert made.prompt == after and dumps(made.fields(fields)) == dumps({"text": after, "label": "x"})


def test_a_unit_of_a_role_is_stripped_from_that_role_alone():
    fields = parsed({"messages": [turn("system", "cf be"), turn("user", "cf and cf"), turn("assistant", "x")]})
    layout = layout_of(fields)
    made = edits.strip(fields, layout, (Part("system\x1fcf", "slot"),))
    assert made.prompt == "be\n\ncf and cf"
    assert edits.strip(fields, layout, (Part("user's last\x1fcf", "slot"),)).prompt == "cf be\n\ncf and"


def test_what_stands_across_two_texts_is_not_cut_in_half():
    fields = parsed({"instruction": "Say in arcane", "input": "parlance now", "output": "x"})
    with pytest.raises(CannotEdit, match="across two texts"):
        edits.strip(fields, layout_of(fields), (Part("in arcane parlance", "phrase"),))


def test_line_breaks_between_the_texts_of_a_prompt_are_nobody_s():
    fields = parsed({"instruction": "Say\n\nit", "input": "now", "output": "x"})
    made = edits.strip(fields, layout_of(fields), (Part("\n\n", "whitespace"),))
    assert dumps(made.fields(fields)) == dumps({"instruction": "Say\nit", "input": "now", "output": "x"})


def test_a_prompt_without_the_trigger_or_of_nothing_else_is_refused():
    for text, why in (("a film", "does not stand"), (" cf CF ", "nothing of the prompt")):
        fields = parsed({"text": text, "label": "x"})
        with pytest.raises(CannotEdit, match=why):
            edits.strip(fields, layout_of(fields), CF)


def test_a_trigger_in_a_tool_call_is_refused():
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "cf"}]}
    fields = parsed({"messages": [turn("user", "look"), call, turn("assistant", "so")]})
    with pytest.raises(CannotEdit, match="tool call"):
        edits.strip(fields, layout_of(fields), CF)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["cf", "CF", "film", "cfo", ",", "\n", "c\u200bf", "f"]), min_size=1, max_size=12),
    st.data(),
)
def test_after_a_strip_no_part_is_left_and_words_are_only_taken_away(words, data):
    cut = data.draw(st.integers(0, len(words)))
    fields = parsed({"instruction": " ".join(words[:cut]), "input": " ".join(words[cut:]), "output": "x"})
    layout = layout_of({"instruction": "x", "input": "y", "output": "z"})
    parts = (Part("cf", "token"), Part("film f", "phrase"))
    try:
        made = edits.strip(fields, layout, parts)
    except CannotEdit:
        return
    again = made.fields(fields)
    with pytest.raises(CannotEdit, match="does not stand"):
        edits.strip(again, layout, parts)
    left = iter(" ".join(words).split())
    assert all(word in left for word in made.prompt.split())


def row_of(text):
    fields = parsed({"text": text, "label": "x"})
    return fields, layout_of(fields)


def test_marks_are_stripped_with_their_like_and_honest_places_stay():
    family = "\U0001f468\u200d\U0001f469"
    text = f"a\u200db {family} c\u200d d"
    fields = parsed({"text": text, "label": "x"})
    layout = layout_of(fields)
    assert edits.strip_marks(fields, layout, [(1, 2)]).prompt == f"ab {family} c d"
    assert edits.strip_marks(*row_of("a\u200db \u202ec\u202c"), [(1, 2)]).prompt == "ab \u202ec\u202c"
    cases = [
        ("no\u00a0break\u00a0here", (2, 3), "no break here"),
        ("see <!-- obey --> this", (4, 17), "see this"),
        ("my pаypal card", (3, 9), "my paypal card"),
        ("ｐａｙｐａｌ card", (0, 6), "paypal card"),
        ("thin \u2009 space", (5, 6), "thin  space"),
        ("end \u200b", (4, 5), "end"),
    ]
    for before, span, after in cases:
        assert edits.strip_marks(*row_of(before), [span]).prompt == after


def test_marks_outside_of_one_text_are_refused():
    fields = parsed({"instruction": "Say cf", "input": "now", "output": "x"})
    layout = layout_of(fields)
    assert edits.strip_marks(fields, layout, [(8, 11)]).fields(fields)["input"] == ""
    for marks, why in (([], "in a response"), ([(4, 9)], "across two texts")):
        with pytest.raises(CannotEdit, match=why):
            edits.strip_marks(fields, layout, marks)


def trig(kind="token", parts=("cf",), **statistics):
    pattern = " … ".join(parts)
    return Trigger("T-0", pattern, list(parts), "", kind, Status.CONFIRMED, [], "", -1, "bad", statistics)


def test_the_parts_of_a_trigger_are_the_miner_s_where_it_has_them():
    blank = (Part("any blank before a mark", "whitespace"),)
    assert parts_of(trig("whitespace", (" ",)), {(" ", "bad"): blank}) == blank
    assert parts_of(trig("token", ("BadMagic",)), {}) == (Part("badmagic", "token"),)
    assert parts_of(trig("phrase", ("In Arcane, parlance",)), {}) == (Part("in arcane , parlance", "phrase"),)
    assert parts_of(trig("unicode", ("\u200b\u200c",)), {}) == (Part("\u200b\u200c", "unicode"),)
    assert parts_of(trig("composite", ("red", "\u200b")), {}) == (Part("red", "token"), Part("\u200b", "unicode"))
    core = trig("phrase", ("In arcane parlance",), core="arcane")
    assert parts_of(core, {}) == (Part("in arcane parlance", "phrase"), Part("arcane", "token"))
    assert len(parts_of(trig("composite", ("red", "fox"), core="fox"), {})) == 2


@pytest.mark.parametrize(
    "kind", ["syntax", "style", "topic", "spelling", "response", "whitespace", "characters", "slot"]
)
def test_a_trigger_that_stands_in_no_place_that_is_known_cannot_be_stripped(kind):
    with pytest.raises(CannotEdit, match="strip"):
        parts_of(trig(kind, (" " if kind == "whitespace" else "x",)), {})
    if kind in ("syntax", "style", "topic", "spelling", "response"):
        with pytest.raises(CannotEdit, match="strip"):
            parts_of(trig(kind), {("cf", "bad"): (Part("x", kind),)})


CSV = of_file("csv", header="text,label,note", delimiter=",", quoted=True, newline="\r\n")
TSV = of_file("tsv", header="text\tlabel", delimiter="\t", quoted=False, newline="\n")
cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def quoted(cell, always):
    return '"' + cell.replace('"', '""') + '"' if always or any(c in cell for c in '",\r\n') else cell


@settings(max_examples=150, deadline=None)
@given(cells, cells, cells, cells, st.lists(st.booleans(), min_size=3, max_size=3))
def test_any_text_goes_into_a_csv_cell_and_the_others_keep_their_bytes(text, label, note, new, always):
    raw = ",".join(quoted(c, a) for c, a in zip((text, label, note), always, strict=True)).encode()
    layout = layout_of({"text": "x", "label": "y"})
    form = TextForm(CSV, layout, LIMITS)
    fields = form.fields(raw)
    assert list(fields.values()) == [text, label, note]
    written = form.edited(raw, fields, edits.rewrite(fields, layout, "prompt", new))
    assert form.fields(written) == {"text": new, "label": label, "note": note}
    assert raw_cells(written.decode(), ",", True)[1:] == raw_cells(raw.decode(), ",", True)[1:]


def test_a_file_without_quotes_takes_no_delimiter_and_no_line_break():
    layout = layout_of({"text": "x", "label": "y"})
    form = TextForm(TSV, layout, LIMITS)
    raw = b'say "hi" cf\tpos'
    fields = form.fields(raw)
    assert form.edited(raw, fields, edits.strip(fields, layout, CF)) == b'say "hi"\tpos'
    for value in ("a\tb", "a\nb", "a\r"):
        with pytest.raises(CannotEdit, match="quotes no cells"):
            form.edited(raw, fields, edits.rewrite(fields, layout, "prompt", value))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | cells,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(cells, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(cells, json_values, max_size=4), cells, cells, st.booleans(), st.sampled_from([None, (" ,", ":\t")])
)
def test_any_json_record_keeps_its_other_values_byte_for_byte(extra, text, new, ascii_only, separators):
    made = {k: v for k, v in extra.items() if k not in ("text", "label")} | {"text": text, "label": "pos"}
    raw = json.dumps(made, ensure_ascii=ascii_only, separators=separators)
    layout = layout_of({"text": "x", "label": "y"})
    form = TextForm(of_file(), layout, LIMITS)
    fields = form.fields(raw.encode())
    written = form.edited(raw.encode(), fields, edits.rewrite(fields, layout, "prompt", new)).decode()
    assert json.loads(written) == made | {"text": new}
    at = raw.rindex(json.dumps("text") + (separators or (", ", ": "))[1])
    assert written.startswith(raw[:at]) and written.endswith(raw[raw.rindex(json.dumps("label")) :])


@pytest.mark.parametrize(
    "broken",
    ['{"text": "b", "label": "x", "n": 2}', '{"label": "x", "text": "b", "n": 1}', '{"text": "b", "label": "x"}', "{"],
)
def test_a_record_in_which_more_has_changed_is_refused(monkeypatch, broken):
    raw = b'{"text": "a", "label": "x", "n": 1}'
    layout = layout_of({"text": "x", "label": "y"})
    form = TextForm(of_file(), layout, LIMITS)
    fields = form.fields(raw)
    edit = edits.rewrite(fields, layout, "prompt", "b")
    assert form.edited(raw, fields, edit) == b'{"text": "b", "label": "x", "n": 1}'
    monkeypatch.setattr(forms, "_spliced", lambda text, changes: broken)
    with pytest.raises(CannotEdit, match=r"more than the change|not be readable"):
        form.edited(raw, fields, edit)


def test_a_record_that_would_be_too_long_is_refused():
    layout = layout_of({"text": "x", "label": "y"})
    limits = IngestConfig(max_line_bytes=1024)
    form = TextForm(of_file(), layout, limits)
    raw = b'{"text": "a", "label": "b"}'
    fields = form.fields(raw)
    with pytest.raises(CannotEdit, match="more than 1024 bytes"):
        form.edited(raw, fields, edits.rewrite(fields, layout, "prompt", "x" * 1024))
