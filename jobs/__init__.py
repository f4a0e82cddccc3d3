"""Entry points for `ray job submit --working-dir . -- python jobs/NAME.py RECIPE [key=value ...]`."""
