"""The `tunevet` command over the tiny pipeline, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny_stages

if __name__ == "__main__":
    tiny_stages.install()
    from flows.main import main

    main()
