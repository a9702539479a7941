"""Remedies: the cleaned dataset."""
