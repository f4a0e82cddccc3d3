"""Values that tests count on, whatever the preset `demo` has."""

PINNED = [
    "corpus.dev_conditions=[clean]",
    "teacher.batching.batch_chunks=16",
    "student.batching.batch_chunks=16",
    "student.shorter_baseline=0",
    "evaluate.topline=false",
    "evaluate.prior_scales=[1.0]",
]
