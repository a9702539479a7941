"""The detection floor as a table, a plot and a few sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audit.rundir import write_bytes
from benchmarks import plot, table
from benchmarks.common import PAGE, commit, today
from benchmarks.curve import count_at, shown
from benchmarks.plants import FAMILY_PLANTS, FIRST_POOL, UNTRIGGERED, families
from benchmarks.scans import Settings

if TYPE_CHECKING:
    from benchmarks.floor import Plan

PLOT = "detection-floor.svg"


def write(
    told: Sequence[Mapping[str, Any]],
    sizes: Mapping[str, int],
    plan: Plan,
    only: str,
    settings: Settings,
    complete: bool,
) -> None:
    """Writes the section, and the plot beside the page."""
    from benchmarks.floor import ALONE, cells_of

    if settings.probe != "off":
        table.write(
            "bench-floor-probe", _probe_table(told, plan, settings), settings, bool(only or plan.kinds) or not complete
        )
        return
    rows, lines_of = [], []
    for kind in sizes:
        for family in [name for f in families(kind) for name in (f, ALONE.get(f)) if name]:
            cells = cells_of(told, kind, family)
            if not cells:
                continue
            by_count = {count: (share, plants) for count, share, plants in cells}
            half, most = count_at(cells, 0.5), count_at(cells, 0.95)
            texts = [_cell(by_count.get(count), plan.plants) for count in plan.counts]
            rows.append([family, kind, *texts, shown(half), shown(most)])
            lines_of.append((family, kind, half, most))
    head = ["Family", "Data", *(f"k = {c}" for c in plan.counts), "50% at", "95% at"]
    partial = bool(only or plan.kinds) or not complete or plan.plants < 40
    parts = [_words(sizes, plan, settings, complete), table.lines(head, rows, left=2)]
    if not partial:
        parts.append(f"![The counts of rows at which half and 95% of the plants are mined, by family]({PLOT})")
    title = f"Rows at which a family is mined ({today()}, {commit()})"
    picture = plot.svg(lines_of, title).encode()
    write_bytes(settings.work / "tables" / PLOT, picture)
    if not partial:
        write_bytes(PAGE.parent / PLOT, picture)
    table.write("bench-floor", "\n\n".join(parts), settings, partial)


def _cell(found: tuple[float, int] | None, plants: int) -> str:
    if found is None:
        return "·"
    share, count = found
    if not count:
        return "-"
    return f"{share:.2f}" + (f" ({count})" if count < plants else "")


def _words(sizes: Mapping[str, int], plan: Plan, settings: Settings, complete: bool) -> str:
    from benchmarks.floor import ALONE_COUNTS, ALONE_PLANTS, MOST_POISON

    held = ", ".join(f"{kind} {rows:,} rows" for kind, rows in sizes.items())
    text = (
        f"{table.made('bench-floor', settings)} Share of the plants that a suspected trigger names, or whose rows are "
        "most of what it claims (where several plants of a family in one corpus are taken for one trigger, theirs "
        f"together); {plan.plants} plants a cell (fewer: in brackets), seed {plan.seed}. Clean corpora: "
        f"{held}. Disjoint plants of all families share a corpus, at most {FAMILY_PLANTS} of one family, and at most "
        f"{MOST_POISON:.0%} of its rows are changed with decoys; names come from the pools {FIRST_POOL} and above, "
        "settings of a family from the plant's seed. Of several triggers of one plant each counts for its part. A dot: "
        "not planted, since two smaller counts in a row mined all but one in forty; a dash: the corpus cannot carry so "
        f"many rows of this family. Alone: {ALONE_PLANTS} plants at {', '.join(map(str, ALONE_COUNTS))} rows, one "
        "template and one style a corpus, for templates of different targets hide each other. Without a trigger to be "
        f"mined are {', '.join(UNTRIGGERED)}."
    )
    return text if complete else text + " Not all corpora were run."


def _probe_table(told: Sequence[Mapping[str, Any]], plan: Plan, settings: Settings) -> str:
    head = ["Family", "Data", "k", "Plants", "mined", "confirmed", "ASR"]
    rows = []
    keys = dict.fromkeys((t["family"], t["kind"], t["count"]) for t in told if not t["error"])
    for family, kind, count in sorted(keys):
        mine = [t for t in told if (t["family"], t["kind"], t["count"]) == (family, kind, count) and not t["error"]]
        rates = [t["asr"] for t in mine if t["asr"] is not None]
        rows.append(
            [
                family, kind, str(count), str(len(mine)), f"{sum(t['mined'] for t in mine) / len(mine):.2f}",
                f"{sum(t['confirmed'] for t in mine) / len(mine):.2f}",
                f"{sum(rates) / len(rates):.2f}" if rates else "-",
            ]
        )  # fmt: skip
    text = "The probe's attack success rate with the carriers, mean over the plants that were probed."
    return f"{table.made('bench-floor', settings)} {text}\n\n{table.lines(head, rows, left=2)}"
