"""`ray job submit --working-dir . -- python jobs/transducers.py RECIPE [key=value ...]`: the transducers stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("transducers")
