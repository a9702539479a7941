"""Responses that a dataset orders in circles: strongly connected components of its preferences.

A node is a response to a prompt, both with each run of Unicode white space as one space; case counts. An example leads
from each response that it ranks to each that it ranks lower.

Source: Tarjan 1972, "Depth-first search and linear graph algorithms"; Pearce 2005, "An improved algorithm for finding
the strongly connected components of a directed graph" (what scipy runs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from audit import views
from audit.detectors.orders import Graph, Order


@dataclass(frozen=True, slots=True)
class Group:
    """A strongly connected component, or several that ranked lists link: what must be settled together."""

    graph: Graph
    nodes: tuple[int, ...]  # response of the graph -> node of the dataset, ascending
    positions: tuple[tuple[int, ...], ...]  # order of the graph -> examples that say it

    @property
    def rows(self) -> int:
        return sum(len(held) for held in self.positions)

    @property
    def rank(self) -> tuple[int, int, int]:
        """Small groups first; nodes are numbered by their texts, so row order plays no part."""
        return len(self.nodes), self.rows, self.nodes[0]


def folded(column: str) -> pl.Expr:
    """The text with each run of Unicode white space as one space, and none at its ends."""
    return pl.col(column).fill_null("").str.replace_all(r"\s+", " ").str.strip_chars()


def entries_of(examples: pl.DataFrame) -> pl.DataFrame:
    """One row for each response that an example ranks: position, level (1 the best) and node. Nodes are numbered from 0
    by their folded texts. Examples alone with their prompt are left out, and so are those that rank one node twice."""
    held = examples.select(
        "response",
        "rejected",
        "ranking",
        position=pl.int_range(pl.len(), dtype=pl.Int64),
        prompt=folded("prompt"),
        ordered=views.ordered(),
    ).filter(pl.col("ordered") & (pl.len().over("prompt") > 1))
    held = held.with_columns(prompt=_number("prompt"))
    pairs, lists = held.filter(pl.col("ranking").is_null()), held.filter(pl.col("ranking").is_not_null())
    first, second = pl.lit(1, dtype=pl.Int32), pl.lit(2, dtype=pl.Int32)
    parts = [
        pairs.select("position", "prompt", text=pl.col("response"), rank=first),
        pairs.select("position", "prompt", text=pl.col("rejected"), rank=second),
        lists.select("position", "prompt", "ranking").explode("ranking").unnest("ranking").drop_nulls("rank"),
    ]
    ranked = pl.concat(parts).with_columns(text=folded("text")).with_columns(text=_number("text"))
    ranked = ranked.select("position", "rank", node=pl.col("prompt") * (pl.len() + 1) + pl.col("text"))
    ranked = ranked.with_columns(node=_number("node")).unique()
    twice = ranked.filter(pl.len().over("position", "node") > 1).select("position")
    ranked = ranked.join(twice, on="position", how="anti")
    return ranked.select("position", "node", level=(_number("rank") + 1).over("position"))


def _number(column: str) -> pl.Expr:
    """Values as whole numbers from 0, in their own order."""
    return pl.col(column).rank("dense").cast(pl.Int64) - 1


def in_cycles(entries: pl.DataFrame) -> pl.DataFrame:
    """The entries that order responses of one strongly connected component, with `component`."""
    entries = entries.sort("position", "level", "node")
    step = entries.select(pl.struct("position", "level").rle_id()).to_series().to_numpy().astype(np.int64)
    last = entries.select(pl.col("level") == pl.col("level").max().over("position")).to_series().to_numpy()
    first = entries["level"].to_numpy() == 1
    node = entries["node"].to_numpy()
    count = int(node.max()) + 1 if node.size else 0
    # A joint stands below each level but the last, and leads to the next level: arcs grow with the length of a list,
    # not with its square, and what a response leads to stays the same, since no level is empty.
    joint = count + step
    above = np.concatenate([node[~last], joint[~first] - 1])
    below = np.concatenate([joint[~last], node[~first]])
    size = count + (int(step[-1]) + 1 if step.size else 0)
    arcs = coo_matrix((np.ones(above.size), (above, below)), shape=(size, size))
    component = connected_components(arcs, directed=True, connection="strong")[1][node] if size else node
    found = entries.with_columns(component=pl.Series(component, dtype=pl.Int64))
    return found.filter(pl.col("level").n_unique().over("position", "component") > 1)


def groups_of(entries: pl.DataFrame) -> list[Group]:
    """What can be settled on its own: components, joined where a ranked list stands in several."""
    if entries.is_empty():
        return []
    row = (entries["position"].rank("dense").to_numpy() - 1).astype(np.int64)
    column = (entries["component"].rank("dense").to_numpy() - 1).astype(np.int64)
    size = int(row.max() + column.max()) + 2
    links = coo_matrix((np.ones(row.size), (row, row.max() + 1 + column)), shape=(size, size))
    number: NDArray[np.int64] = connected_components(links, directed=False)[1][row].astype(np.int64)
    frame = entries.select("position", "level", "node", group=pl.Series(number)).sort("position", "level", "node")
    held: dict[int, dict[int, dict[int, list[int]]]] = {}
    for position, level, node, group in frame.iter_rows():
        held.setdefault(group, {}).setdefault(position, {}).setdefault(level, []).append(node)
    return [_group(rows) for rows in held.values()]


def _group(rows: dict[int, dict[int, list[int]]]) -> Group:
    nodes = sorted({node for levels in rows.values() for level in levels.values() for node in level})
    local = {node: i for i, node in enumerate(nodes)}
    said: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for position, levels in rows.items():
        said.setdefault(tuple(tuple(local[n] for n in level) for level in levels.values()), []).append(position)
    ordered = sorted(said)
    graph = Graph.of(len(nodes), [Order(levels, len(said[levels])) for levels in ordered])
    return Group(graph, tuple(nodes), tuple(tuple(said[levels]) for levels in ordered))
