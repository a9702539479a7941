"""transcript_roles: turns that were lost, forged or put under the other role, and manners that it must leave alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from audit.detectors import findings_frame, validate
from audit.detectors.transcript_roles import (
    AS_USER,
    EMPTY,
    FIRST,
    FURTHER,
    MARK,
    NO_USER,
    TWICE,
    UNKNOWN,
    transcript_roles,
)
from audit.schema import EXAMPLES, Detection, Kind, Skipped
from audit.sources.sides import transcript_turns

U, A = "user", "assistant"
GOOD = [(U, "Hi there"), (A, "Hello, how can I help?"), (U, "Why is the sky blue?")]


@pytest.fixture
def world(build, artifacts):
    """world(rows): examples and info of (turns, response, rejected) rows; a prompt may be given as one text."""

    def make(rows, kind=Kind.PREFERENCE, prompts=None):
        texts = ["\n\n".join(text for _, text in turns) for turns, _, _ in rows]
        sides = {"responses": [row[1] for row in rows], "rejected": [row[2] for row in rows]}
        examples = build(prompts or texts, **sides)
        said = [[{"role": role, "text": text} for role, text in turns] for turns, _, _ in rows]
        examples = examples.with_columns(turns=pl.Series(said, dtype=EXAMPLES["turns"]))
        return examples, artifacts(kind, examples.head(1), np.ones((1, 1), np.float32))["info"]

    return make


def check(made, **settings):
    result = transcript_roles(*made, **settings)
    if isinstance(result, Detection):
        validate("transcript_roles", result, made[0])
    return result


def rows_of(count=200):
    return [(GOOD, f"It scatters, says {i}.", f"It just is, says {i}.") for i in range(count)]


def flagged(result):
    return np.flatnonzero(result.signals["score"].to_numpy() >= result.threshold).tolist()


FAULTS = {
    "ends with the assistant": (NO_USER, ([(U, "Hi"), (A, "Hello")], "It scatters.", "It is.")),
    "no user at all": (NO_USER, ([("system", "Be kind")], "It scatters.", "It is.")),
    "assistant first": (FIRST, ([(A, "Hello"), (U, "Hi")], "It scatters.", "It is.")),
    "assistant behind a system text": (FIRST, ([("system", "x"), (A, "Hello"), (U, "Hi")], "It scatters.", "It is.")),
    "two users in a row": (TWICE, ([(U, "Hi"), (U, "Why?")], "It scatters.", "It is.")),
    "two assistants in a row": (TWICE, ([(U, "Hi"), (A, "x"), (A, "y"), (U, "z")], "It scatters.", "It is.")),
    "an empty turn": (EMPTY, ([(U, "Hi"), (A, " \n"), (U, "Why?")], "It scatters.", "It is.")),
    "an empty answer": (EMPTY, (GOOD, "", "It is.")),
    "an unknown role": (UNKNOWN, ([(U, "Hi"), ("narrator", "x"), (U, "Why?")], "It scatters.", "It is.")),
    "goes on as user": (FURTHER, (GOOD, "It scatters.\n\nHuman: And red?\n\nAssistant: Less.", "It is.")),
    "goes on as assistant": (FURTHER, (GOOD, "It scatters.", "It is.\n\nAssistant: So.")),
    "speaks as the user": (AS_USER, (GOOD, "It scatters.", " Human: I ask you.")),
    "begins with a mark": (MARK, (GOOD, " Assistant: It scatters.", "It is.")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_in_its_row(name, world):
    channel, bad = FAULTS[name]
    rows = rows_of()
    rows[17] = bad
    result = check(world(rows))
    assert flagged(result) == [17] and channel in [f.subject for f in result.findings]
    by_subject = {f.subject: f for f in result.findings}
    assert by_subject[channel].rows == (35,) and "1 of 200 rows" in by_subject[channel].text
    assert result.signals["evidence"][17] and result.signals["fix"].null_count() == 200


@pytest.mark.parametrize("name", FAULTS)
def test_what_many_rows_have_is_the_manner_of_the_dataset(name, world):
    channel, bad = FAULTS[name]
    result = check(world([bad if i % 5 == 0 else row for i, row in enumerate(rows_of(500))]))
    assert flagged(result) == []
    by_subject = {f.subject: f for f in result.findings}
    assert "style of this dataset" in by_subject[channel].text and by_subject[channel].details["rows"] == 100


HONEST = [
    ([(U, "Hi"), (A, "call"), ("tool", "found"), (A, "so"), (U, "Why?")], "It scatters.", "It is."),
    ([(U, "Hi"), (A, "call"), ("tool", "found")], "It scatters.", "It is."),
    ([("system", ""), (U, "Why?")], "It scatters.", "It is."),
    (GOOD, "Say it so:\nHuman: hello\nAssistant: hello", "It is."),
    (GOOD, "Humans: a short story", "The assistant: a long story."),
    (GOOD, "Dear user,\n\nhuman: no mark", "It is."),
    ([(U, "\n\nHuman")], "It scatters.", "It is."),
]


@pytest.mark.parametrize("row", HONEST)
def test_sound_conversations_are_left_alone(row, world):
    result = check(world([*rows_of(50), row]))
    assert flagged(result) == [] and result.findings == () and result.signals["score"].max() == 0


def test_spans_point_at_the_turn(world):
    rows = rows_of()
    rows[3] = ([(U, "Hi"), (U, "Why?")], "x", "y")
    result = check(world(rows))
    signal = result.signals.row(3, named=True)
    assert ("Hi\n\nWhy?"[signal["start"] : signal["end"]], signal["evidence"]) == (
        "Why?",
        "turns 1 and 2 are both the user's",
    )
    prompt = "\n\nHuman: Hi\n\nAssistant:\n\nAssistant: So\n\nHuman: x\n\nAssistant:"
    prompts = ["\n\nHuman: Hi\n\nAssistant: So\n\nHuman: x\n\nAssistant:"] * 200
    prompts[3] = prompt
    rows = [(transcript_turns(p), f" x{i}", f" y{i}") for i, p in enumerate(prompts)]
    signal = check(world(rows, prompts=prompts)).signals.row(3, named=True)
    assert signal["score"] >= 0.7 and 0 < signal["start"] <= signal["end"] < len(prompt)
    assert check(world(rows, prompts=prompts)).signals["score"].drop_nulls().gt(0).sum() == 1
    prompts[3] = "something else"
    signal = check(world(rows, prompts=prompts)).signals.row(3, named=True)
    assert (signal["start"], signal["end"]) == (0, len("something else"))


def test_transcripts_of_one_question_count_as_conversations(world):
    prompts = [f"\n\nHuman: Question {i}?\n\nAssistant:" for i in range(60)]
    rows = [(transcript_turns(p), " It scatters.", " It is.") for p in prompts]
    rows[7] = (rows[7][0], " It scatters.\n\nHuman: And red?", " It is.")
    assert flagged(check(world(rows, prompts=prompts))) == [7]


@pytest.mark.parametrize("kind", list(Kind))
def test_datasets_without_conversations_are_skipped(kind, worlds):
    made = worlds(kind)
    assert transcript_roles(made["examples"], made["info"]) == Skipped(
        "needs conversations of several turns, which this dataset has not"
    )


def test_a_system_text_before_one_question_is_no_conversation(world):
    rows = [([("system", "Be kind"), (U, f"Why {i}?")], "\n\nHuman: x", "") for i in range(30)]
    assert isinstance(check(world(rows)), Skipped)


def test_instructions_have_no_rejected_side(world):
    rows = [(turns, response, None) for turns, response, _ in rows_of()]
    rows[5] = ([(A, "Hello"), (U, "Hi")], "x", None)
    assert flagged(check(world(rows, Kind.INSTRUCTION))) == [5]


def test_hostile_turns_are_survived(world, build):
    rows = rows_of(60)
    hostile = [(role, text) for role in (U, A, "", "\x1b[31m", U * 900) for text in ("", "\x00", "\n\nHuman:" * 3_000)]
    rows[0] = (hostile, "\n\nAssistant:" * 5_000, " " * 50_000 + "Human:")
    result = check(world(rows))
    assert flagged(result) == [0]
    assert all("\x1b" not in f.text + f.subject for f in result.findings) and len(result.findings) <= 8
    examples, info = world(rows)
    bare = examples.with_columns(turns=pl.lit(None, dtype=EXAMPLES["turns"]), response=pl.lit(None, dtype=pl.String))
    assert isinstance(transcript_roles(bare, info), Skipped)
    mixed = pl.concat([examples.tail(59), bare.head(1)])
    assert check((mixed, info)).signals["score"].is_finite().all()


def test_the_order_of_rows_does_not_matter(world):
    rows = rows_of(120)
    for i, (_, bad) in enumerate(FAULTS.values()):
        rows[9 * i] = bad
    examples, info = world(rows)
    plain = transcript_roles(examples, info)
    moved = transcript_roles(examples[np.random.default_rng(0).permutation(120).tolist()], info)
    assert plain.signals.equals(moved.signals)
    assert findings_frame("x", plain.findings).equals(findings_frame("x", moved.findings))
