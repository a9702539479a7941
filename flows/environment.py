"""What must stand in the environment before `prefect` is imported: no telemetry, a home of its own, patience.

Prefect reads its settings once, at import, and sends its first event from there; so this module imports
nothing but the standard library and is called first.
"""

from __future__ import annotations

import os
from pathlib import Path

STARTUP_SECONDS = 120  # a cold machine needs 6 to 12 s, and up to 75 s where the database is made anew


def home() -> Path:
    """Where tunevet keeps what outlives a run: TUNEVET_HOME, else `tunevet` in the user's cache folder."""
    if named := os.environ.get("TUNEVET_HOME"):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "tunevet"


def prepare() -> None:
    """Sets the environment. What a user set by hand stands, except for telemetry and the log of row text."""
    os.environ.update(
        {
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            # Log lines may quote an error, and an error may quote a row.
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }
    )
    defaults = {
        "PREFECT_HOME": str(home() / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(STARTUP_SECONDS),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_CLIENT_MAX_RETRIES": "1",  # a lost server costs seconds, not minutes: the audit goes on without it
        "PREFECT_API_REQUEST_TIMEOUT": "15",  # seconds; a frozen server would else take a minute for each request
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # Threads that spin while they wait starve each other where another process wants a core: training the
        # probe beside one other scan on 2 cores did 594 tokens a second spinning, 2,993 waiting.
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def make_home() -> None:
    """Makes PREFECT_HOME, which Prefect does not where its parent is missing. Raises OSError."""
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True, mode=0o700)
