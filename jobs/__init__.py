"""Thin entries for `ray job submit --working-dir . -- python jobs/NAME.py RECIPE [key=value ...]`."""
