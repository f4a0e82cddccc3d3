"""Benchmarks: `python -m jobs.bench.NAME` prints a table, then one JSON object as the last line."""
