"""Readers and adapters: any input becomes trusted shards of examples and a ledger of every record position."""

from __future__ import annotations

from audit.sources.reading import fingerprint, ingest, preview

__all__ = ["fingerprint", "ingest", "preview"]
