"""`ray job submit --working-dir . -- python jobs/fairness.py RECIPE [key=value ...]`: the fairness stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("fairness")
