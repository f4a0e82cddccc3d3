"""Predictors: label by label they say what they say of the whole text at once."""

from __future__ import annotations

import pytest
import torch

from ssl_asr.models.acoustic import count_parameters
from ssl_asr.recipe.predictor import LstmPredictor, PredictorSection, StatelessPredictor
from ssl_asr.transducer.predictor import Predictor, build_predictor, rows_of
from tests.transducer.small import PREDICTORS

LABELS = 11


def built(section: PredictorSection) -> Predictor:
    torch.manual_seed(1)
    return build_predictor(section, LABELS).eval()


@pytest.mark.parametrize("section", PREDICTORS)
@torch.no_grad()
def test_steps_equal_the_whole_text(section: PredictorSection) -> None:
    predictor = built(section)
    texts = torch.randint(0, LABELS, (4, 6))
    whole = predictor(texts)
    assert whole.shape == (4, 7, predictor.width)
    outputs, state = predictor.begin(4)
    torch.testing.assert_close(outputs, whole[:, 0])
    for place in range(6):
        outputs, state = predictor.step(texts[:, place], state)
        torch.testing.assert_close(outputs, whole[:, place + 1])
    turned = torch.tensor([3, 1, 1])
    more = torch.tensor([5, 6, 7])
    outputs, _ = predictor.step(more, rows_of(state, turned))
    torch.testing.assert_close(outputs, predictor(torch.cat([texts[turned], more[:, None]], 1))[:, -1])
    torch.testing.assert_close(predictor(texts[:, :0]), whole[:, :1])


@pytest.mark.parametrize(("section", "reach"), [(StatelessPredictor(units=8, context=2), 2), (PREDICTORS[0], None)])
@torch.no_grad()
def test_how_far_a_predictor_remembers(section: PredictorSection, reach: int | None) -> None:
    predictor = built(section)
    texts = torch.randint(1, LABELS, (1, 9))
    changed = texts.clone()
    changed[0, 3] = texts[0, 3] % (LABELS - 1) + 1
    differs = (predictor(texts) != predictor(changed))[0].any(1).nonzero().squeeze(1).tolist()
    assert differs == list(range(4, 10 if reach is None else 4 + reach))


def test_published_size() -> None:
    """0.62 M of embeddings and 2.62 M with the projection to the joiner's 512 (Radfar et al. 2022)."""
    with torch.device("meta"):
        predictor = build_predictor(LstmPredictor(), 2500)
    embedding = count_parameters(predictor.embedding)
    assert embedding / 1e6 == pytest.approx(0.62, abs=0.03)
    assert (count_parameters(predictor) - embedding + 640 * 512) / 1e6 == pytest.approx(2.62, abs=0.03)


@pytest.mark.parametrize("section", [PREDICTORS[0], PREDICTORS[2]])
def test_dropout_is_of_training_alone(section: PredictorSection) -> None:
    predictor, texts = built(section), torch.randint(1, LABELS, (2, 5))
    assert torch.equal(predictor(texts), predictor(texts))
    predictor.train()
    assert not torch.equal(predictor(texts), predictor(texts))
