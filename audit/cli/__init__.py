"""The command line: results on stdout, all else on stderr, and one exit code for every output format."""

from __future__ import annotations

from audit.cli.app import app, command
from audit.cli.endings import ENDED, EXIT_INTERRUPTED, EXIT_TERMINATED

__all__ = ["ENDED", "EXIT_INTERRUPTED", "EXIT_TERMINATED", "app", "command"]
