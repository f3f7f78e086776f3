"""Benchmarks: one script a subject, each comparing with a named baseline in one run."""
