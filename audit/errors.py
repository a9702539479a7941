"""The exception tree. A class says what the runner does; `exit_code` says how the command ends.

Every message names the value, the bound and the remedy, in one sentence that a user can act on. Names of files, columns
and values in it may be an attacker's, and a message ends up in terminals, logs, notebooks and pages: whatever cannot
be seen in it is spelled out when it is made.
"""

from __future__ import annotations

from audit.text import safe_text

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 3
EXIT_NOTHING = 4
EXIT_WRITE = 74
EXIT_BUSY = 75


_MOST = 8_000  # characters of a line


class TunevetError(Exception):
    """Root of all errors that this project raises on purpose. Each argument is one line of its message."""

    exit_code = EXIT_INCOMPLETE

    def __init__(self, *lines: str) -> None:
        super().__init__(*(safe_text(line, _MOST) for line in lines))

    def __str__(self) -> str:
        return "\n".join(self.args)


class UsageError(TunevetError):
    """The request cannot be carried out as given: stop, change the request."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    """A setting is unknown or out of its range."""


class InputError(UsageError):
    """The input is missing, empty, of no known format, or its columns cannot be mapped."""


class UntrustedModel(UsageError):
    """A model's files are not the ones that were pinned, or are of a kind that may run code."""


class NothingScanned(TunevetError):
    """Not one row could be read: never a pass."""

    exit_code = EXIT_NOTHING


class UnitFailed(TunevetError):
    """A unit of work raised; the run is incomplete. Names the stage and the unit."""

    def __init__(self, stage: str, unit: str, cause: BaseException) -> None:
        self.stage, self.unit = stage, unit
        super().__init__(f"{stage}/{unit} failed: {type(cause).__name__}: {cause}")


class ConservationError(TunevetError):
    """Rows in are not kept + review + removed + unreadable: the run is void."""


class IntegrityError(TunevetError):
    """A file in a run directory is not the one that its marker names."""

    exit_code = 1


class WriteFailed(TunevetError):
    """A write failed (disk full, read-only, quota). Nothing half-written is left behind."""

    exit_code = EXIT_WRITE


class RunBusy(TunevetError):
    """Another process holds the run directory."""

    exit_code = EXIT_BUSY
