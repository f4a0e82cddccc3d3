"""`ray job submit --working-dir . -- python jobs/run.py RECIPE [key=value ...]`: all stages."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("run")
