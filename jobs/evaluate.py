"""`ray job submit --working-dir . -- python jobs/evaluate.py RECIPE [key=value ...]`: the evaluate stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("evaluate")
