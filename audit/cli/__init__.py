"""The command line: results on stdout, all else on stderr, and one exit code for every output format."""

from __future__ import annotations

from audit.cli.app import app, command
from audit.cli.streams import EXIT_INTERRUPTED

__all__ = ["EXIT_INTERRUPTED", "app", "command"]
