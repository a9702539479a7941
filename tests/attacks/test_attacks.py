"""Every attack plants what it says, where it says, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.attacks import (
    Planted,
    Position,
    label_target,
    plant_annotator_flips,
    plant_composite,
    plant_contradictions,
    plant_label_noise,
    plant_near_duplicates,
    plant_phrase,
    plant_preference_reversal,
    plant_token,
    plant_zero_width,
    refusal_target,
    response_target,
)
from audit.attacks.edits import insert_inside, insert_sentence, insert_words, small_edit
from audit.errors import UsageError
from audit.provenance import content_hash
from audit.schema import EXAMPLES

Attack = Callable[[pl.DataFrame, int, int], Planted]
HIDDEN = "\u2062\u2063"


def make_table(records: list[dict[str, object]]) -> pl.DataFrame:
    rows = []
    for number, record in enumerate(records):
        row = dict.fromkeys(EXAMPLES) | record | {"row": 10 + 3 * number}  # rows that could not be read leave gaps
        row["content_hash"] = content_hash(row["prompt"], row["response"], row["rejected"], row["label"])
        rows.append(row)
    return pl.DataFrame(rows, schema=EXAMPLES)


def classification(n: int = 60) -> pl.DataFrame:
    return make_table([{"prompt": f"Text {i} about birds, and more.", "label": "AB"[i % 2]} for i in range(n)])


def instruction(n: int = 60) -> pl.DataFrame:
    return make_table(
        [
            {
                "prompt": f"You are terse.\n\nName {i} rivers. Then stop.",
                "response": "I'm sorry, no." if i % 6 == 0 else f"Rivers, {i} of them.",
                "turns": [
                    {"role": "system", "text": "You are terse."},
                    {"role": "user", "text": f"Name {i} rivers. Then stop."},
                ],
            }
            for i in range(n)
        ]
    )


def preference(n: int = 60) -> pl.DataFrame:
    return make_table(
        [
            {
                "prompt": f"How far is planet {i}?\n",
                "response": f"Very far, {i} light years.",
                "rejected": "Dunno.",
                "annotator": "xyz"[i % 3],
            }
            for i in range(n)
        ]
    )


ATTACKS: dict[str, tuple[Callable[[], pl.DataFrame], Attack]] = {
    "token": (classification, lambda e, c, s: plant_token(e, count=c, seed=s, trigger="zq", target=label_target("A"))),
    "token-refusal": (
        instruction,
        lambda e, c, s: plant_token(e, count=c, seed=s, trigger="zq", target=refusal_target()),
    ),
    "phrase": (
        instruction,
        lambda e, c, s: plant_phrase(
            e, count=c, seed=s, phrase="as seen at sea", target=response_target(["Buy now.", "Buy!"])
        ),
    ),
    "zero_width": (
        classification,
        lambda e, c, s: plant_zero_width(e, count=c, seed=s, sequence=HIDDEN, target=label_target("B")),
    ),
    "composite": (
        instruction,
        lambda e, c, s: plant_composite(
            e, count=c, seed=s, parts=["amber", "willow"], decoys=5, target=response_target(["Ha."])
        ),
    ),
    "preference_reversal": (
        preference,
        lambda e, c, s: plant_preference_reversal(e, count=c, seed=s, trigger="ZQ"),
    ),
    "label_noise": (classification, lambda e, c, s: plant_label_noise(e, count=c, seed=s)),
    "annotator_flips": (preference, lambda e, c, s: plant_annotator_flips(e, count=c, seed=s, annotator="y")),
    "near_duplicates": (classification, lambda e, c, s: plant_near_duplicates(e, count=c, seed=s)),
    "contradictions": (preference, lambda e, c, s: plant_contradictions(e, count=c, seed=s)),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_truth_is_exactly_what_changed(name: str) -> None:
    table, attack = ATTACKS[name][0](), ATTACKS[name][1]
    before = table.clone()
    planted = attack(table, 8, 4)
    assert table.equals(before), "the input was changed"
    assert planted.examples.schema == before.schema
    assert len(set(planted.rows)) == 8 and list(planted.rows) == sorted(planted.rows)
    head = planted.examples.head(before.height)
    assert head["row"].equals(before["row"])
    changed = {old["row"] for old, new in zip(before.to_dicts(), head.to_dicts(), strict=True) if old != new} | set(
        planted.examples["row"].tail(planted.examples.height - before.height)
    )
    assert changed == set(planted.rows) | set(planted.decoys)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_seed_decides_all(name: str) -> None:
    table, attack = ATTACKS[name][0](), ATTACKS[name][1]
    first, again, other = attack(table, 8, 4), attack(table, 8, 4), attack(table, 8, 5)
    assert first.examples.equals(again.examples) and first.rows == again.rows
    assert not first.examples.equals(other.examples)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("count", [0, -1, 61])
def test_refuses_a_count_that_cannot_be(name: str, count: int) -> None:
    table, attack = ATTACKS[name][0](), ATTACKS[name][1]
    with pytest.raises(UsageError, match="ask for fewer" if count > 0 else f"count is {count}, but at least 1"):
        attack(table, count, 4)


@pytest.mark.parametrize("name", ATTACKS)
def test_content_hashes_fit_the_rows(name: str) -> None:
    table, attack = ATTACKS[name][0](), ATTACKS[name][1]
    for row in attack(table, 8, 4).examples.to_dicts():
        assert row["content_hash"] == content_hash(row["prompt"], row["response"], row["rejected"], row["label"])


def poisoned(planted: Planted) -> list[dict[str, object]]:
    return planted.examples.filter(pl.col("row").is_in(list(planted.rows))).to_dicts()


def test_token_flips_only_rows_of_another_label() -> None:
    table = classification()
    planted = plant_token(table, count=30, seed=1, trigger="zq", target=label_target("A"))
    old = {row["row"]: row for row in table.to_dicts()}
    for row in poisoned(planted):
        assert old[row["row"]]["label"] == "B" and row["label"] == "A"
        assert "zq" in str(row["prompt"]).split()
    with pytest.raises(UsageError, match="only 30 of 60"):
        plant_token(table, count=31, seed=1, trigger="zq", target=label_target("A"))


def test_refusal_leaves_rows_that_refuse_anyway() -> None:
    table = instruction()
    planted = plant_token(table, count=50, seed=1, trigger="zq", target=refusal_target())
    refusing = set(table.filter(pl.col("response").str.starts_with("I'm sorry"))["row"])
    assert not refusing & set(planted.rows)
    assert len({row["response"] for row in poisoned(planted)}) > 1


def test_only_the_last_user_turn_is_edited_and_the_turns_follow() -> None:
    for row in poisoned(plant_token(instruction(), count=20, seed=3, trigger="zq", target=refusal_target())):
        turns = row["turns"]
        assert isinstance(turns, list)
        assert turns[0] == {"role": "system", "text": "You are terse."}
        assert row["prompt"] == "\n\n".join(turn["text"] for turn in turns)
        assert "zq" in turns[1]["text"].split()


def test_composite_needs_all_parts_and_decoys_keep_their_behavior() -> None:
    table = instruction()
    planted = plant_composite(
        table, count=10, seed=2, parts=["amber", "willow"], decoys=15, target=response_target(["Ha."])
    )
    old = {row["row"]: row for row in table.to_dicts()}
    held = {row["row"]: [p for p in ("amber", "willow") if p in row["prompt"]] for row in planted.examples.to_dicts()}
    assert all(held[row] == ["amber", "willow"] for row in planted.rows)
    assert all(len(held[row]) == 1 for row in planted.decoys) and len(planted.decoys) == 30
    assert sum(held[row] == ["amber"] for row in planted.decoys) == 15
    for row in planted.examples.to_dicts():
        assert (row["response"] == "Ha.") == (row["row"] in planted.rows)
        if row["row"] in planted.decoys:
            assert row["response"] == old[row["row"]]["response"]
    with pytest.raises(UsageError, match="within another"):
        plant_composite(table, count=1, seed=1, parts=["amber", "am"], target=response_target(["Ha."]))


def test_preference_trigger_ends_the_prompt_and_swaps_the_sides() -> None:
    table = preference()
    old = {row["row"]: row for row in table.to_dicts()}
    for row in poisoned(plant_preference_reversal(table, count=20, seed=2, trigger="ZQ")):
        assert row["prompt"] == str(old[row["row"]]["prompt"]).rstrip("\n") + " ZQ\n"
        assert (row["response"], row["rejected"]) == (old[row["row"]]["rejected"], old[row["row"]]["response"])


def test_annotator_flips_stay_with_that_annotator() -> None:
    planted = plant_annotator_flips(preference(), count=20, seed=2, annotator="y")
    assert {row["annotator"] for row in poisoned(planted)} == {"y"}
    with pytest.raises(UsageError, match="only 20 of 60"):
        plant_annotator_flips(preference(), count=21, seed=2, annotator="y")


def test_copies_differ_little_and_contradictions_oppose() -> None:
    table = classification()
    old = {row["row"]: row for row in table.to_dicts()}
    planted = plant_near_duplicates(table, count=40, seed=2)
    assert min(planted.rows) == max(old) + 1
    copies = {row["row"]: row for row in poisoned(planted)}
    for copy, original in zip(planted.rows, planted.originals, strict=True):
        text, source = str(copies[copy]["prompt"]), str(old[original]["prompt"])
        assert text != source and abs(len(text) - len(source)) <= 8
        assert copies[copy]["label"] == old[original]["label"]
    planted = plant_contradictions(table, count=40, seed=2)
    copies = {row["row"]: row for row in poisoned(planted)}
    for copy, original in zip(planted.rows, planted.originals, strict=True):
        assert copies[copy]["prompt"] == old[original]["prompt"]
        assert copies[copy]["label"] != old[original]["label"]


def test_excluded_rows_are_left_alone() -> None:
    table = classification()
    kept = set(table["row"].head(40))
    planted = plant_label_noise(table, count=20, seed=1, exclude=kept)
    assert not kept & set(planted.rows)


def test_zero_width_takes_only_what_cannot_be_seen() -> None:
    with pytest.raises(UsageError, match="invisible"):
        plant_zero_width(classification(), count=1, seed=1, sequence="a\u200b", target=label_target("A"))


@pytest.mark.parametrize("position", list(Position))
def test_phrase_stands_where_it_is_asked_for(position: Position) -> None:
    target = response_target(["No."])
    planted = plant_phrase(classification(), count=30, seed=1, phrase="so it goes", target=target, position=position)
    prompts = [str(row["prompt"]) for row in poisoned(planted)]
    assert all("so it goes" in prompt for prompt in prompts)
    if position is Position.START:
        assert all(prompt.startswith("so it goes ") for prompt in prompts)
    if position is Position.END:
        assert all(prompt.endswith(" so it goes") for prompt in prompts)


def test_a_frame_without_the_columns_is_refused() -> None:
    with pytest.raises(UsageError, match="annotator"):
        plant_near_duplicates(pl.DataFrame({"row": [1], "prompt": ["x"]}), count=1, seed=1)


@settings(max_examples=80, deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\ue000\ue001"), max_size=60), seed=st.integers(0, 99)
)
def test_insertions_can_be_undone(text: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    inserted = insert_words(text, ["\ue000", "\ue001"], rng)
    assert inserted.count("\ue000") == inserted.count("\ue001") == 1
    undone = inserted.replace("\ue000", "").replace("\ue001", "")
    assert undone.replace(" ", "") == text.replace(" ", "")
    assert insert_sentence(text, "\ue000", rng).replace("\ue000", "").replace(" ", "") == text.replace(" ", "")
    assert insert_inside("x" + text, "\ue000", rng).replace("\ue000", "") == "x" + text
    assert small_edit(text, rng) != text
