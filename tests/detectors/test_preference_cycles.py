"""Preferences that run in circles: components, smallest sets, what is said of the rows."""

from __future__ import annotations

import resource
import time
from itertools import combinations, permutations, product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.detectors import findings_frame, validate
from audit.detectors.cycles import entries_of, in_cycles
from audit.detectors.feedback import SUBSET_SIZE, by_branching, by_program, smallest
from audit.detectors.linear_order import pair_weights, short_line, violated
from audit.detectors.orders import Effort, Graph, Order
from audit.detectors.preference_cycles import SHOWN_GROUPS, THRESHOLD, preference_cycles
from audit.provenance import digest
from audit.schema import EXAMPLES, TIE, DatasetInfo, Kind, Skipped

INFO = DatasetInfo("world", Kind.PREFERENCE, "pairwise", {}, 1.0, (), (), 0, 0, {}, ("s0",), (), "f" * 64)


def dataset(records):
    """Examples out of (prompt, levels): two levels of one text each are a pair, anything else is a ranked list."""
    rows = []
    for number, (prompt, levels) in enumerate(records):
        flat = [(text, rank) for rank, level in enumerate(levels, start=1) for text in level]
        is_pair = len(flat) == 2 and len(levels) == 2
        rows.append(
            {
                "row": 3 * number + 1,
                "content_hash": digest(prompt, levels)[:32],
                "prompt": prompt,
                "response": flat[0][0],
                "rejected": flat[-1][0],
                "label": TIE if len(levels) == 1 else None,
                "ranking": None if is_pair else [{"text": t, "rank": r} for t, r in flat],
            }
        )
    return pl.DataFrame([{name: row.get(name) for name in EXAMPLES} for row in rows], schema=EXAMPLES)


def pairs(*texts, prompt="q"):
    """Records out of strings "AB": A over B."""
    return [(prompt, ((a,), (b,))) for a, b in texts]


def run(records, **options):
    examples = dataset(records)
    found = preference_cycles(examples, INFO, **options)
    validate("preference_cycles", found, examples)
    findings_frame("preference_cycles", found.findings)
    return found


def scores(found):
    return [round(s, 2) for s in found.signals["score"].to_list()]


# Oracles, written without the code under test.


def arcs_of(records):
    """Row -> its arcs between (prompt, text)."""
    return [
        {((prompt, u), (prompt, v)) for above, below in combinations(levels, 2) for u, v in product(above, below)}
        for prompt, levels in records
    ]


def reach(arcs):
    """node -> nodes that it leads to."""
    nodes = {n for arc in arcs for n in arc}
    found = {n: {v for u, v in arcs if u == n} for n in nodes}
    for middle, u in product(sorted(nodes), sorted(nodes)):
        if middle in found[u]:
            found[u] |= found[middle]
    return found


def has_cycle(rows):
    arcs = set().union(*rows) if rows else set()
    return any(node in onward for node, onward in reach(arcs).items())


def fewest(records):
    """The least number of rows without which no cycle is left, by trying every set of rows."""
    rows = arcs_of(records)
    for size in range(len(rows) + 1):
        for out in combinations(range(len(rows)), size):
            if not has_cycle([r for i, r in enumerate(rows) if i not in out]):
                return size
    raise AssertionError("without any row there is no cycle")


def chosen(found):
    """Rows of a smallest set: all that are proposed to be dropped, and one side of each even contradiction."""
    details = [f.details for f in found.findings if f.subject.startswith(("contradiction", "cycle "))]
    return sum(d["dropped"] for d in details), [d["exact"] for d in details]


distinct = st.sampled_from([(a, b) for a in "ABCDE" for b in "ABCDE" if a != b])
a_pair = distinct.map(lambda p: ((p[0],), (p[1],)))


@st.composite
def a_list(draw):
    texts = draw(st.permutations("ABCDE"))[: draw(st.integers(2, 5))]
    cuts = sorted(draw(st.sets(st.integers(1, len(texts) - 1), min_size=1)))
    return tuple(tuple(texts[i:j]) for i, j in zip([0, *cuts], [*cuts, len(texts)], strict=True))


def in_prompts(levels):
    return st.tuples(st.sampled_from(["q", "p"]), levels)


@settings(max_examples=150, deadline=None)
@given(st.lists(in_prompts(a_pair), min_size=1, max_size=9))
def test_pairs_against_every_set_of_rows(records):
    check(records)


@settings(max_examples=150, deadline=None)
@given(st.lists(in_prompts(st.one_of(a_pair, a_list())), min_size=1, max_size=7))
def test_pairs_and_lists_against_every_set_of_rows(records):
    check(records)


