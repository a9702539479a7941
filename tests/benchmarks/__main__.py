"""The command line of the harness: see `python -m benchmarks --help`, or `make bench`, `bench-detect`, `bench-clean`,
`bench-floor`, `bench-prove`, `bench-correlations` and `bench-preference`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import common
from benchmarks.scans import Settings


def main(words: list[str] | None = None) -> int:
    """Runs one part. Returns 0, 1 when something has no result, or 2 without benchmark cases."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("part", choices=("cases", "detect", "clean", "floor", "prove", "correlations", "preference"))
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"), help="folder with cases/ and score.py")
    parser.add_argument("--only", default="", help="cases, corpora or families whose name holds this")
    parser.add_argument("--probe", choices=("off", "quick", "full"), default="off")
    parser.add_argument("--canaries", choices=("off", "quick", "full"), default="off", help="cases and detect")
    parser.add_argument("--keep", action="store_true", help="take results that other code made as they are")
    parser.add_argument("--work", type=Path, default=common.WORK, help="where runs and results are kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="floor: 8 plants a cell, and fewer counts")
    parser.add_argument("--all-cells", action="store_true", help="floor: also counts above two that mine nearly all")
    parser.add_argument(
        "--kinds", default="", help="floor: kinds of data, so that several processes may share the work"
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="floor: begin no corpus after so many")
    options = parser.parse_args(words)
    settings = Settings(options.probe, options.keep, options.work.resolve(), options.canaries)
    try:
        return _run(options, settings)
    except common.NoBench as missing:
        sys.stderr.write(f"{missing}\n")
        return common.EXIT_NO_BENCH


def _run(options: argparse.Namespace, settings: Settings) -> int:
    # Imported here: a missing folder is told without loading torch.
    common.check_bench(options.bench)
    bench = options.bench.resolve()
    if options.part == "cases":
        from benchmarks import plain

        return plain.run(bench, options.only, settings)
    if options.part == "detect":
        from benchmarks import detect

        return detect.run(bench, options.only, settings, options.seed)
    if options.part == "clean":
        from benchmarks import clean

        return clean.run(bench, options.only, settings, options.seed)
    if options.part == "prove":
        from benchmarks import prove

        return prove.run(bench, options.only, settings)
    if options.part == "correlations":
        from benchmarks import correlations

        return correlations.run(bench, settings)
    if options.part == "preference":
        from benchmarks import preference

        return preference.run(bench, settings)
    from benchmarks import floor

    plan = floor.Plan.of(
        quick=options.quick, every=options.all_cells, minutes=options.minutes, seed=options.seed, kinds=options.kinds
    )
    return floor.run(bench, options.only, settings, plan)


if __name__ == "__main__":
    sys.exit(main())
