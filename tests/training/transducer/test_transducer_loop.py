"""A transducer goes through the loop that trains every network: it learns, and resumes to the same bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.lang.word_pieces import train_word_pieces
from ssl_asr.recipe import NetworkSection, ProjectedLstmNetwork, TransducerSection
from ssl_asr.recipe.predictor import LstmPredictor
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.schedule import LABELED
from ssl_asr.training.sync.group import Worker
from ssl_asr.transducer.model import TransducerSpec
from tests.training.synthetic import BINS, synthetic_job
from tests.training.test_loop import resumed_equals_unbroken, train

PIECES = 11  # eight letters, blank, the unknown one, and the begin of a word
NETWORK = ProjectedLstmNetwork(layers=1, units=16, projection=12, look_ahead=2, dropout=0.1)


def transducer_job(folder: Path, network: NetworkSection = NETWORK) -> TrainingJob:
    """Every letter of a text is three frames of one code; all phases are on whole utterances and words."""
    pieces = folder / "pieces.model"
    pieces.write_bytes(train_word_pieces([" ".join("abcdefgh")], PIECES).model)
    spec = TransducerSpec(network, LstmPredictor(units=8, embedding=4), 12, 3 * BINS, PIECES)
    job = synthetic_job(spec=spec, objectives={LABELED: TransducerSection(word_pieces=str(pieces))})
    schedule = tuple(replace(phase, whole=True, objective=LABELED) for phase in job.schedule)
    return replace(job, schedule=schedule, word_pieces=str(pieces))


def test_it_learns_what_is_said(tmp_path: Path) -> None:
    job = transducer_job(tmp_path)
    loop = build_loop(replace(job, schedule=job.schedule * 4), Worker())
    labeled, _ = job.sources
    objective = loop.course.objectives[LABELED]
    before = loop.evaluate(labeled, objective).loss
    train(loop)
    after = loop.evaluate(labeled, objective).loss
    assert after < 0.6 * before


@pytest.mark.parametrize("setting", ["bmuf, adam", "gtc, adam"])
def test_resumed_equals_unbroken_bit_for_bit(tmp_path: Path, setting: str) -> None:
    resumed_equals_unbroken(transducer_job(tmp_path), tmp_path, setting, workers=2, save_at=2)
