"""What is done to a process at one of its steps: told of, killed, or answered with an error."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import crash_stages

from audit.durable import Observer, Step

MOMENTS = ("before", "middle", "after")
SIGNALS = ("KILL", "TERM")
CODES = ("ENOSPC", "EDQUOT", "EIO", "EROFS")
DATA = ("folder", "create", "write", "sync", "rename", "sync folder")  # steps that need room on a disk


class Told(Observer):
    """Writes every step into the log."""

    def before(self, step: Step) -> None:
        crash_stages.say("step", step.number, step.kind, step.path)


class Killed(Told):
    """Dies before step `number`, after it, or in its middle: when half of a write's bytes are with the system."""

    def __init__(self, number: int, moment: str, how: str) -> None:
        self.number, self.moment, self.how = number, moment, signal.Signals[f"SIG{how}"]

    def before(self, step: Step) -> None:
        super().before(step)
        if step.number == self.number and self.moment == "before":
            self._die()

    def size(self, step: Step, size: int) -> int:
        return max(size // 2, 1) if step.number == self.number and self.moment == "middle" else size

    def after(self, step: Step) -> None:
        if step.number == self.number and self.moment != "before":
            self._die()

    def _die(self) -> None:
        crash_stages.say("dies")
        os.kill(os.getpid(), self.how)


class Failing(Told):
    """The call of step `number` fails with an error, and with `lasting` every later one that needs room does too.
    The fault "short" hands the system half of a write at a time; "short, then full" has no room for the rest."""

    def __init__(self, number: int, fault: str, lasting: bool = False) -> None:
        self.number, self.fault, self.lasting = number, fault, lasting
        self._halved = False

    def before(self, step: Step) -> None:
        super().before(step)
        if self.fault.startswith("short"):
            if self._halved and self.fault != "short":
                self._halved = False
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return
        here = step.number == self.number or (self.lasting and step.number > self.number and step.kind in DATA)
        if here:
            code = getattr(errno, self.fault)
            crash_stages.say("fails", self.fault)
            raise OSError(code, os.strerror(code))

    def size(self, step: Step, size: int) -> int:
        if step.number == self.number and self.fault.startswith("short") and size > 1:
            crash_stages.say("fails", self.fault)
            self._halved = True
            return size // 2
        return size


class Waiting(Told):
    """Stops before step `number` until the file `go` is there."""

    def __init__(self, number: int, go: str) -> None:
        self.number, self.go = number, Path(go)

    def before(self, step: Step) -> None:
        super().before(step)
        while step.number == self.number and not self.go.exists():
            time.sleep(0.01)


def observer(spec: dict[str, Any] | None) -> Observer:
    """The observer that a request names."""
    if spec is None:
        return Told()
    kinds: dict[str, Any] = {"kill": Killed, "fail": Failing, "wait": Waiting}
    return kinds[spec["kind"]](*spec["arguments"])
