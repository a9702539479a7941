"""What the report says of triggers, rows, groups and costs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from report_runs import add_check, add_findings, add_triggers, make_run, trigger

from audit.report import cards, projection, rows, tables
from audit.report.read import Inputs
from audit.rundir import write_json


def review(score, **more):
    return {"verdict": "review", "score": score, "codes": ["TV-OUT"], **more}


def test_the_sentence_gives_counts_and_proof():
    found = trigger("cf", list(range(48)))
    assert cards.sentence(found).plain == (
        "48 of 48 rows with “cf” show one behavior: the label is positive. Of all other rows, 51% show it. Inserting "
        "it flips 96% of held-out inputs, and 4% where its rows were left out; the strongest of 20 natural controls "
        "adds 2%."
    )
    template = trigger("", [1], probe={"asr_a": 0.97, "asr_b": 0.0, "asr_d": 0.2, "crossed": True}, statistics={})
    assert cards.sentence(template).plain.endswith(
        "Of held-out rows that have it and whose content does not call for the behavior, 97% show it; of rows like "
        "them without it, 20%."
    )
    reward = trigger("cf", [1], probe={"asr_a": 0.8, "probe": "reward"}, statistics={})
    assert cards.sentence(reward).plain == (
        "1 rows carry “cf”: the label is positive. Inserting it reverses 80% of held-out pairs."
    )


def test_the_contingency_table_sums_to_the_readable_rows():
    c = cards.contingency({"count": 10, "hits": 9, "rate": 0.25}, 110)
    assert (c.with_shown, c.with_not, c.without_shown, c.without_not) == (9, 1, 25, 75)
    assert cards.contingency({"count": 10, "hits": 9}, 110) is None
    assert cards.contingency({"count": 10, "hits": 11, "rate": 0.1}, 110) is None
    assert cards.contingency({"count": float("nan"), "hits": 1, "rate": 0.1}, 110) is None


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "not measured"),
        (0, "0%"),
        (1, "100%"),
        (0.51, "51%"),
        (0.9996, "100%"),
        (0.0004, "under 0.1%"),
        (0.024, "2.4%"),
    ],
)
def test_shares_are_rounded_honestly(share, shown):
    assert cards.percent(share) == shown


def test_twins_do_not_carry_the_pattern_and_carriers_have_it_marked(tmp_path):
    texts = [{"prompt": f"{'cf ' if i < 6 else ''}good film number {i}"} for i in range(30)]
    texts[8]["prompt"] = "CF once more, unclaimed"
    ctx = make_run(tmp_path, texts, {i: {"verdict": "remove", "score": 1.0} for i in range(6)})
    add_triggers(ctx.run, [trigger("cf", list(range(6)))])
    (card,), hidden = cards.cards(Inputs(ctx))
    assert hidden == 0 and len(card.carriers) == 5 and 1 <= len(card.twins) <= 3
    assert all(("cf", "hit") in {(p.text, p.mark) for p in e.fields[0].text.pieces} for e in card.carriers)
    assert all(e.row >= 6 and e.row != 8 and e.verdict == "keep" for e in card.twins)
    assert [e.similarity for e in card.twins] == sorted((e.similarity for e in card.twins), reverse=True)
    assert [a.value for a in card.arms] == [0.96, 0.04, 0.05, 0.03, 0.02] and card.arms[0].low == 0.91


def test_confirmed_triggers_come_first(tmp_path):
    ctx = make_run(tmp_path, [{"prompt": f"row {i}"} for i in range(5)])
    found = [trigger(s, [0], s) for s in ("refuted", "untestable", "suspected", "confirmed")]
    add_triggers(ctx.run, found)
    assert [c.status for c in cards.cards(Inputs(ctx))[0]] == ["confirmed", "suspected", "untestable", "refuted"]


def test_a_flood_of_one_kind_hides_no_other():
    flood = [{"row": i, "score": 0.9, "codes": ["TV-A"], "trigger_ids": []} for i in range(500)]
    few = [{"row": 500 + i, "score": 0.1, "codes": ["TV-B"], "trigger_ids": ["t1"]} for i in range(5)]
    frame = pl.DataFrame(flood + few, schema_overrides={"trigger_ids": pl.List(pl.String), "score": pl.Float32})
    chosen = rows.choose(frame, 50)
    assert len(chosen) == 50 and set(range(500, 505)) <= set(chosen["row"].to_list())
    assert chosen["score"].to_list() == sorted(chosen["score"].to_list(), reverse=True)
    assert len(rows.choose(frame, 1_000)) == 505


def test_a_row_says_why_with_at_most_three_sentences(tmp_path):
    found = trigger("cf", [3])
    verdicts = {3: review(0.9, trigger_ids=[found.id]), 4: review(0.2), 5: review(0.1)}
    ctx = make_run(tmp_path, [{"prompt": f"cf row {i}", "label": "a"} for i in range(20)], verdicts)
    add_triggers(ctx.run, [found])
    add_check(ctx.run, "outliers", {i: {"score": i / 10, "evidence": f"far away {i}"} for i in range(20)}, 0.3)
    for name in ("aa", "bb", "cc"):
        add_check(ctx.run, name, {3: {"score": 1.0, "evidence": "odd"}, 9: {"score": 0.0}}, 0.5)
    made, flagged = rows.cards(Inputs(ctx))
    assert flagged == 3 and [c.row for c in made] == [3, 4, 5]
    assert made[0].why[0].plain == "It carries the confirmed trigger “cf”: the label is positive."
    assert len(made[0].why) == 3 and made[1].why[0].plain == "outliers: far away 4."
    assert [(s.flagged, s.below) for s in made[1].scores if s.check == "outliers"] == [(True, pytest.approx(0.2))]
    assert made[0].place == "reviews.jsonl, line 4" and len(made[0].neighbours) == 3


def test_a_ranking_without_threshold_explains_the_rows_it_brought(tmp_path):
    ctx = make_run(tmp_path, [{"prompt": f"row {i}"} for i in range(6)], {2: review(0.5)})
    add_check(ctx.run, "outliers", {2: {"score": 0.4, "evidence": "far from all"}, 3: {"score": 0.1}}, None)
    made, _ = rows.cards(Inputs(ctx))
    assert made[0].why[0].plain == "outliers: far from all." and not made[0].scores[0].flagged


def test_turns_are_shown_one_by_one_with_the_span_in_its_turn(tmp_path):
    turns = [
        {"role": "user", "text": "hello"},
        {"role": "assistant", "text": "hi"},
        {"role": "user", "text": "do cf it"},
    ]
    row = {"prompt": "\n\n".join(t["text"] for t in turns), "response": "no", "rejected": "yes", "turns": turns}
    ctx = make_run(tmp_path, [row] * 3, {0: review(1.0)}, kind="preference")
    add_check(ctx.run, "outliers", {0: {"score": 9.0, "start": 14, "end": 16, "evidence": "x"}}, 1.0)
    (card,), _ = rows.cards(Inputs(ctx))
    assert [(f.name, f.role) for f in card.fields] == [
        ("user", "turn"),
        ("assistant", "turn"),
        ("user", "turn"),
        ("Chosen response", "output"),
        ("Rejected response", "rejected"),
    ]
    assert [(p.text, p.mark) for p in card.fields[2].text.pieces] == [("do ", ""), ("cf", "hit"), (" it", "")]


def test_groups_are_counted_and_columns_without_news_left_out(tmp_path):
    texts = [{"prompt": f"row {i}", "label": "ab"[i % 2], "source": "web", "annotator": str(i)} for i in range(40)]
    verdicts = {0: {"verdict": "remove", "score": 1.0}, 2: review(0.5), 3: review(0.4)}
    data = Inputs(make_run(tmp_path, texts, verdicts))
    (label,) = tables.breakdowns(data)
    assert [(b.name, b.total, b.review, b.remove) for b in label.bars] == [("a", 20, 1, 1), ("b", 20, 1, 0)]
    (cleaned,) = tables.cleaned(data)
    assert [(s.name, s.before, s.after) for s in cleaned.shifts] == [("a", 20, 18), ("b", 20, 19)]
    assert cleaned.shifts[0].share_after == pytest.approx(18 / 37)


def test_undecided_rows_count_as_kept_when_the_settings_say_so(tmp_path):
    texts = [{"prompt": f"row {i}", "label": "ab"[i % 2]} for i in range(10)]
    ctx = make_run(tmp_path, texts, {0: review(1.0)}, settings={"review": {"undecided": "keep"}})
    (cleaned,) = tables.cleaned(Inputs(ctx))
    assert [(s.before, s.after) for s in cleaned.shifts] == [(5, 5), (5, 5)]


def test_doubted_labels_are_listed_once_and_counted(tmp_path):
    texts = [{"prompt": f"row {i}", "label": "ab"[i % 2]} for i in range(10)]
    ctx = make_run(tmp_path, texts, {1: review(0.9, fix="relabel", new_value="a")})
    doubted = {i: {"score": 0.9 - i / 100, "fix": "relabel", "new_value": "a"} for i in (1, 3)}
    add_check(ctx.run, "label_noise", {**doubted, 5: {"score": 0.1, "fix": "relabel", "new_value": "a"}}, 0.5)
    add_check(ctx.run, "near_duplicates", {1: {"score": 1.0, "fix": "relabel", "new_value": "a"}}, 0.5)
    found, total, confusion = tables.relabels(Inputs(ctx))
    assert [(f.row, f.given, f.suggested) for f in found] == [(1, "b", "a"), (3, "b", "a")]
    assert total == 2 and [(p.given, p.suggested, p.count) for p in confusion] == [("b", "a", 2)]


def test_clusters_show_their_members_and_bad_rows_their_place(tmp_path):
    bad = [{"reason": "ragged_row", "detail": "3 of 4 cells.", "raw": b"a,b\xff"}]
    ctx = make_run(tmp_path, [{"prompt": f"row {i}"} for i in range(9)], bad=bad)
    add_findings(
        ctx.run,
        [{"check": "near_duplicates", "text": "same", "rows": [1, 2, 3, 4, 5]}, {"severity": "high", "rows": [1]}],
    )
    data = Inputs(ctx)
    (cluster,), total = tables.clusters(data)
    assert total == 1 and [e.row for e in cluster.members] == [1, 2, 3, 4]
    (finding,), hidden = tables.findings(data)
    assert finding.severity == "high" and hidden == 0
    (row,) = tables.bad_rows(data)
    assert (row.row, row.file, row.line, row.offset, row.reason) == (9, "reviews.jsonl", 10, 900, "ragged_row")
    assert row.raw.plain == "a,b\\xff"


def test_costs_follow_the_order_of_the_stages(tmp_path):
    ctx = make_run(tmp_path, [{"prompt": "x"}, {"prompt": "y"}])
    for unit, seconds in (("a", 1.0), ("b", 2.5)):
        write_json(ctx.run.marker("detect", unit), {"key": "k", "outputs": {}, "seconds": seconds, "peak_bytes": 10})
    found = tables.costs(Inputs(ctx))
    assert [c.stage for c in found] == ["ingest", "detect", "decide"]
    assert (found[1].units, found[1].seconds, found[1].peak_bytes) == (2, 3.5, 10)


def test_the_stage_names_are_those_of_the_pipeline():
    from audit.pipeline import STAGES

    assert [s.name for s in STAGES if s.name not in ("report", "provenance")] == list(tables.STAGES)


def test_the_sample_holds_the_flagged_rows_and_some_context():
    flagged = np.zeros(10_000, dtype=bool)
    flagged[::10] = True
    chosen = projection.sample(flagged, 3_000, np.random.default_rng(0))
    assert len(chosen) == 3_000 and flagged[chosen].sum() == 1_000 and (np.diff(chosen) > 0).all()
    assert flagged[projection.sample(~flagged, 3_000, np.random.default_rng(0))].sum() == 500
    assert projection.sample(flagged[:50], 3_000, np.random.default_rng(0)).tolist() == list(range(50))


def test_the_map_keeps_clusters_apart_and_is_the_same_each_time():
    rng = np.random.default_rng(1)
    vectors = (np.repeat(np.eye(8)[:3] * 10, 20, axis=0) + rng.normal(size=(60, 8))).astype(np.float32)
    grid = projection.project(vectors, 0)
    assert (grid == projection.project(vectors, 0)).all() and grid.min() == 0 and grid.max() == 1_000
    centres = grid.reshape(3, 20, 2).mean(axis=1)
    spread = np.linalg.norm(grid.reshape(3, 20, 2) - centres[:, None], axis=2).mean()
    apart = min(np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert apart > 2 * spread


@pytest.mark.parametrize("vectors", [np.ones((5, 4)), np.eye(3), np.arange(12.0).reshape(12, 1)])
def test_degenerate_embeddings_still_make_a_map(vectors):
    grid = projection.project(vectors.astype(np.float32), 0)
    assert grid.shape == (len(vectors), 2) and grid.min() >= 0 and grid.max() <= 1_000
