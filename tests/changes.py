"""Changes of a recipe, its speech or its run, and for each all that is made again: the table of docs/changes.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tests.change_actions import (
    add,
    add_a_long_recording,
    correct_a_text,
    drop_last,
    lose,
    more_text,
    nothing,
    outside_alignments,
)

SPLITS = ("labeled", "unlabeled", "dev", "test")
ALIGNED = ("labeled", "dev", "test")


def of(*names: str) -> set[str]:
    return set(names)


def stores(kind: str, splits: Iterable[str]) -> set[str]:
    return {f"{kind}/{split}" for split in splits}


RESULTS = of("results")
# What follows from another model, from another teacher, from other alignments.
STUDENT = of("student") | RESULTS
TEACHER = of("teacher", "targets/unlabeled") | STUDENT
SENONES = of("tree", "senones", "graph", "baseline") | stores("alignments", ALIGNED) | TEACHER
FEATURES = stores("features", SPLITS) | of("prior", "flat start") | SENONES


def bare(product: str) -> str:
    return product.removeprefix("new ")


# Products as a dry run names them; of what is made with another product, it says nothing.
ANNOUNCED = {
    **{f"{kind}/{split}": f"{kind}/{split}" for kind in ("manifest", "features", "alignments") for split in SPLITS},
    **{name: name for name in ("targets/unlabeled", "pseudo-labels/unlabeled")},
    **{name: name for name in ("flat start", "lexicon", "language text", "results")},
    **{name: name for name in ("aligner-1", "teacher", "baseline", "baseline-short", "student", "topline")},
    **{name: name for name in ("teacher-smbr", "baseline-smbr", "student-smbr")},
    "tree": "senones",
    "senones": "senone set",
}

# Name: overrides, what is done to the sources or the run, and all that is made again.
Change = tuple[list[str], Callable[[Path, Path], None], set[str]]
CHANGES: dict[str, Change] = {
    "nothing": ([], nothing, set()),
    "name and about": (["name=other", "about=other"], nothing, set()),
    "cluster": (
        ["cluster.train_workers=[1, 3]", "cluster.label_actors=[1, 1]", "cluster.price_per_actor_hour=2"],
        nothing,
        set(),
    ),
    "cache": (["corpus.cache=/does/not/exist"], nothing, set()),
    "where the speech lies": (["corpus.data=/does/not/exist", "corpus.hours.labeled=7"], nothing, set()),
    "reject share": (["corpus.max_reject_share=0.9"], nothing, set()),
    "checkpoints": (["teacher.sync.checkpoint_blocks=7", "student.sync.max_bad_blocks=9"], nothing, set()),
    "adapt": (["adapt.passes=9", "adapt.lambdas=[1]"], nothing, set()),
    "evaluate.bootstrap": (["evaluate.bootstrap=60"], nothing, RESULTS),
    "evaluate.lattices": (["evaluate.lattices=true"], nothing, RESULTS | of("decoded")),
    "evaluate.conversations": (["evaluate.conversations.overlap_share=0.1"], nothing, set()),
    "evaluate.kappas": (["evaluate.kappas=[0.25]"], nothing, RESULTS | of("decoded")),
    "evaluate.prior_scales": (["evaluate.prior_scales=[0.5, 1]"], nothing, RESULTS | of("decoded")),
    "evaluate.beam": (["evaluate.beam=9"], nothing, RESULTS | of("decoded")),
    "evaluate.topline": (
        ["evaluate.topline=true"],
        nothing,
        RESULTS | of("topline", "alignments/unlabeled", "decoded"),
    ),
    "evaluate.lm_order": (["evaluate.lm_order=2"], nothing, RESULTS | of("decoded", "graph")),
    "language model's text": ([], more_text, RESULTS | of("decoded", "graph", "language text", "lexicon")),
    "test set": (
        [],
        drop_last("test"),
        stores("manifest", ["test"])
        | stores("features", ["test"])
        | stores("alignments", ["test"])
        | of("decoded", "sentences")
        | RESULTS,
    ),
    "test conditions": (
        ["corpus.test_conditions=[clean, room]"],
        nothing,
        stores("manifest", ["test"])
        | stores("features", ["test"])
        | stores("alignments", ["test"])
        | of("decoded")
        | RESULTS,
    ),
    "dev conditions": (
        ["corpus.dev_conditions=[clean, room]"],
        nothing,
        stores("manifest", ["dev"])
        | stores("features", ["dev"])
        | stores("alignments", ["dev"])
        | of("decoded", "calibration")
        | RESULTS,
    ),
    "dev set": (
        [],
        drop_last("dev"),
        stores("manifest", ["dev"])
        | stores("features", ["dev"])
        | stores("alignments", ["dev"])
        | of("lexicon", "decoded", "sentences", "calibration")
        | RESULTS,
    ),
    "labelling.k": (["labelling.k=5"], nothing, of("targets/unlabeled", "calibration", "decoded") | STUDENT),
    # By the graph of the evaluation: the unlabeled speech says nothing that is in its text.
    "hypotheses.teacher": (["hypotheses.teacher=student"], nothing, of("pseudo-labels/unlabeled")),
    "labelling.batch_frames": (
        ["labelling.batch_frames=3000"],
        nothing,
        of("targets/unlabeled", "calibration", "decoded") | STUDENT,
    ),
    "student's network": (["student.network.units=24"], nothing, of("baseline", "decoded") | STUDENT),
    "student.labeled_boost": (["student.labeled_boost=1.5"], nothing, of("baseline", "decoded") | STUDENT),
    "student.shorter_baseline": (
        ["student.shorter_baseline=0.5"],
        nothing,
        RESULTS | of("baseline-short", "decoded"),
    ),
    "student.selection": (["student.selection=uniform-confidence"], nothing, of("decoded") | STUDENT),
    "student's unlabeled objective": (
        ["student.unlabeled_objective.kind=soft-cross-entropy"],
        nothing,
        set(),
    ),
    "student's temperature": (["student.unlabeled_objective.temperature=2"], nothing, of("decoded") | STUDENT),
    "teacher.labeled_passes": (["teacher.labeled_passes=3"], nothing, of("calibration", "decoded") | TEACHER),
    "versions of a pass": (
        ["teacher.versions=one", "student.versions=one"],
        nothing,
        of("baseline", "calibration", "decoded") | TEACHER,
    ),
    "the teacher's sequence training": (
        ["teacher.sequence.epochs=1", "teacher.sequence.lm_order=1", "teacher.sequence.beam=5"],
        nothing,
        of("teacher-smbr", "lattices/labeled", "graph", "targets/unlabeled", "calibration", "decoded") | STUDENT,
    ),
    "the student's sequence training": (
        ["student.sequence.epochs=1", "student.sequence.lm_order=1", "student.sequence.beam=5"],
        nothing,
        of("baseline-smbr", "student-smbr", "lattices/labeled", "graph", "decoded") | RESULTS,
    ),
    "hmm.senones": (["hmm.senones=24"], nothing, of("calibration", "decoded") | SENONES),
    "hmm.realign": (
        ["hmm.realign=1"],
        nothing,
        of("aligner-1", "senones", "baseline", "calibration", "decoded") | stores("alignments", ALIGNED) | TEACHER,
    ),
    "hmm.alignments": (
        ["hmm.alignments=ctm:SOURCES/phones.ctm"],
        outside_alignments,
        of("flat start", "calibration", "decoded") | SENONES,
    ),
    "hmm.flat_start_iterations": (
        ["hmm.flat_start_iterations=3"],
        nothing,
        of("flat start", "calibration", "decoded") | SENONES,
    ),
    "hmm.wrong_texts": (
        ["hmm.wrong_texts=weigh"],
        nothing,
        of("flat start", "calibration", "decoded") | SENONES,
    ),
    "hmm.questions": (["hmm.questions=clustered"], nothing, of("calibration", "decoded") | SENONES),
    "hmm.lexicon": (
        ["hmm.lexicon=graphemes"],
        nothing,
        of("lexicon", "flat start", "calibration", "decoded") | SENONES,
    ),
    "hmm.g2p_words": (
        ["hmm.g2p_words=1000"],
        nothing,
        of("lexicon", "flat start", "calibration", "decoded") | SENONES,
    ),
    "seed": (["seed=2"], nothing, of("baseline", "calibration", "decoded") | TEACHER),
    "frontend": (["frontend.mel_bins=40"], nothing, of("calibration", "decoded") | FEATURES),
    "frontend.feature_bits": (["frontend.feature_bits=2"], nothing, of("calibration", "decoded") | FEATURES),
    "labeled speech added": (
        [],
        add("labeled"),
        of("new manifest/labeled", "new features/labeled", "sentences", "flat start")
        | of("calibration", "decoded")
        | SENONES,
    ),
    "a labeled text corrected": (
        [],
        correct_a_text,
        of("manifest/labeled", "features/labeled", "sentences", "flat start", "calibration", "decoded") | SENONES,
    ),
    "a labeled utterance dropped": (
        [],
        drop_last("labeled"),
        of("manifest/labeled", "features/labeled", "sentences", "flat start", "calibration", "decoded") | SENONES,
    ),
    "degraded copies": (
        ["corpus.labeled_copies=1", "corpus.train_conditions=[clean, room]"],
        nothing,
        stores("manifest", ["labeled", "unlabeled"])
        | stores("features", ["labeled", "unlabeled"])
        | of("flat start", "calibration", "decoded")
        | SENONES,
    ),
    "parallel data": (
        ["corpus.unlabeled_copies=1", "corpus.train_conditions=[clean, room]"],
        nothing,
        stores("manifest", ["unlabeled"])
        | stores("features", ["unlabeled"])
        | of("targets/unlabeled", "baseline", "decoded")
        | STUDENT,
    ),
    "corpus.shard_minutes": (
        ["corpus.shard_minutes=5"],
        nothing,
        stores("manifest", SPLITS) | of("calibration", "decoded") | FEATURES - of("prior", "graph"),
    ),
    "hmm.min_frames_per_senone": (
        ["hmm.min_frames_per_senone=60"],
        nothing,
        of("calibration", "decoded") | SENONES,
    ),
    "a lost senone set": ([], lose("hmm/senones.npz"), of("senones")),
    "unlabeled speech added": (
        [],
        add("unlabeled"),
        of("new manifest/unlabeled", "new features/unlabeled", "new targets/unlabeled", "sentences")
        | of("baseline", "decoded")
        | STUDENT,
    ),
    "a long unlabeled recording added": (
        [],
        add_a_long_recording,
        of("new manifest/unlabeled", "new features/unlabeled", "new targets/unlabeled")
        | of("baseline", "decoded")
        | STUDENT,
    ),
    "unlabeled condition": (
        ["corpus.train_conditions=[room]"],
        nothing,
        stores("manifest", ["unlabeled"])
        | stores("features", ["unlabeled"])
        | of("targets/unlabeled", "decoded")
        | STUDENT,
    ),
    "a lost shard of features": (
        [],
        lose("features/unlabeled/*.parquet"),
        stores("features", ["unlabeled"]),
    ),
    "a lost model": ([], lose("models/baseline.safetensors"), of("baseline")),
}
