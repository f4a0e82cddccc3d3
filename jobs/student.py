"""`ray job submit --working-dir . -- python jobs/student.py RECIPE [key=value ...]`: the student stage."""

from ssl_asr.cli.job_entry import main

if __name__ == "__main__":
    main("student")
