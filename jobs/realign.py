"""`ray job submit --working-dir . -- python jobs/realign.py RECIPE [key=value ...]`: the realign stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("realign")