def check(records):
    found = run(records)
    rows = arcs_of(records)
    onward = reach(set().union(*rows))
    # Components: a row is scored exactly where it leads from one node of a component to another.
    circular = [any(u in onward[v] for u, v in row) for row in rows]
    assert [s > 0 for s in scores(found)] == circular
    size, exact = chosen(found)
    assert all(exact) and size == fewest(records)
    # What is left is free of cycles: what is dropped, and of even contradictions either side.
    fixes = found.signals["fix"].to_list()
    even = [s >= THRESHOLD and fix is None for s, fix in zip(scores(found), fixes, strict=True)]
    assert not has_cycle([r for r, fix, e in zip(rows, fixes, even, strict=True) if fix is None and not e])
    assert sum(f == "drop" for f in fixes) <= size


@settings(max_examples=60, deadline=None)
@given(st.lists(in_prompts(st.one_of(a_pair, a_list())), min_size=2, max_size=9), st.randoms())
def test_row_order_plays_no_part(records, random):
    order = list(range(len(records)))
    random.shuffle(order)
    plain, moved = run(records), run([records[i] for i in order])
    for column in ("score", "evidence", "fix"):
        assert [plain.signals[column][i] for i in order] == moved.signals[column].to_list()
    told = [[(f.subject, f.text, f.severity) for f in r.findings] for r in (plain, moved)]
    assert told[0] == told[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(in_prompts(st.one_of(a_pair, a_list())), min_size=1, max_size=9))
def test_components_against_reachability(records):
    entries = entries_of(dataset(records))
    # Nodes are numbered by their texts, so that those of a level stand in the order of its texts.
    level_of = {(i, n): level for i, (_, levels) in enumerate(records) for n, level in enumerate(levels, start=1)}
    held = entries.group_by("position", "level").agg(pl.col("node").sort()).iter_rows()
    text_of = {
        n: (records[i][0], t) for i, k, nodes in held for n, t in zip(nodes, sorted(level_of[i, k]), strict=True)
    }
    onward = reach(set().union(*arcs_of(records)))
    found = in_cycles(entries).group_by("component").agg(pl.col("node").unique())["node"].to_list()
    expected = {frozenset(m for m in onward[n] if n in onward.get(m, ())) for n in onward if n in onward[n]}
    assert {frozenset(text_of[n] for n in nodes) for nodes in found} == expected


weighted = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda a: a[0] != a[1]), st.integers(1, 4), min_size=1
)


@settings(max_examples=100, deadline=None)
@given(weighted)
def test_weights_against_every_line_of_the_responses(arcs):
    orders = [Order(((u,), (v,)), w) for (u, v), w in sorted(arcs.items())]
    least = min(
        sum(w for (u, v), w in arcs.items() if line.index(u) > line.index(v)) for line in permutations(range(6))
    )
    graph = Graph.of(6, orders)
    for effort in (Effort(), Effort(subsets=0), Effort(subsets=0, cells=0)):
        cut = smallest(graph, effort)
        cost = sum(orders[o].weight for o in cut.dropped)
        assert cost == least or not cut.exact
        assert not has_cycle([{o.levels[0] + o.levels[1]} for i, o in enumerate(orders) if i not in cut.dropped])
    assert smallest(graph, Effort()).exact and smallest(graph, Effort(subsets=0)).exact


def local_orders(records):
    """Orders over the responses A to E as numbers, the same ones together."""
    said = [tuple(tuple("ABCDE".index(t) for t in level) for level in levels) for _, levels in records]
    return [Order(levels, said.count(levels)) for levels in sorted(set(said))]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.just("q"), st.one_of(a_pair, a_list())), min_size=1, max_size=8))
def test_branching_and_the_program_against_every_set_of_rows(records):
    orders = local_orders(records)
    graph, least = Graph.of(5, orders), fewest(records)
    cost = lambda out: sum(orders[o].weight for o in out)  # noqa: E731
    best, proved = by_branching(graph, frozenset(range(len(orders))), Effort())  # from the worst set that there is
    program = by_program(graph, Effort())
    assert proved and cost(best) == least and cost(program) == least
    for out in (best, program):
        assert not has_cycle(arcs_of([("q", o.levels) for i, o in enumerate(orders) if i not in out]))


def strong(size, density, seed):
    """Pairs of a strongly connected graph: a ring of all responses and random arcs."""
    rng = np.random.default_rng(seed)
    arcs = {(i, (i + 1) % size): 1 for i in range(size)}
    for u, v in combinations(range(size), 2):
        if rng.random() < density and (u, v) not in arcs and (v, u) not in arcs:
            arcs[(u, v) if rng.random() < 0.5 else (v, u)] = int(rng.integers(1, 3))
    return [Order(((u,), (v,)), w) for (u, v), w in sorted(arcs.items())]


