"""`ray job submit --working-dir . -- python jobs/experiment.py STUDY [key=value ...]`: all runs of a study."""

from ssl_asr.cli.job_entry import experiment

if __name__ == "__main__":
    experiment()
