"""The table of guards: what stands where, what takes its place, which test must fail, and for which promise."""

from __future__ import annotations

from mutation import guards_input, guards_models, guards_out, guards_run

GUARDS = (*guards_input.GUARDS, *guards_models.GUARDS, *guards_run.GUARDS, *guards_out.GUARDS)