@pytest.mark.parametrize("seed", range(4))
def test_the_program_and_the_subsets_agree(seed):
    orders = strong(13, 0.5, seed)
    graph = Graph.of(13, orders)
    costs = []
    for effort in (Effort(), Effort(subsets=0)):
        cut = smallest(graph, effort)
        assert cut.exact
        costs.append(sum(orders[o].weight for o in cut.dropped))
    assert costs[0] == costs[1]


@pytest.mark.parametrize("seed", range(4))
def test_without_effort_the_answer_is_small_and_says_so(seed):
    orders = strong(SUBSET_SIZE + 14, 0.25, seed)
    graph = Graph.of(SUBSET_SIZE + 14, orders)
    cost = lambda cut: sum(orders[o].weight for o in cut)  # noqa: E731
    best, quick = smallest(graph, Effort()), smallest(graph, Effort(subsets=0, cells=0, visits=0))
    assert best.exact and not quick.exact
    assert cost(best.dropped) <= cost(quick.dropped) <= 1.2 * cost(best.dropped) + 1
    assert violated(orders, short_line(pair_weights(graph.size, orders))) == quick.dropped
    assert not has_cycle([{o.levels[0] + o.levels[1]} for i, o in enumerate(orders) if i not in quick.dropped])


def test_the_minority_is_dropped():
    found = run(pairs("AB", "AB", "BA", "AB", "CD"))
    assert scores(found) == [0.3, 0.3, 1.0, 0.3, 0.0] and found.signals["fix"].to_list() == [
        None,
        None,
        "drop",
        None,
        None,
    ]
    assert found.signals["evidence"][2] == "outvoted 3 to 1 on the same two responses"
    summary, one = found.findings
    assert summary.details["contradictions"] == 1 and summary.details["cycles"] == 0
    assert one.rows == (1, 4, 7, 10) and one.details["drop"] == [7]


def test_an_even_contradiction_is_flagged_on_both_sides_without_a_proposal():
    found = run(pairs("AB", "BA", "CD", "CE"))
    assert scores(found) == [0.9, 0.9, 0.0, 0.0] and found.signals["fix"].null_count() == 4
    assert found.signals["evidence"][0] == found.signals["evidence"][1]
    assert "which side is wrong cannot be known" in found.signals["evidence"][0]
    assert found.findings[0].details["even"] == 1 and found.findings[1].details["even"] == [1, 4]


def test_an_even_contradiction_that_a_cycle_settles():
    # B over A lies on A > B > A and on B > A > C > B: without it nothing is left.
    found = run(pairs("AB", "BA", "AC", "CB"))
    assert scores(found) == [0.3, 1.0, 0.3, 0.3] and found.signals["fix"].to_list() == [None, "drop", None, None]
    said = (
        "contradicted 1 to 1 on the same two responses, and in longer circles too; 4 rows order 3 responses in a circle"
    )
    assert found.signals["evidence"][1] == said


def test_a_cycle_is_broken_once_and_names_what_would_do_as_well():
    found = run(pairs("AB", "BC", "CA", "CD", "DE"))
    assert sorted(scores(found)) == [0.0, 0.0, 0.6, 0.6, 0.9]
    assert [f.details["cycles"] for f in found.findings[:1]] == [1]
    dropped = found.signals.filter(pl.col("fix") == "drop")
    assert (
        dropped.height == 1 and "choices: 2" in dropped["evidence"][0] and "over 3 responses" in dropped["evidence"][0]
    )
    again = run([*pairs("AB", "BC", "CA"), *pairs("AB")])
    assert scores(again)[0] == scores(again)[3] == 0.3  # said twice: the dearer place


def test_a_list_goes_as_a_whole():
    lists = [("q", (("A",), ("B",), ("C",))), ("q", (("A",), ("B", "C"))), ("q", (("C",), ("B",), ("A",)))]
    found = run(lists)
    assert found.signals["fix"].to_list() == [None, None, "drop"]
    # One list stands in two components: dropping it settles both.
    linked = run([("q", (("B",), ("A",), ("D",), ("C",))), *pairs("AB", "AB", "CD", "CD")])
    assert linked.signals["fix"].to_list() == ["drop", None, None, None, None]
    assert linked.findings[0].details == {
        "contradictions": 0,
        "cycles": 1,
        "rows": 5,
        "dropped": 1,
        "even": 0,
        "not_exact": 0,
        "flagged": True,
    }


def test_a_pair_against_the_ends_of_a_list_is_an_even_contradiction():
    found = run([("q", (("A",), ("B",), ("C",))), *pairs("CA")])
    assert scores(found) == pytest.approx([0.9, 0.9]) and found.signals["fix"].null_count() == 2
    outvoted = run([("q", (("A",), ("B",), ("C",))), *pairs("CA", "CA")])
    assert outvoted.signals["evidence"][0].startswith("outvoted 2 to 1 on two of its responses")


