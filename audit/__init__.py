"""tunevet: vet fine-tuning data before it becomes a model. `from audit import scan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.api import Result, scan

__version__ = "0.1.0"
__all__ = ["Result", "__version__", "scan"]


def __getattr__(name: str) -> Any:
    # scan is imported on first use: `import audit` stays light and never imports torch.
    if name in ("scan", "Result"):
        from audit import api

        return getattr(api, name)
    raise AttributeError(f"module 'audit' has no attribute {name!r}")
