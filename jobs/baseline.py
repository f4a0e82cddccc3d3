"""`ray job submit --working-dir . -- python jobs/baseline.py RECIPE [key=value ...]`: the baseline stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("baseline")
