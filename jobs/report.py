"""`ray job submit --working-dir . -- python jobs/report.py RECIPE [key=value ...]`: the report stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("report")
