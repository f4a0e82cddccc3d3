"""`ray job submit --working-dir . -- python jobs/hmm.py RECIPE [key=value ...]`: the hmm stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("hmm")
