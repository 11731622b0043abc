"""Suites, scores and statistics over the log."""
