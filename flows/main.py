"""The `tunevet` command: audit.cli, with Prefect as its engine unless another is asked for."""

from __future__ import annotations

import sys

from flows import environment


def main() -> None:
    """Runs the command line and exits with its code."""
    environment.prepare()
    from audit.cli import command
    from audit.job import LocalEngine
    from flows.engine import PrefectEngine

    sys.exit(command({"prefect": PrefectEngine(), "local": LocalEngine()}, _serve))


def _serve(config_path: str) -> None:
    from pathlib import Path

    from flows.serving import serve

    serve(Path(config_path))


if __name__ == "__main__":
    main()
