"""`ray job submit --working-dir . -- python jobs/labelling.py RECIPE [key=value ...]`: the labelling stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("labelling")
