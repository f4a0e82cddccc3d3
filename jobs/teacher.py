"""`ray job submit --working-dir . -- python jobs/teacher.py RECIPE [key=value ...]`: the teacher stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("teacher")
