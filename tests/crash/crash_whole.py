"""One whole command in a process of its own, with something done to it: SPEC WORDS..., SPEC as JSON or "null". Its
steps are told in the file `log` of the working folder."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import crash_points
import crash_stages

from audit import durable
from audit.cli import command
from audit.job import LocalEngine

if __name__ == "__main__":
    crash_stages.log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    durable.observer = crash_points.observer(json.loads(sys.argv[1]))
    sys.argv = ["tunevet", *sys.argv[2:]]
    sys.exit(command({"local": LocalEngine()}))
