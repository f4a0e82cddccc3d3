"""`ray job submit --working-dir . -- python jobs/topline.py RECIPE [key=value ...]`: the topline stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("topline")