def test_ties_and_equal_sides_say_nothing():
    records = [*pairs("AB"), ("q", (("B", "A"),)), ("q", (("B",), ("B",))), ("q", (("B",), ("A",), ("B",)))]
    found = run(records)
    assert np.isnan(found.signals["score"][1]) and found.signals["score"].fill_nan(0).max() == 0
    assert found.findings == ()


def test_white_space_is_folded_and_case_is_not():
    spaced = [("which\u00a0one? ", (("one\u2003two",), ("b",))), ("which one?", (("b",), (" one two\n",)))]
    assert scores(run(spaced)) == pytest.approx([0.9, 0.9])
    assert scores(run([("which one?", (("ONE two",), ("b",))), spaced[1]])) == [0, 0]
    assert scores(run([("Which one?", (("one two",), ("b",))), spaced[1]])) == [0, 0]


def test_prompts_are_kept_apart():
    assert scores(run([*pairs("AB"), *pairs("BA", prompt="another")])) == [0, 0]


def test_a_panel_of_judges_is_reported_and_not_flagged():
    records = [r for i in range(30) for r in pairs("AB", "AB", "BA", prompt=f"q{i}")]
    found = run(records)
    assert found.signals["score"].max() < THRESHOLD and found.signals["fix"].null_count() == 90
    assert "several judges" in found.findings[0].text and not found.findings[0].details["flagged"]
    some = run(records, most_dropped=0.4)
    assert (some.signals["score"] >= THRESHOLD).sum() == 30


def test_many_groups_are_summed_up():
    records = [r for i in range(60) for r in pairs("AB", "BA", prompt=f"q{i}")]
    found = run(records, most_dropped=1.0)
    assert len(found.findings) == SHOWN_GROUPS + 2 and found.findings[-1].subject == "smaller groups"
    assert found.findings[-1].details == {"groups": 10, "rows": 20, "dropped": 10}
    assert found.findings[0].details["contradictions"] == 60


def test_what_cannot_be_checked_is_skipped():
    examples = dataset(pairs("AB"))
    assert preference_cycles(examples.with_columns(rejected=pl.lit(None, pl.String)), INFO) == Skipped(
        "needs pairs of which one side was preferred, or ranked lists"
    )


def test_a_long_list_costs_its_length():
    texts = [f"{i:05d}" for i in range(5_000)]
    lists = [("q", tuple((t,) for t in texts)), ("q", tuple((t,) for t in reversed(texts)))]
    start = time.process_time()
    found = run(lists)
    assert time.process_time() - start < 10
    assert scores(found) == pytest.approx([0.9, 0.9])


def test_a_hundred_thousand_pairs_in_bounded_time_and_memory():
    rng = np.random.default_rng(0)
    count = 100_000
    prompt = rng.integers(0, 20_000, count)
    left, step = rng.integers(0, 8, count), rng.integers(1, 8, count)
    filler = "some words that make each of these texts about as long as an answer is " * 8
    # Quality falls with the number of the response; one pair in a hundred is the other way round.
    low, high = np.minimum(left, (left + step) % 8), np.maximum(left, (left + step) % 8)
    wrong = rng.random(count) < 0.01
    chosen_, rejected_ = np.where(wrong, high, low), np.where(wrong, low, high)
    examples = pl.DataFrame(
        {
            "row": np.arange(count),
            "prompt": [f"question {p} {filler}" for p in prompt],
            "response": [f"answer {p} {c} {filler}" for p, c in zip(prompt, chosen_, strict=True)],
            "rejected": [f"answer {p} {c} {filler}" for p, c in zip(prompt, rejected_, strict=True)],
        }
    )
    examples = examples.select(
        pl.col(name).cast(dtype) if name in examples.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in EXAMPLES.items()
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = preference_cycles(examples, INFO)
    assert time.process_time() - start < 30  # three on an idle core
    grown_bytes = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    texts_bytes = sum(examples[c].str.len_bytes().sum() for c in ("prompt", "response", "rejected"))
    assert grown_bytes < 4 * texts_bytes
    summary = found.findings[0].details
    assert summary["not_exact"] == 0 and summary["contradictions"] > 100 and summary["cycles"] > 30
    # What is outvoted, or closes several cycles, is mostly wrong; one place of a cycle of three is not more than that.
    score = found.signals["score"].to_numpy()
    assert wrong[score > 0.95].mean() > 0.8 and 0.3 < wrong[(score > 0.85) & (score < 0.95)].mean() < 0.6
    assert (score >= THRESHOLD).sum() < 600
