"""Prefect flows over audit.pipeline. Holds no detection logic."""
