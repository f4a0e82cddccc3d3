"""`ray job submit --working-dir . -- python jobs/hypotheses.py RECIPE [key=value ...]`: the hypotheses stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("hypotheses")
