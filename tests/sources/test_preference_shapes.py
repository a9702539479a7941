"""Preference data as it is published and as users hold it: winners, strengths, flags, scores, ranks, and what is none
of these."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.config import IngestConfig
from audit.errors import InputError
from audit.schema import TIE
from audit.sources import detect
from audit.sources.winner import judge_of

USER = {"role": "user", "content": "Hi?"}
HH = "\n\nHuman: Hi?\n\nAssistant: Yes?\n\nHuman: Help.\n\nAssistant:"


def said(text):
    return {"role": "assistant", "content": text}


def lines(*rows):
    return "\n".join(json.dumps(row) for row in rows)


def talk(*answers):
    return [turn for answer in answers for turn in (USER, said(answer))]


# name -> (shape, row, (prompt, chosen, rejected, label, shown first), what of the row is a tie)
LAYOUTS = {
    "PKU-SafeRLHF": (
        "two-responses",
        {
            "prompt": "p",
            "response_0": "one",
            "response_1": "two",
            "prompt_source": "x",
            "is_response_0_safe": True,
            "better_response_id": 1,
            "safer_response_id": 0,
        },
        ("p", "two", "one", None, "rejected"),
        None,
    ),
    "Chatbot Arena": (
        "two-responses",
        {
            "question_id": "q",
            "model_a": "m",
            "model_b": "n",
            "winner": "model_a",
            "judge": "arena_user_973",
            "conversation_a": talk("one"),
            "conversation_b": talk("two"),
            "turn": 1,
            "tstamp": 1682351591.1322,
        },
        ("Hi?", "one", "two", None, "chosen"),
        {"winner": "tie (bothbad)"},
    ),
    "one column a verdict": (
        "two-responses",
        {
            "id": 1,
            "model_a": "m",
            "model_b": "n",
            "prompt": '["p"]',
            "response_a": '["one"]',
            "response_b": '["two"]',
            "winner_model_a": 0,
            "winner_model_b": 1,
            "winner_tie": 0,
        },
        ('["p"]', '["two"]', '["one"]', None, "rejected"),
        {"winner_model_b": 0, "winner_tie": 1},
    ),
    "HelpSteer3": (
        "two-responses",
        {
            "domain": "general",
            "language": "english",
            "context": [USER],
            "response1": "one",
            "response2": "two",
            "overall_preference": -2,
            "individual_preference": [{"score": -2, "reasoning": "r"}],
        },
        ("Hi?", "one", "two", None, "chosen"),
        {"overall_preference": 0},
    ),
    "HelpSteer2": (
        "two-responses",
        {"split": "train", "prompt": "p", "response_1": "one", "response_2": "two", "preference_strength": 3},
        ("p", "two", "one", None, "rejected"),
        {"preference_strength": 0},
    ),
    "SHP": (
        "two-responses",
        {
            "post_id": "x",
            "domain": "askbaking",
            "history": "p",
            "human_ref_A": "one",
            "human_ref_B": "two",
            "labels": 0,
            "score_A": 3,
            "score_B": 9,
            "score_ratio": 3.0,
        },
        ("p", "two", "one", None, "rejected"),
        None,
    ),
    "WebGPT": (
        "two-responses",
        {
            "question": {"dataset": "eli5", "id": "7", "full_text": "p"},
            "quotes_0": {"title": ["t"]},
            "answer_0": "one",
            "score_0": -0.5,
            "answer_1": "two",
            "score_1": 0.5,
        },
        ("p", "two", "one", None, "rejected"),
        {"score_0": 0.0, "score_1": 0},
    ),
    "AlpacaEval": (
        "two-responses",
        {"instruction": "p", "output_1": "one", "output_2": "two", "dataset": "d", "annotator": "a", "preference": 2},
        ("p", "two", "one", None, "rejected"),
        {"preference": 1.5},
    ),
    "AlpacaEval, weighted": (
        "two-responses",
        {"instruction": "p", "input": "q", "output_1": "one", "output_2": "two", "preference": 1.0002},
        ("p\n\nq", "one", "two", None, "chosen"),
        {"preference": 0},
    ),
    "Summarize from Feedback": (
        "response-list",
        {
            "info": {"id": "t3", "post": "p", "title": "t", "subreddit": "r"},
            "summaries": [{"text": "one", "policy": "sup1"}, {"text": "two", "policy": "ref"}],
            "choice": 1,
            "worker": "w1",
            "batch": "b",
        },
        ("p", "two", "one", None, "rejected"),
        None,
    ),
    "a judge's verdict": (
        "two-responses",
        {"question": "p", "answer_a": "one", "answer_b": "two", "verdict": "[[B]]"},
        ("p", "two", "one", None, "rejected"),
        {"verdict": "[[C]]"},
    ),
    "letters with a label": (
        "two-responses",
        {"prompt": "p", "responseA": "one", "responseB": "two", "label": "B"},
        ("p", "two", "one", None, "rejected"),
        {"label": "Tie"},
    ),
    "a chosen letter": (
        "two-responses",
        {"prompt": "p", "response_a": "one", "response_b": "two", "chosen": "response_a"},
        ("p", "one", "two", None, "chosen"),
        {"chosen": "both_bad"},
    ),
    "Preference Collection": (
        "two-responses",
        {"orig_instruction": "p", "orig_response_A": "one", "orig_response_B": "two", "orig_preference": "A"},
        ("p", "one", "two", None, "chosen"),
        None,
    ),
    "UltraFeedback": (
        "ranked",
        {
            "source": "evol",
            "instruction": "p",
            "models": ["a", "b", "c"],
            "completions": [
                {"model": "a", "response": "mid", "overall_score": 5.5, "fine-grained_score": 1},
                {"model": "b", "response": "worst", "overall_score": 1},
                {"model": "c", "response": "best", "overall_score": 8.0},
            ],
            "correct_answers": ["None"],
        },
        ("p", "best", "worst", None, None),
        None,
    ),
    "Nectar": (
        "ranked",
        {
            "prompt": HH,
            "answers": [{"answer": " two", "model": "m", "rank": 2.0}, {"answer": " one", "model": "n", "rank": 1.0}],
            "turns": 2,
            "num_responses": 2,
        },
        (HH, " one", " two", None, None),
        None,
    ),
    "Stack Exchange preferences": (
        "ranked",
        {
            "qid": 1,
            "question": "p",
            "answers": [{"text": "b", "pm_score": 0}, {"text": "a", "pm_score": 4}, {"text": "c", "pm_score": -1}],
        },
        ("p", "a", "c", None, None),
        None,
    ),
    "GPT-4-LLM": (
        "ranked",
        {"user_input": "p", "responses_and_scores": [{"response": "a", "score": 7}, {"response": "b", "score": 9}]},
        ("p", "b", "a", None, None),
        None,
    ),
    "texts and ranks": (
        "ranked",
        {"prompt": "p", "responses": ["c", "a", "b"], "ranking": [3, 1, 2]},
        ("p", "a", "c", None, None),
        {"ranking": [1, 1, 1]},
    ),
    "texts and ratings": (
        "ranked",
        {"input": "p", "generations": ["c", "a"], "ratings": ["1", "4.5"]},
        ("p", "a", "c", None, None),
        {"ratings": [4, 4.0]},
    ),
    "pair of one message each": (
        "pairwise",
        {
            "conversations": [{"from": "human", "value": "p"}],
            "chosen": {"from": "gpt", "value": "one"},
            "rejected": {"from": "gpt", "value": "two"},
        },
        ("p", "one", "two", None, None),
        None,
    ),
    "pair behind an object of messages": (
        "pairwise",
        {"input": {"messages": [USER], "tools": []}, "preferred_output": [said("one")]}
        | {"non_preferred_output": [said("two")]},
        ("Hi?", "one", "two", None, None),
        None,
    ),
    "pair with further input": (
        "pairwise",
        {"instruction": "p", "input": "q", "chosen": "one", "rejected": "two"},
        ("p\n\nq", "one", "two", None, None),
        None,
    ),
    "Stack Exchange, paired": (
        "pairwise",
        {"qid": 1, "question": "p", "response_j": "one", "response_k": "two"},
        ("p", "one", "two", None, None),
        None,
    ),
    "KTO of a conversation": (
        "kto",
        {"messages": [USER, said("one")], "kto_tag": False},
        ("Hi?", "one", None, "false", None),
        None,
    ),
    "KTO with further input": (
        "kto",
        {"instruction": "p", "input": "q", "output": "one", "kto_tag": True},
        ("p\n\nq", "one", None, "true", None),
        None,
    ),
}
TIED = [name for name, (_, _, _, tie) in LAYOUTS.items() if tie]


def example(found, row=0):
    return found.examples.row(row, named=True)


def facts(made):
    return tuple(made[name] for name in ("prompt", "response", "rejected", "label", "shown_first"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_published_layouts_are_read_as_they_are_meant(read, name):
    shape, row, wanted, _ = LAYOUTS[name]
    got = read("d.jsonl", lines(row, row, row))
    assert (got.info.shape, got.info.kind, got.bad) == (shape, "preference", {})
    assert facts(example(got)) == wanted and got.info.confidence >= 0.8
    assert (example(got)["ranking"] is not None) == (shape == "ranked")


@pytest.mark.parametrize("name", LAYOUTS)
def test_parquet_says_the_same_as_json(read, tmp_path, name):
    shape, row, wanted, _ = LAYOUTS[name]
    path = tmp_path / "d.parquet"
    pq.write_table(pa.Table.from_pylist([row, row]), path)
    got = read(path)
    assert got.info.shape == shape and facts(example(got, 1)) == wanted


@pytest.mark.parametrize("name", TIED)
def test_ties_are_readable_rows_with_a_label(read, name):
    _, row, wanted, tie = LAYOUTS[name]
    got = read("d.jsonl", lines(row, row, row, row | tie))
    made = example(got, 3)
    assert got.bad == {} and (made["label"], made["shown_first"]) == (TIE, None)
    first, second = wanted[1:3] if wanted[4] != "rejected" else wanted[2:0:-1]
    if made["ranking"] is None:
        assert (made["response"], made["rejected"]) == (first, second)
    else:  # in the order of the record
        assert [entry["text"] for entry in made["ranking"]][:2] == [made["response"], made["rejected"]]
        assert {entry["rank"] for entry in made["ranking"]} == {1}
    assert got.info.labels == ()


def test_facts_beside_a_vote_are_kept(read):
    got = read("d.jsonl", lines(LAYOUTS["Chatbot Arena"][1]))
    made = example(got)
    assert (made["annotator"], made["created_at"]) == ("arena_user_973", "1682351591.1322")
    assert json.loads(made["meta"]) == {"model_a": "m", "model_b": "n", "question_id": "q", "turn": 1}
    assert example(read("e.jsonl", lines(LAYOUTS["Summarize from Feedback"][1])))["annotator"] == "w1"


def test_a_ranking_holds_all_responses_with_ranks_made_anew(read):
    row = {"prompt": "p", "responses": list("abcd"), "scores": [0.5, 9, 0.50, -3]}
    got = read("d.jsonl", lines(row, row | {"scores": [1, 2, 3, 4]}))
    assert example(got)["ranking"] == [
        {"text": "b", "rank": 1},
        {"text": "a", "rank": 2},
        {"text": "c", "rank": 2},
        {"text": "d", "rank": 4},
    ]
    assert (example(got)["response"], example(got)["rejected"]) == ("b", "d")
    assert [e["text"] for e in example(got, 1)["ranking"]] == list("dcba")


def test_the_one_chosen_of_many_is_ranked_before_the_rest(read):
    row = {"prompt": "p", "candidates": list("abc"), "chosen_index": 1}
    got = read("d.jsonl", lines(row, row | {"chosen_index": 0}, row | {"chosen_index": 2}, row | {"chosen_index": 3}))
    assert got.bad == {3: "wrong_type"} and got.info.shape == "response-list"
    assert [(e["text"], e["rank"]) for e in example(got)["ranking"]] == [("b", 1), ("a", 2), ("c", 2)]
    assert facts(example(got)) == ("p", "b", "c", None, None)


def test_earlier_turns_that_two_conversations_share_are_the_prompt(read):
    row = LAYOUTS["Chatbot Arena"][1] | {
        "conversation_a": talk("same", "one"),
        "conversation_b": talk("same", "two"),
        "winner": "model_b",
    }
    got = read("d.jsonl", lines(row, row))
    assert facts(example(got)) == ("Hi?\n\nsame\n\nHi?", "two", "one", None, "rejected")
    assert [t["role"] for t in example(got)["turns"]] == ["user", "assistant", "user"]


PAIR = {"prompt": "p", "response_a": "one", "response_b": "two"}


@pytest.mark.parametrize(
    ("values", "chosen"),
    [((0, 1), ["one", "two"]), ((1, 2), ["one", "two"]), (("1", "2"), ["one", "two"]), ((1.0, 0.0), ["two", "one"])],
)
def test_numbers_for_lettered_sides_count_from_what_the_rows_hold(read, values, chosen):
    got = read("d.jsonl", lines(*(PAIR | {"winner": value} for value in values * 20)))
    assert got.bad == {} and got.examples["response"].to_list()[:2] == chosen
    assert set(got.info.mapping) & {"winner_from_0", "winner_from_1"}


def test_numbers_of_numbered_sides_count_as_their_columns_do(read):
    row = {"prompt": "p", "response_1": "one", "response_2": "two"}
    got = read("a.jsonl", lines(*(row | {"winner": value} for value in (1, 2, 1, 2, 1, 2, 0))))
    assert got.bad == {6: "wrong_type"} and got.examples["response"].to_list()[:2] == ["one", "two"]
    assert "count from 1 to 2" in got.ledger["detail"][6]
    got = read("b.jsonl", lines(*(row | {"winner": value} for value in (0, 1) * 20)))
    assert got.bad == {} and got.examples["response"].to_list()[:2] == ["one", "two"]


@pytest.mark.parametrize(
    ("good", "bad", "reason", "why"),
    [
        (PAIR | {"winner": "a"}, {"winner": None}, "missing_field", "null, so no side won"),
        (PAIR | {"winner": "a"}, {"winner": " "}, "missing_field", "empty"),
        (PAIR | {"winner": "a"}, {"winner": "c"}, "wrong_type", "names neither side"),
        (PAIR | {"winner": "a"}, {"winner": "0"}, "wrong_type", "winner_from_0"),
        (PAIR | {"winner": "a"}, {"winner": -1}, "wrong_type", "--map strength=COLUMN"),
        (PAIR | {"winner": "a"}, {"winner": True}, "wrong_type", "a boolean"),
        (PAIR | {"winner": "a"}, {"winner": ["a"]}, "wrong_type", "a list"),
        (PAIR | {"winner": "a"}, {"response_b": None}, "missing_field", "response_b is missing or null"),
        (PAIR | {"winner": "a"}, {"response_b": 5}, "wrong_type", "response_b is a number"),
        (PAIR | {"winner": "a"}, {"response_b": {"model": "x"}}, "wrong_type", "response_b is an object"),
        (PAIR | {"winner": "a"}, {"prompt": {}}, "wrong_type", "prompt is an object"),
        (PAIR | {"overall_preference": 1}, {"overall_preference": None}, "missing_field", "null"),
        (PAIR | {"overall_preference": 1}, {"overall_preference": "much better"}, "wrong_type", "no finite number"),
        (PAIR | {"overall_preference": 1}, {"overall_preference": "nan"}, "wrong_type", "no finite number"),
        (PAIR | {"score_a": 1, "score_b": 2}, {"score_b": None}, "missing_field", "score_b is missing"),
        (PAIR | {"winner_model_a": 1, "winner_model_b": 0}, {"winner_model_b": 1}, "wrong_type", "name 2 winners"),
        (PAIR | {"a_wins": True}, {"a_wins": "maybe"}, "wrong_type", "neither yes nor no"),
        (
            {"instruction": "p", "output_1": "a", "output_2": "b", "preference": 1},
            {"preference": 2.5},
            "wrong_type",
            "between 1 and 2",
        ),
        (
            {"prompt": "p", "responses": ["a", "b"], "ranks": [1, 2]},
            {"ranks": [1, 2, 3]},
            "wrong_type",
            "3 ranks for 2",
        ),
        (
            {"prompt": "p", "responses": ["a", "b"], "ranks": [1, 2]},
            {"ranks": [1, None]},
            "missing_field",
            r"ranks\[1\]",
        ),
        (
            {"prompt": "p", "responses": ["a", "b"], "ranks": [1, 2]},
            {"responses": ["a"], "ranks": [1]},
            "missing_field",
            "1 response",
        ),
        ({"prompt": "p", "responses": ["a", "b"], "ranks": [1, 2]}, {"responses": "ab"}, "wrong_type", "not a list"),
        ({"prompt": "p", "responses": ["a", "b"], "ranks": [1, 2]}, {"responses": ["a", 2]}, "wrong_type", "a number"),
        (
            {"prompt": "p", "answers": [{"text": "a", "rank": 1}, {"text": "b", "rank": 2}]},
            {"answers": [{"text": "a", "rank": 1}, {"text": "b"}]},
            "missing_field",
            "without rank",
        ),
        (
            {"prompt": "p", "answers": [{"text": "a", "rank": 1}, {"text": "b", "rank": 2}]},
            {"answers": [{"text": "a", "rank": "N/A"}, {"text": "b", "rank": 1}]},
            "wrong_type",
            "no finite number",
        ),
        (
            {"conversation_a": talk("a"), "conversation_b": talk("b"), "winner": "a"},
            {"conversation_a": [said("a")], "conversation_b": [said("b")]},
            "missing_field",
            "share no turn",
        ),
        (
            {"conversation_a": talk("a"), "conversation_b": talk("b"), "winner": "a"},
            {"conversation_b": [USER, USER]},
            "missing_field",
            "no assistant turn",
        ),
        (
            {"chosen": HH + " a", "rejected": HH + " b"},
            {"chosen": "\n\nHuman: a", "rejected": "\n\nHuman: b"},
            "missing_field",
            "share no assistant turn",
        ),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_a_clear_reason(read, good, bad, reason, why):
    got = read("d.jsonl", lines(*[good] * 6, good | bad))
    assert got.bad == {6: reason}
    assert got.ledger.filter(got.ledger["row"] == 6)["detail"].str.contains(why).all()


OTHERS = {
    "two questions": ("classification", {"question1": "a", "question2": "b", "label": 1}),
    "premise": ("classification", {"premise": "a", "hypothesis": "b", "label": 0}),
    "text": ("classification", {"text": "a", "label": 1, "score_a": 1, "score_b": 2}),
    "rated": ("classification", {"review": "a", "rating": 3, "response_a": "x", "response_b": "y"}),
    "one of four answers": (
        "classification",
        {"question": "q", "answer_0": "a", "answer_1": "b", "answer_2": "c", "answer_3": "d", "label": 1},
    ),
    "one of three answers": (
        "classification",
        {"question": "q", "answer1": "a", "answer2": "b", "answer3": "c", "label": 1},
    ),
    "alpaca": ("instruction", {"instruction": "a", "output": "b", "outputs": ["b", "c"], "scores": [1, 2]}),
    "completion": ("instruction", {"prompt": "a", "completion": "b", "candidates": ["b", "c"], "ranks": [1, 2]}),
    "spans": ("instruction", {"question": "a", "context": "c", "answer": "b", "answers": [{"text": "b", "start": 1}]}),
    "answers without order": ("instruction", {"prompt": "a", "response": "b", "responses": ["b", "c"]}),
    "judged conversation": ("instruction", {"messages": [USER, said("a")], "label": 1}),
    "chosen and rejected": (
        "pairwise",
        PAIR | {"winner": "b", "chosen": "one", "rejected": "two", "score_a": 1, "score_b": 2},
    ),
    "chosen, rejected and ratings": (
        "pairwise",
        {"prompt": "p", "chosen": "a", "rejected": "b", "generations": ["a", "b"], "ratings": [1, 2]},
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_data_is_not_taken_for_votes_or_ranks(read, name):
    wanted, row = OTHERS[name]
    got = read("d.jsonl", lines(*[row] * 5))
    assert wanted in (got.info.kind, got.info.shape)


def test_roles_can_be_mapped(read):
    row = {"ask": "p", "left": "one", "right": "two", "pick": "right", "gap": -1, "text": "t", "label": 1}
    base = {"prompt": "ask", "response_a": "left", "response_b": "right"}
    for told, chosen in ({"winner": "pick"}, "two"), ({"strength": "gap"}, "one"), ({"a_wins": "label"}, "one"):
        got = read("d.jsonl", lines(row, row), map=base | told)
        assert got.info.shape == "two-responses" and got.examples["response"][0] == chosen
    got = read("e.jsonl", lines(row | {"pick": 1}), map=base | {"winner_from_1": "pick"})
    assert got.examples["response"][0] == "one"
    row = {"ask": "p", "all": ["a", "b"], "places": [2, 1], "response": "r", "prompt": "x"}
    got = read("f.jsonl", lines(row), map={"prompt": "ask", "responses": "all", "ranks": "places"})
    assert got.info.shape == "ranked" and got.examples["response"][0] == "b"
    row = {"prompt": "p", "response": "r", "answers": [{"text": "a", "score": 1}, {"text": "b", "score": 2}]}
    assert read("g.jsonl", lines(row)).info.shape == "prompt-completion"
    assert read("h.jsonl", lines(row), map={"responses": "answers"}).info.shape == "ranked"


def test_columns_that_a_user_maps_may_have_any_name():
    column = "7" * 5_000
    assert judge_of({"response_a": column, "response_b": "x", "winner": "w"}).order({"w": column}) == 0


def test_a_winner_that_no_row_names_is_a_usage_error(read):
    with pytest.raises(InputError, match="two-responses would fit"):
        read("d.jsonl", lines(*(PAIR | {"winner": "who knows"} for _ in range(4))), kind="preference")


def test_a_transcript_keeps_its_roles_where_marks_are_missing_or_turns_are_empty(read):
    bare = HH.removeprefix("\n\n")
    got = read("d.jsonl", lines({"chosen": bare + " a", "rejected": bare + " b"}))
    assert [t["role"] for t in example(got)["turns"]] == ["user", "assistant", "user"]
    assert example(got)["prompt"] + example(got)["response"] == bare + " a"
    empty = "\n\nHuman:\n\nAssistant: So?\n\nHuman: x\n\nAssistant:"
    got = read("e.jsonl", lines({"chosen": empty + " a", "rejected": empty + " b"}))
    assert [(t["role"], t["text"]) for t in example(got)["turns"]] == [
        ("user", ""),
        ("assistant", " So?"),
        ("user", " x"),
    ]


def test_numbers_that_are_not_finite_do_not_break_the_rest_of_a_row(read, tmp_path):
    path = tmp_path / "d.parquet"
    rows = [PAIR | {"winner": "a", "score": float("inf"), "other": float("nan")}] * 2
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert json.loads(example(read(path))["meta"]) == {"other": None, "score": "inf"}


def test_kto_labels_may_be_whole_floats(read):
    rows = [{"prompt": "p", "completion": "c", "label": value} for value in (1.0, 0.0, -1.0, "1.0")]
    assert read("d.jsonl", lines(*rows)).examples["label"].to_list() == ["true", "false", "false", "true"]


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=7), st.permutations(range(7)))
def test_the_order_of_a_list_does_not_matter_to_its_ranks(scores, order):
    row = {"prompt": "p", "responses": [f"r{i}" for i in range(len(scores))], "scores": scores}
    found = detect.recognise([row], IngestConfig())
    ranks = dict(found.read(row).ranking)
    assert ranks == {f"r{i}": 1 + sum(other > score for other in scores) for i, score in enumerate(scores)}
    kept = [i for i in order if i < len(scores)]
    mixed = row | {"responses": [f"r{i}" for i in kept], "scores": [scores[i] for i in kept]}
    assert dict(found.read(mixed).ranking) == ranks
