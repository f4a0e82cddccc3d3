"""`ray job submit --working-dir . -- python jobs/frontend.py RECIPE [key=value ...]`: the frontend stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("frontend")
