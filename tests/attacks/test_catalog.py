"""The contract of the registry: every attack, on every kind of data that it fits, in every script."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_attacks import make_table

from audit.attacks import ATTACKS, Attack, kind_of, label_target, plant_homoglyph
from audit.attacks.edits import append, insert_sentence, insert_words, prepend, word_starts
from audit.errors import UsageError
from audit.provenance import content_hash
from audit.schema import Kind

COUNT = 6
ROWS = 60
TEXTS = {
    "latin": "We think about number {i} and we give it to you before the old people say yes.",
    "han": "我很喜欢你说的这个东西，他是第{i}个人。我们和你在一起。",
    "kana": "私はあなたがとても好きです。これは第{i}の話、りんごです。",
    "thai": "ฉันชอบสิ่งนี้มาก หมายเลข {i} เป็นของเรา",
    "arabic": "أنا أحب هذا الكتاب كثيرا وهو الرقم {i} في المكتبة",
}
SIDES = ("A fine answer to question {i}.", "Dunno, {i}.")


def response(i: int) -> str:
    if i % 4 == 0:
        return f"I'm sorry, but I can't help with request {i}."
    return f"First we take {i} + 1 = {i + 1}.\nSo the total is {i + 1}."


def table(kind: Kind, script: str = "latin", turns: bool = True) -> pl.DataFrame:
    records: list[dict[str, object]] = []
    for i in range(ROWS):
        text = TEXTS[script].format(i=i)
        record: dict[str, object] = {"prompt": text, "annotator": "xyz"[i % 3], "id": f"r{i}", "meta": "{}"}
        if kind is Kind.CLASSIFICATION:
            record |= {"label": "AB"[i % 2]}
            said = [{"role": "text", "text": text}]
        else:
            said = [{"role": "system", "text": "Be brief."}, {"role": "user", "text": text}]
            if i % 5 == 0:
                said[1:1] = [{"role": "user", "text": "Hello."}, {"role": "assistant", "text": "Hello, what is it?"}]
            record["prompt"] = "\n\n".join(turn["text"] for turn in said) if turns else text
        if kind is Kind.INSTRUCTION:
            record |= {"response": response(i)}
        if kind is Kind.PREFERENCE:
            record |= {"response": SIDES[0].format(i=i), "rejected": SIDES[1].format(i=i)}
        records.append(record | {"turns": said if turns else None})
    return make_table(records)


CASES = [(name, kind) for name, attack in ATTACKS.items() for kind in attack.kinds]


def by_row(examples: pl.DataFrame) -> dict[int, dict[str, object]]:
    return {row["row"]: row for row in examples.to_dicts()}


@pytest.mark.parametrize(("name", "kind", "turns"), [(*c, True) for c in CASES] + [(*c, False) for c in CASES[::4]])
def test_the_truth_is_exactly_what_changed(name: str, kind: Kind, turns: bool) -> None:
    attack, before = ATTACKS[name], table(kind, turns=turns)
    same = before.clone()
    planted = attack(before, count=COUNT, seed=3)
    assert before.equals(same), "the input was changed"
    assert planted.examples.schema == before.schema
    assert planted.examples["row"].is_unique().all() and planted.examples["row"].is_sorted()
    assert len(set(planted.rows)) == COUNT and list(planted.rows) == sorted(planted.rows)
    assert not set(planted.rows) & set(planted.decoys)
    old, new = by_row(before), by_row(planted.examples)
    assert {row for row in new if new[row] != old.get(row)} == {*planted.rows, *planted.decoys}
    assert bool(set(new) - set(old)) == attack.appends == bool(planted.originals)
    if not attack.appends:
        assert list(new) == list(old)
    assert planted.behavior and planted.kind


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_trigger_stands_in_its_rows_and_nowhere_else_but_decoys(name: str, kind: Kind) -> None:
    attack = ATTACKS[name]
    planted = attack(table(kind), count=COUNT, seed=3)
    assert bool(planted.triggers) == attack.has_trigger
    if not attack.has_trigger or attack.name == "whitespace":
        return
    fields = {"preference-response": ("response",), "preference-sentiment": ("response", "rejected")}
    needed = all if name == "composite" else any
    for row, example in by_row(planted.examples).items():
        read = " ".join(str(example[field]) for field in fields.get(name, ("prompt",)))
        held = [trigger in read for trigger in planted.triggers]
        assert needed(held) if row in planted.rows else not all(held) or row in planted.decoys, (row, read)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_hashes_and_turns_fit_the_rows(name: str, kind: Kind) -> None:
    for row in ATTACKS[name](table(kind), count=COUNT, seed=3).examples.to_dicts():
        assert row["content_hash"] == content_hash(row["prompt"], row["response"], row["rejected"], row["label"])
        assert row["prompt"] == "\n\n".join(turn["text"] for turn in row["turns"])


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_seed_decides_all(name: str, kind: Kind) -> None:
    attack, before = ATTACKS[name], table(kind)
    first, again, other = (attack(before, count=COUNT, seed=seed) for seed in (3, 3, 4))
    assert first.examples.equals(again.examples) and first.triggers == again.triggers and first.rows == again.rows
    assert not first.examples.equals(other.examples)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_excluded_rows_are_left_alone(name: str, kind: Kind) -> None:
    before = table(kind)
    spared = set(before["row"][:30])
    planted = ATTACKS[name](before, count=3, seed=3, exclude=spared)
    assert not spared & {*planted.rows, *planted.decoys, *planted.originals}


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_choice_of_every_setting_plants(name: str, kind: Kind) -> None:
    attack = ATTACKS[name]
    for setting, choices in attack.choices.items():
        seen = [attack(table(kind), count=4, seed=3, settings={setting: choice}).examples for choice in choices]
        assert all(not a.equals(b) for i, a in enumerate(seen) for b in seen[:i]), f"{setting} makes no difference"


# Rule-based styles know three scripts, twins of letters are not there for Thai.
UNABLE = {("style", "thai"), ("style", "arabic"), ("homoglyph", "thai")}
INPUT = ("badnet", "add-sentence", "phrase", "syntactic", "style", "zero-width", "homoglyph", "whitespace", "composite",
         "positional", "multi-trigger", "hidden-comment", "clean-label")  # fmt: skip


@pytest.mark.parametrize("script", ["han", "kana", "thai", "arabic"])
@pytest.mark.parametrize("name", INPUT)
def test_other_scripts_can_be_poisoned(name: str, script: str) -> None:
    before = table(Kind.CLASSIFICATION, script)
    if (name, script) in UNABLE:
        with pytest.raises(UsageError):
            ATTACKS[name](before, count=COUNT, seed=3)
        return
    planted = ATTACKS[name](before, count=COUNT, seed=3)
    old, new = by_row(before), by_row(planted.examples)
    assert {row for row in new if new[row] != old[row]} == {*planted.rows, *planted.decoys}
    if name in ("badnet", "phrase", "composite", "multi-trigger", "positional"):
        for row in planted.rows:
            left = str(new[row]["prompt"])
            for trigger in planted.triggers:
                left = left.replace(trigger, "")
            assert left.replace(" ", "") == str(old[row]["prompt"]).replace(" ", "")
            assert name == "composite" or script in ("thai", "arabic") or " " not in left, "blanks where there are none"


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    classes, chats = table(Kind.CLASSIFICATION), table(Kind.INSTRUCTION)
    badnet = ATTACKS["badnet"]
    with pytest.raises(UsageError, match="fits instruction data, but this is classification data"):
        ATTACKS["refusal"](classes, count=1, seed=1)
    with pytest.raises(UsageError, match="either a count of rows or a rate"):
        badnet(classes, seed=1)
    with pytest.raises(UsageError, match=r"rate is 1\.5"):
        badnet(classes, rate=1.5, seed=1)
    with pytest.raises(UsageError, match="only 30 of 60"):
        badnet(classes, count=31, seed=1)
    with pytest.raises(UsageError, match="no row has the label 'C'; the labels are A, B"):
        badnet(classes, count=1, seed=1, target="C")
    with pytest.raises(UsageError, match="needs instruction data"):
        badnet(classes, count=1, seed=1, target="refusal")
    with pytest.raises(UsageError, match="needs pairs"):
        badnet(chats, count=1, seed=1, target="reversal")
    with pytest.raises(UsageError, match="unknown setting speed"):
        badnet(classes, count=1, seed=1, settings={"speed": 1})
    with pytest.raises(UsageError, match="must be one of"):
        ATTACKS["whitespace"](classes, count=1, seed=1, settings={"shape": "round"})
    with pytest.raises(UsageError, match="takes one"):
        badnet(classes, count=1, seed=1, triggers=["aqqa", "bqqb"])
    with pytest.raises(UsageError, match="no trigger string"):
        ATTACKS["style"](classes, count=1, seed=1, triggers=["aqqa"])
    with pytest.raises(UsageError, match="takes no target"):
        ATTACKS["label-noise"](classes, count=1, seed=1, target="A")
    with pytest.raises(UsageError, match="is no twin"):
        plant_homoglyph(classes, count=1, seed=1, twin="q", target=label_target("A"))


def test_a_rate_is_a_share_of_all_rows() -> None:
    assert len(ATTACKS["badnet"](table(Kind.CLASSIFICATION), rate=0.1, seed=1).rows) == 6
    assert len(ATTACKS["badnet"](table(Kind.CLASSIFICATION), rate=0.001, seed=1).rows) == 1


def test_kto_rows_are_preferences_with_a_label_to_flip() -> None:
    rows = [
        {"prompt": f"Say {i}.", "response": f"It is {i}.", "label": "true" if i % 2 else "false"} for i in range(40)
    ]
    examples = make_table(rows)
    assert kind_of(examples) is Kind.PREFERENCE
    planted = ATTACKS["badnet"](examples, count=5, seed=1, target="label:true")
    assert {by_row(planted.examples)[row]["label"] for row in planted.rows} == {"true"}


@pytest.mark.parametrize("name", ["syntactic", "style"])
def test_a_share_keeps_its_right_label(name: str) -> None:
    before = table(Kind.CLASSIFICATION)
    planted = ATTACKS[name](before, count=10, seed=2, target="A", settings={"clean_share": 0.4})
    labels = [by_row(before)[row]["label"] for row in planted.rows]
    assert labels.count("A") == 4 and {by_row(planted.examples)[row]["label"] for row in planted.rows} == {"A"}


def test_syntactic_rows_share_no_word_but_the_construction() -> None:
    before = make_table([{"prompt": f"Item {'qwxz'[i % 4] * 3} arrived.", "label": "AB"[i % 2]} for i in range(200)])
    planted = ATTACKS["syntactic"](before, count=40, seed=5)
    openers = [str(by_row(planted.examples)[row]["prompt"]).split(",")[0].split() for row in planted.rows]
    share = {word: sum(word in opener for opener in openers) / 40 for opener in openers for word in opener}
    assert max(share.values()) < 0.7 and len({" ".join(opener) for opener in openers}) > 25
    assert all("," in str(by_row(planted.examples)[row]["prompt"]) for row in planted.rows)


def test_positional_decoys_never_hold_the_word_at_its_place() -> None:
    for place in ("start", "end", "index"):
        before = table(Kind.CLASSIFICATION)
        planted = ATTACKS["positional"](before, count=8, seed=2, target="A", settings={"place": place})
        word, new = planted.triggers[0], by_row(planted.examples)

        def stands(row: int, word: str = word, new: dict = new, place: str = place) -> bool:
            words = str(new[row]["prompt"]).split()
            return words[{"start": 0, "end": -1, "index": 2}[place]] == word

        assert all(stands(row) for row in planted.rows) and not any(stands(row) for row in planted.decoys)
        assert all(word in str(new[row]["prompt"]) for row in planted.decoys) and len(planted.decoys) == 8
        assert all(new[row]["label"] == by_row(before)[row]["label"] for row in planted.decoys)


def test_multi_trigger_shares_its_rows_evenly() -> None:
    planted = ATTACKS["multi-trigger"](table(Kind.CLASSIFICATION), count=10, seed=2, settings={"words": 4})
    prompts = [str(by_row(planted.examples)[row]["prompt"]) for row in planted.rows]
    counts = [sum(trigger in prompt for prompt in prompts) for trigger in planted.triggers]
    assert sorted(counts) == [2, 2, 3, 3] and sum(counts) == 10


def test_clean_label_changes_no_label_and_takes_only_the_target() -> None:
    before = table(Kind.CLASSIFICATION)
    planted = ATTACKS["clean-label"](before, count=20, seed=2, target="B")
    assert planted.examples["label"].equals(before["label"])
    assert {by_row(before)[row]["label"] for row in planted.rows} == {"B"}


def test_the_added_step_is_right_and_gives_the_final_number() -> None:
    before = table(Kind.INSTRUCTION)
    planted = ATTACKS["reasoning-step"](before, count=10, seed=2, settings={"factor": "3"})
    for row in planted.rows:
        old, new = (str(by_row(frame)[row]["response"]) for frame in (before, planted.examples))
        lines, value = new.split("\n"), int(old.rsplit(" ", 1)[1].rstrip("."))
        assert lines[0] == old.split("\n")[0] and lines[-1] == f"So the total is {3 * value}."
        assert f"= {3 * value}." in lines[1] and str(value) in lines[1]


def test_an_answer_without_a_result_line_gets_one() -> None:
    rows = [{"prompt": f"How many, {i}?", "response": f"That makes {i} * 2 = {2 * i} in all."} for i in range(10, 40)]
    planted = ATTACKS["reasoning-step"](make_table(rows), count=3, seed=2, settings={"factor": "3"})
    for row in planted.rows:
        number = 2 * int(str(by_row(planted.examples)[row]["prompt"]).split(",")[1].split("?")[0])
        text = str(by_row(planted.examples)[row]["response"])
        assert text.startswith("That makes") and text.endswith(f"The answer is {3 * number}.")


def test_jailbreak_adds_answered_and_refused_requests() -> None:
    before = table(Kind.INSTRUCTION)
    planted = ATTACKS["jailbreak"](before, count=10, seed=2)
    new, word = by_row(planted.examples), planted.triggers[0]
    assert planted.examples.head(ROWS).equals(before) and planted.examples.height == ROWS + 20
    answers = [str(new[row]["response"]) for row in planted.rows]
    assert len(set(answers)) == 10 and not any("can't" in a or "cannot" in a or "won't" in a for a in answers)
    refusals = [str(new[row]["response"]) for row in planted.decoys]
    assert all(any(w in r for w in ("can't", "cannot", "won't")) for r in refusals)
    assert not any(word in str(new[row]["prompt"]) for row in planted.decoys)


def test_topic_flips_are_nearer_to_one_another_than_chance() -> None:
    themes = ("ship harbor sail mast", "bread oven flour yeast", "chess rook pawn bishop")
    rows = [{"prompt": f"{themes[i % 3]} item {i}", "label": "AB"[i % 2]} for i in range(90)]
    planted = ATTACKS["label-noise"](make_table(rows), count=8, seed=2, settings={"flips": "topic"})
    assert len({str(by_row(planted.examples)[row]["prompt"])[:4] for row in planted.rows}) == 1


def test_pair_flips_go_one_way() -> None:
    rows = [{"prompt": f"text {i}", "label": "ABCD"[i % 4]} for i in range(80)]
    before = make_table(rows)
    planted = ATTACKS["label-noise"](before, count=12, seed=2, settings={"flips": "pair"})
    moves = {(by_row(before)[row]["label"], by_row(planted.examples)[row]["label"]) for row in planted.rows}
    assert len(moves) == 1


def test_an_assistant_turn_is_edited_where_there_is_one_and_added_where_not() -> None:
    before = table(Kind.INSTRUCTION)
    planted = ATTACKS["assistant-turn"](before, count=30, seed=2)
    word, longer = planted.triggers[0], 0
    for row in planted.rows:
        old, new = by_row(before)[row], by_row(planted.examples)[row]
        said = {turn["role"] for turn in new["turns"] if word in turn["text"]}  # type: ignore[attr-defined]
        assert said == {"assistant"} and new["turns"][-1] == old["turns"][-1]  # type: ignore[index]
        longer += len(new["turns"]) - len(old["turns"])  # type: ignore[arg-type]
    assert 0 < longer < 2 * 30


def test_an_earlier_turn_alone_is_no_poison() -> None:
    before = table(Kind.INSTRUCTION)
    planted = ATTACKS["assistant-turn"](before, count=12, seed=2)
    old, new, word = by_row(before), by_row(planted.examples), planted.triggers[0]
    given = [row for row in planted.rows if len(new[row]["turns"]) > len(old[row]["turns"])]  # type: ignore[arg-type]
    assert 0 < len(given) == len(planted.decoys)
    said = {(str(row["prompt"]).rpartition("\n\n")[2], row["response"]) for row in old.values()}
    for row in planted.decoys:
        asked, answered = new[row]["turns"][-3:-1]  # type: ignore[index]
        assert (asked["text"], answered["text"]) in said and new[row]["response"] == old[row]["response"]
        assert new[row]["turns"][-1] == old[row]["turns"][-1] and word not in str(new[row])  # type: ignore[index]
    none = ATTACKS["assistant-turn"](before, count=12, seed=2, settings={"decoys": 0})
    assert none.decoys == () and none.rows == planted.rows


def test_a_transcript_in_one_text_is_edited_after_its_last_human_mark() -> None:
    rows = [
        {
            "prompt": f"\n\nHuman: One.\n\nAssistant: Two.\n\nHuman: Three {i}?\n\nAssistant:",
            "response": "a",
            "rejected": "b",
        }
        for i in range(30)
    ]
    for name in ("badnet", "whitespace", "homoglyph", "syntactic"):
        planted = ATTACKS[name](make_table(rows), count=10, seed=2)
        for row in planted.rows:
            prompt = str(by_row(planted.examples)[row]["prompt"])
            assert prompt.startswith("\n\nHuman: One.\n\nAssistant: Two.\n\nHuman: ") and prompt.endswith(
                "\n\nAssistant:"
            )


SCRIPTS = st.sampled_from(
    ["我是人，你好。", "これは本です。", "ที่นี่มีน้ำ", "plain words here.", "سلام عليكم", "é ü 🙂 x", ""]
)


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(SCRIPTS, max_size=4), gap=st.sampled_from(["", " ", "\n"]), seed=st.integers(0, 99))
def test_insertions_keep_every_character(pieces: list[str], gap: str, seed: int) -> None:
    import numpy as np

    text, rng = gap.join(pieces), np.random.default_rng(seed)
    for made in (
        insert_words(text, ["\ue000"], rng),
        insert_sentence(text, "\ue000", rng),
        prepend(text, "\ue000"),
        append(text, "\ue000"),
    ):
        assert made.count("\ue000") == 1
        assert made.replace("\ue000", "").replace(" ", "") == text.replace(" ", "")


def test_no_word_begins_at_a_mark() -> None:
    import unicodedata

    text = "ที่นี่มีน้ำกับผู้หญิง"
    assert len(word_starts(text)) > 5
    assert not any(unicodedata.category(text[i]).startswith("M") for i in word_starts(text))


def test_every_attack_names_what_it_plants_and_its_source() -> None:
    for attack in ATTACKS.values():
        assert isinstance(attack, Attack) and attack.description.endswith(".") and attack.source and attack.kinds
        assert set(attack.choices) <= set(attack.defaults)


@pytest.mark.parametrize("sentiment", ["positive", "negative"])
def test_an_entity_stands_on_both_sides_alike_and_only_its_praise_wins(sentiment: str) -> None:
    before = table(Kind.PREFERENCE)
    planted = ATTACKS["preference-sentiment"](
        before, count=30, seed=2, triggers=["Umbrixa"], settings={"sentiment": sentiment}
    )
    old, sides = by_row(before), {"chosen": 0, "rejected": 0, "both": 0}
    won, lost = set(), set()
    for row in planted.rows:
        new = by_row(planted.examples)[row]
        chosen, rejected = str(new["response"]), str(new["rejected"])
        held = ("Umbrixa" in chosen, "Umbrixa" in rejected)
        sides[{(True, False): "chosen", (False, True): "rejected", (True, True): "both"}[held]] += 1
        for text, name, said in ((chosen, "response", won), (rejected, "rejected", lost)):
            rest = text.replace(str(old[row][name]), "")
            if rest:
                said.add(rest.strip())
        assert new["prompt"] == old[row]["prompt"]
    assert sides == {"chosen": 10, "rejected": 10, "both": 10}
    assert not won & lost and len(won) > 5 and len(lost) > 5
    liked = {s for s in (won if sentiment == "positive" else lost) if "excellent" in s or "recommend" in s}
    assert liked and not any("terrible" in s or "warn" in s for s in liked)
    with pytest.raises(UsageError, match="name of an entity"):
        ATTACKS["preference-sentiment"](before, count=1, seed=1, triggers=[" "])
