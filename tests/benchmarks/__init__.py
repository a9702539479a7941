"""The benchmark harness: `python -m benchmarks cases|detect|clean|floor`, with `tests` on the import path.

It measures the product through its own stages and never through what lies behind them. Everything that it makes
lies under `runs/bench`, and the tables go between the markers of docs/benchmarks.md.
"""
