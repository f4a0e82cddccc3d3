"""Fixtures shared by all packages: a very small run on real recorded speech, each stage made when first asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ssl_asr.recipe import Recipe, load_recipe
from tests.kept import kept
from tests.pinned import PINNED

if TYPE_CHECKING:
    from tests.s3_server import S3Server

pytest_plugins = [
    "tests.toy_run",
    "tests.finished_run",
    "tests.parallel_run",
    "tests.realigned_run",
    "tests.toy_bundle",
    "tests.transducer_run",
    "tests.conversation_run",
]

# Tests share the downloads of `make demo`.
CACHE = os.environ.get("SSL_ASR_CACHE", str(Path(__file__).parents[1] / ".cache"))
KEPT = Path(CACHE) / "kept-by-tests"

# Files of minutes. They are begun first, so that no process is left alone with one at the end.
LONG = (
    "test_changes.py",
    "training/elastic/test_fit.py",
    "hypotheses/test_kill_and_resume.py",
    "serving/test_engine.py",
    "labelling/test_labelling_s3.py",
    "training/sequence/test_sequence_stage.py",
    "verifying/test_repair.py",
    "training/test_stage.py",
)


def tiny_recipe(run: Path, *overrides: str) -> Recipe:
    """A recipe of a few minutes of speech and small networks; every stage takes seconds."""
    return load_recipe(
        "demo",
        [
            f"run={run}",
            f"corpus.cache={CACHE}",
            *PINNED,
            "corpus.labeled_minutes=6",
            "corpus.unlabeled_minutes=5",
            "corpus.dev_minutes=1",
            "corpus.test_minutes=0.4",
            "corpus.train_conditions=[clean, babble-20, effects-10, room]",
            "corpus.labeled_copies=1",
            "corpus.test_conditions=[clean, babble-10]",
            "corpus.shard_minutes=2",
            "corpus.slab_minutes=0.5",
            "hmm.senones=80",
            "hmm.flat_start_iterations=5",
            "hmm.g2p_words=2000",
            "teacher.network.units=48",
            "teacher.labeled_passes=2",
            "teacher.whole_passes=1",
            "student.network.units=48",
            "student.sub_epochs=2",
            "student.unlabeled_passes=1",
            "student.whole_sub_epochs=1",
            "evaluate.kappas=[0.3]",
            "evaluate.bootstrap=200",
            *overrides,
        ],
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """From an empty cache, processes side by side would fetch the same packages, and apt refuses the second."""
    starts_others = session.config.getoption("dist", "no") != "no" and not hasattr(session.config, "workerinput")
    if starts_others:
        from ssl_asr.corpus.open_speech.speech import open_speech

        open_speech(CACHE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    first = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: first.get(item.path, len(first)))


@pytest.fixture(scope="session", autouse=True)
def no_waits() -> Iterator[None]:
    """Stages of this process wait for no other that might begin in the same moment, and files for no disk."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("ssl_asr.runtime.stage_clock.CLAIM_SECONDS", 0.0)
        monkeypatch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server of the S3 protocol that this process, and those that it starts, take for the store."""
    from tests.s3_server import s3_server  # its packages take a second

    with s3_server() as server:
        server.use(monkeypatch)
        yield server


@pytest.fixture(scope="session")
def ray_local() -> Iterator[None]:
    """One local Ray for all tests that only need some Ray."""
    from ssl_asr.runtime.cluster import joined

    with joined():
        yield


@pytest.fixture(scope="session")
def corpus_run(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A tiny run whose corpus stage is done, which so little speech needs no Ray for."""
    from ssl_asr.corpus.stage import run_corpus

    recipe = tiny_recipe(tmp_path_factory.mktemp("tiny"))
    kept(KEPT, "corpus", Path(recipe.run), lambda: run_corpus(recipe))
    return recipe


@pytest.fixture(scope="session")
def feature_run(corpus_run: Recipe, ray_local: None) -> Recipe:
    """The same run with features."""
    from ssl_asr.frontend.stage import run_frontend

    kept(KEPT, "features", Path(corpus_run.run), lambda: run_frontend(corpus_run))
    return corpus_run


@pytest.fixture(scope="session")
def aligned_run(feature_run: Recipe) -> Recipe:
    """The same run with lexicon, senones and alignments."""
    from ssl_asr.hmm.stage import run_hmm

    kept(KEPT, "alignments", Path(feature_run.run), lambda: run_hmm(feature_run))
    return feature_run


@pytest.fixture(scope="session")
def labelled_run(aligned_run: Recipe) -> Recipe:
    """The same run with a teacher and its targets."""
    from ssl_asr.labelling.stage import run_labelling
    from ssl_asr.training.stage import run_teacher
    from tests.training.simulated_stages import simulated_training

    def teach_and_label() -> None:
        with simulated_training():
            run_teacher(aligned_run)
        run_labelling(aligned_run)

    kept(KEPT, "targets", Path(aligned_run.run), teach_and_label)
    return aligned_run
