"""Benchmarks: `python jobs/bench/NAME.py` prints a table, then one JSON object as the last line."""
