"""`ray job submit --working-dir . -- python jobs/corpus.py RECIPE [key=value ...]`: the corpus stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("corpus")
