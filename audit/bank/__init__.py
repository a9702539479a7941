"""Families of behaviors for the target bank: pure functions from texts and arrays to (family, text) categories."""
