"""Suspects into proofs: mine candidates, assess them, confirm by a probe."""
