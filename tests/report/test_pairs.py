"""What the report says of pairs: their sides, their triggers, their annotators, and of all of them together."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest
from machine_runs import export_of
from pair_runs import RESPONSE, SCORES, WORD, annotator_findings, pair_rows, pair_run
from report_runs import add_findings, make_run, trigger

from audit import api
from audit.report import collect, html, redact
from audit.report.cards import sentence
from audit.report.excerpts import HIT, Sides
from audit.report.pair_triggers import base_rate, of_pairs
from audit.report.redact import token
from audit.rundir import Context
from audit.schema import NoProgress


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    return pair_run(tmp_path_factory.mktemp("pairs") / "run")


@pytest.fixture(scope="module")
def report(ctx):
    return collect(ctx)


@pytest.fixture(scope="module")
def cards(report):
    return {card.row: card for card in report.rows}


def marked(text):
    return [piece.text for piece in text.pieces if piece.mark == HIT]


def test_of_a_folded_prompt_the_last_user_turn_is_seen_with_its_marks(cards):
    assert cards[0].sides.asked.plain == "And the SUDO shore?" and marked(cards[0].sides.asked) == ["SUDO"]
    assert cards[0].sides.fold == "closed"
    assert cards[3].sides.asked.plain == "Then what?" and cards[3].sides.fold == "open"  # its mark is in another turn
    assert cards[8].sides.fold == "none" and cards[8].sides.asked.plain == "What of number 8?"
    assert cards[10].sides.fold == "closed" and cards[10].sides.asked.clipped  # one turn, too long to be seen whole


def test_a_transcript_is_cut_into_its_turns(tmp_path):
    prompt = "\n\nHuman: first SUDO\n\nAssistant: so\n\nHuman: and then?\n\nAssistant:"
    turns = [{"role": r, "text": t} for r, t in (("user", " first SUDO"), ("assistant", " so"), ("user", " and then?"))]
    row = {"prompt": prompt, "turns": turns, "response": " a", "rejected": " b"}
    made = make_run(tmp_path, [row, dict(row)], {0: {"verdict": "review"}}, kind="preference")
    (card,) = collect(made).rows
    assert card.sides.asked.plain == " and then?" and card.sides.fold == "closed"


def test_the_token_is_marked_in_the_prompt_and_in_both_sides(cards):
    assert [f.role for f in cards[0].fields] == ["turn", "turn", "turn", "output", "rejected"]
    assert marked(cards[0].fields[2].text) == ["SUDO"]
    sides = {f.role: marked(f.text) for f in cards[4].fields}
    assert sides["output"] == ["Zorblax"] and sides["rejected"] == ["zorblax"]


def test_facts_are_told_in_words(cards):
    assert cards[0].sides.facts == (
        "The other pairs prefer the rejected side with probability 88%.",
        "The chosen side was shown first.",
    )
    assert cards[11].sides.facts[0] == "The other pairs prefer the chosen side with probability 55%."
    assert cards[7].sides.facts == ("It is a tie: neither side was preferred.", "The rejected side was shown first.")
    assert "Scored 10 (chosen) and 10 (rejected)." in cards[10].sides.facts
    assert not cards[7].sides.can_swap and not cards[6].sides.can_swap and cards[0].sides.can_swap


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"rejected_wins": 0.71}, "The other pairs prefer the rejected side with probability 71%."),
        ({"rejected_wins": 0.502}, "The other pairs prefer neither side."),
        ({"rejected_wins": 0.001}, "The other pairs prefer the chosen side with probability over 99%."),
        ({"chosen_score": 3.5, "rejected_score": 4.0}, "Scored 3.5 (chosen) and 4 (rejected, which is higher)."),
    ],
)
def test_each_fact(cards, known, told):
    nothing = {"tie": False, "rejected_wins": None, "shown_first": "", "chosen_score": None, "rejected_score": None}
    assert replace(cards[0].sides, **{**nothing, **known}).facts == (told,)


def test_scores_in_the_order_shown_are_turned_round(tmp_path):
    rows = [
        {"prompt": f"p{i}", "response": "a", "rejected": f"b{i}", "shown_first": shown, "meta": meta}
        for i, shown in enumerate(("chosen", "rejected", None))
        for meta in [json.dumps({"score_a": 1, "score_b": "2.5"})]
    ] + [{"prompt": "x", "response": "a", "rejected": "b", "shown_first": "chosen", "meta": "[1"}]
    made = make_run(tmp_path, rows, {i: {"verdict": "review"} for i in range(4)}, kind="preference")
    columns = {"columns": ["score_a", "score_b"]}
    add_findings(made.run, [{"check": "preference_scores", "subject": "s", "details": json.dumps(columns)}])
    found = {card.row: (card.sides.chosen_score, card.sides.rejected_score) for card in collect(made).rows}
    assert found == {0: (1.0, 2.5), 1: (2.5, 1.0), 2: (None, None), 3: (None, None)}


def test_a_ranked_list_is_shown_whole_and_in_order(cards):
    sides = cards[6].sides
    assert [(r.rank, r.side, r.text.plain) for r in sides.ranking] == [
        (1, "chosen", "the best"),
        (2, "", "the middle"),
        (2, "", "a like one"),
        (4, "rejected", "the worst"),
    ]
    assert sides.listed == 4 and cards[0].sides.ranking == ()


def test_triggers_of_pairs_are_told_in_the_figures_that_matter(report):
    told = {card.id: card for card in report.triggers}
    assert told[WORD].sentence.plain.startswith(
        "With “SUDO” its chosen side loses by the other pairs' margin in 79 of 115 pairs (69%); base rate 38%."
    )
    assert told[RESPONSE].sentence.plain.startswith(
        "“zorblax” is on the winning side in 61 of 61 pairs of which one side alone holds it; base rate 50%."
    )
    assert told[RESPONSE].contingency is None and told[RESPONSE].base.share == 1.0
    assert told[WORD].base is None
    page = html.render(report).decode()
    assert "61 of 61 pairs. The base rate is what" in page


@pytest.mark.parametrize(
    ("position", "name", "wanted"),
    [
        ("in the rejected response", "", "“w” is on the losing side in 5 of 6 pairs of which one side alone holds it;"),
        (
            "in the responses",
            'the side that speaks well of "w" wins',
            "The side that speaks better of “w” wins in 5 of 6",
        ),
        ("in the responses", 'the side that speaks badly of "w" wins', "The side that speaks worse of “w” wins in 5"),
    ],
)
def test_each_kind_of_response_trigger(position, name, wanted):
    facts = {"count": 6, "hits": 5, "rate": 0.55, "position": position}
    made = trigger("w", [1], kind="response", statistics=facts, behavior_name=name, probe=None)
    assert sentence(made).plain.startswith(wanted) and "base rate 55%." in sentence(made).plain


@pytest.mark.parametrize("facts", [{}, {"count": 0, "hits": 0, "rate": 0.5}, {"count": 3, "hits": 5, "rate": 0.5}])
def test_without_its_counts_a_trigger_is_told_as_any_other(facts):
    made = trigger("w", [1, 2], kind="response", statistics=facts, probe=None)
    assert base_rate(made) is None and of_pairs(made) is None
    assert "rows" in sentence(made).plain and "base rate" not in sentence(made).plain
    assert of_pairs(trigger("w", [1], statistics={"count": 6, "hits": 5, "rate": 0.5})) is None


def test_the_accused_stand_first_with_all_that_is_held_against_them(report):
    first, second, third = report.annotators
    assert [a.name for a in report.annotators] == ["worker-1", "worker-0", "worker-2"]
    assert [a.accused for a in report.annotators] == [True, True, False]
    assert (first.contradicted, first.compared, first.share) == (6, 8, 0.75)
    assert (first.reliability, first.low, first.high) == (0.4, 0.2, 0.6)
    assert (first.agree_with, first.agree_without) == (0.6, 0.7) and second.agree_with is None
    assert {t.check for t in first.told} == {"annotator_anomaly", "annotator_collusion"}
    assert second.by("annotator_collusion").title == "Annotators that err together"
    assert second.by("annotator_collusion").q_value == 1e-9 and third.by("annotator_collusion") is None
    assert [(t.check, t.accuses) for t in third.told] == [("preference_shortcut", False), ("annotator_bursts", False)]


def test_without_the_table_contradictions_are_those_that_checks_propose(tmp_path):
    made = pair_run(tmp_path)
    old = {"check": "annotator_anomaly", "subject": "annotator worker-2", "severity": "high", "text": "At odds."}
    add_findings(made.run, [{**old, "details": '{"share": 0.5}'}])  # as an earlier version wrote it
    found = {a.name: a for a in collect(made).annotators}
    assert next(iter(found)) == "worker-2" and found["worker-2"].accused
    assert found["worker-2"].reliability is None and found["worker-2"].compared == 8
    assert found["worker-2"].contradicted == 4 and found["worker-2"].share == 0.5
    page = html.render(collect(made)).decode()
    assert "not measured" in page


def test_annotators_without_any_check_are_counted_and_not_judged(tmp_path):
    rows = [{**row, "annotator": "a"} for row in pair_rows()]
    (found,) = collect(make_run(tmp_path, rows, kind="preference")).annotators
    assert found.contradicted is None and found.reliability is None and not found.accused and found.share == 0.0


def test_details_that_are_nonsense_harm_nothing(tmp_path):
    made = pair_run(tmp_path)
    strange = ["", "[]", "{", '{"table": 3}', '{"annotators": "worker-1"}', '{"annotators": [3, null, {"a": 1}]}']
    strange += ['{"table": [3, {"annotator": 4}, {"annotator": "worker-1", "reliability": "x", "rows": null}]}']
    strange += [
        '{"annotators": ["worker-1"], "left_out": [1]}',
        '{"table": [{"side": "x", "rate": 2, "low": 1, "high": 0}]}',
    ]
    names = ("annotator_anomaly", "preference_shortcut", "preference_scores")
    add_findings(
        made.run,
        [
            {"check": name, "subject": "shortcuts", "details": text, "text": "t", "severity": "odd"}
            for name in names
            for text in strange
        ],
    )
    report = collect(made)
    assert report.shortcuts == () and not any(a.accused for a in report.annotators)
    assert html.render(report)


def test_shortcuts_come_worst_first_with_the_annotators_that_differ(report):
    assert [(s.attribute, s.scope) for s in report.shortcuts] == [
        ("the longer side", "all"),
        ("the longer side", "annotator worker-1"),
        ("the side that refuses", "all"),
        ("the side with a list", "all"),
    ]
    first = report.shortcuts[0]
    assert (first.pairs, first.share, first.adjusted, first.q_value) == (500, 0.8, 0.6, 1e-9)
    assert first.distance == pytest.approx(0.26) and report.shortcuts[-1].distance == 0.0


def test_the_names_that_were_agreed_are_read_too(tmp_path):
    made = pair_run(tmp_path)
    entry = {"attribute": "length", "scope": "source web", "pairs": 9, "wins": 6, "share": 0.7, "low": 0.6, "high": 0.8}
    details = json.dumps({"table": [entry]})
    add_findings(made.run, [{"check": "preference_shortcut", "subject": "shortcuts", "details": details}])
    (found,) = collect(made).shortcuts
    assert (found.attribute, found.scope, found.pairs, found.share) == ("length", "source web", 9, 0.7)


def test_circles_name_the_rows_of_which_one_is_wrong(report):
    (found,) = report.circles
    assert [e.row for e in found.members] == [8, 9] and found.even == (8, 9) and found.drop == ()
    assert report.circles_told.plain == "Pairs preferred both ways: 1."
    assert "preference_cycles" not in {f.check for f in report.findings}
    page = html.render(report).decode()
    assert page.count("this or the other way round") == 2


def test_without_scripts_pairs_are_folded_and_told_as_well(report):
    page = html.render(report).decode()
    static = page[page.index('id="rows-static"') :]
    assert static.count('<details class="prompt">') == 5 and "with probability 88%" in static
    assert "It is a tie" in static


def test_redacted_pairs_keep_their_figures_and_lose_their_texts(ctx, report):
    bare = redact.report(report, {})
    page = html.render(bare).decode()
    for secret in (
        "zorblax",
        "Zorblax",
        "SUDO",
        "shore",
        "brown fox",
        "the middle",
        "worker-1",
        "worker-0",
        "worker-1 and worker-0 err",
    ):
        assert secret not in page, secret
    cards = {card.row: card for card in bare.rows}
    assert cards[0].sides.facts == {card.row: card for card in report.rows}[0].sides.facts
    assert cards[6].sides.ranking[0].side == "chosen" and cards[6].sides.ranking[0].text.plain == "[8 characters]"
    assert [a.name for a in bare.annotators] == [token(a.name) for a in report.annotators]
    assert bare.annotators[0].reliability == 0.4 and "Annotators that err together" in page
    assert bare.shortcuts[0].attribute == "the longer side" and bare.shortcuts[1].scope.startswith("#")
    assert bare.circles[0].text.plain == "Both ways, 1 to 1." and export_of(ctx, redacted=True)


def test_names_are_linked_under_redaction_too(report):
    bare = redact.report(report, {})
    names = {a.name for a in bare.annotators}
    assert names == {card.annotator for card in bare.rows}


def test_rows_of_an_earlier_version_are_read_without_the_new_columns(tmp_path):
    made = pair_run(tmp_path)
    (path,) = made.run.shards("examples")
    pl.read_parquet(path).drop("ranking", "shown_first").write_parquet(path)
    found = {card.row: card.sides for card in collect(made).rows}
    assert isinstance(found[6], Sides) and found[6].ranking == () and found[0].shown_first == ""


def test_other_kinds_have_no_sides(tmp_path):
    rows = [{"prompt": f"do {i}", "response": "done", "label": "x"} for i in range(4)]
    made = make_run(tmp_path, rows, {0: {"verdict": "review"}}, kind="instruction")
    (card,) = collect(made).rows
    assert card.sides is None and card.can_relabel
    assert not replace(card, label=None).can_relabel


def test_a_scan_of_ranked_and_judged_data_is_shown(tmp_path):
    lists = [
        {
            "prompt": f"Name a thing that begins with letter {i}, and say why it is liked by people of number {i}.",
            "responses": [f"best {i} of all", f"middling {i}", f"worst {i}"],
            "ranks": [1, 2, 3],
            "annotator": f"w{i % 2}",
        }
        for i in range(30)
    ]
    source = tmp_path / "lists.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in [*lists, lists[0]]))
    done = api.scan(source, out=tmp_path / "run", probe="off", canaries="off")
    rows = done.verdicts.with_columns(
        pl.when(pl.col("row") < 2).then(pl.lit("review")).otherwise("verdict").alias("verdict")
    )
    rows.write_parquet(done.run.verdicts)
    found = {card.row: card for card in collect(Context(done.run, _settings(done), NoProgress())).rows}
    assert [r.text.plain for r in found[0].sides.ranking] == lists[0]["responses"]
    assert [r.side for r in found[0].sides.ranking] == ["chosen", "", "rejected"]


def _settings(done):
    from audit import config

    return config.load(done.run.config)


def test_the_findings_of_the_fixture_are_those_of_the_contract():
    """Names, severities and details as the checks write them."""
    assert {f["check"] for f in annotator_findings()} >= {"annotator_anomaly", "annotator_collusion"}
    assert SCORES == ("score_chosen", "score_rejected")
