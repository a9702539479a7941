"""The `tunevet` command: audit.cli, with Prefect as its engine unless another is asked for."""

from __future__ import annotations

import os
import sys

from flows import environment


def main() -> None:
    """Runs the command line and exits with its code."""
    environment.prepare()
    from audit.cli import ENDED, command
    from audit.job import LocalEngine
    from flows.engine import PrefectEngine

    code = command({"prefect": PrefectEngine(), "local": LocalEngine()}, _serve)
    if code in ENDED:  # the manifest is written; a thread of Prefect may still wait for its server
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _serve(config_path: str) -> None:
    from pathlib import Path

    from flows.serving import serve

    serve(Path(config_path))


if __name__ == "__main__":
    main()
