"""Scans benchmark cases and prints what the judge says of them: `make bench`, `make bench ONLY=sst2`.

    python tests/bench.py BENCH [--only TEXT] [--out RUNS]

BENCH holds cases/NAME/data.EXT with truth.json, and score.py. Finished runs are kept and not redone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

STAGES = ("embeddings", "mine", "confirm")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    args = parser.parse_args()
    cases = sorted(p.parent for p in args.bench.glob("cases/*/truth.json") if args.only in p.parent.name)
    if not cases:
        print(f"no benchmark case under {args.bench}/cases; name the folder with BENCH=...", file=sys.stderr)
        return 2
    for case in cases:
        data = next(p for p in sorted(case.iterdir()) if p.stem == "data")
        command = [sys.executable, "-m", "flows.main", "scan", str(data), "-o", str(args.out / case.name)]
        print(f"{case.name} …", file=sys.stderr, flush=True)
        subprocess.run([*command, "--engine", "local", "-q"], stdout=subprocess.DEVNULL, check=False)
        print(costs(args.out / case.name), file=sys.stderr, flush=True)
    judge = [sys.executable, str(args.bench / "score.py"), str(args.bench / "cases"), str(args.out)]
    return subprocess.run([*judge, "--only", args.only], check=False).returncode


def costs(run: Path) -> str:
    """Seconds and peak memory of a finished run, from its done-markers."""
    markers = {p.parent.name + "/" + p.stem: json.loads(p.read_text()) for p in run.glob("done/*/*.json")}
    total = sum(m["seconds"] for m in markers.values())
    peak = max((m["peak_bytes"] for m in markers.values()), default=0)
    parts = [f"{s} {sum(m['seconds'] for k, m in markers.items() if k.startswith(s)):.0f} s" for s in STAGES]
    return f"  {total:.0f} s in all ({', '.join(parts)}), peak {peak / 2**30:.2f} GiB"


if __name__ == "__main__":
    sys.exit(main())
