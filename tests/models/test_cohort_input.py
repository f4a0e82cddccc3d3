"""A cohort's embedding beside the frames: new columns change nothing, then they are a bias of the cohort's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.models.acoustic import AcousticModel, ModelSpec, check_takes_cohorts
from ssl_asr.models.cohort_input import UNKNOWN, CohortInput, widened
from ssl_asr.models.model_files import load_model, save_model
from ssl_asr.recipe import (
    BlstmNetwork,
    ConvRnntNetwork,
    LstmNetwork,
    NetworkSection,
    ProjectedLstmNetwork,
    TransformerNetwork,
)

INPUTS, SENONES = 192, 40
COHORTS = CohortInput(("north", "south", "west"), 2)
NETWORKS = [
    LstmNetwork(layers=2, units=96, dropout=0),
    BlstmNetwork(layers=2, units=48, dropout=0),
    ProjectedLstmNetwork(layers=2, units=64, projection=32, look_ahead=3, dropout=0),
]


def plain(network: NetworkSection) -> AcousticModel:
    torch.manual_seed(0)
    model = AcousticModel(ModelSpec(network, INPUTS, SENONES))
    model.set_statistics(torch.randn(INPUTS), torch.rand(INPUTS) + 0.5)
    return model.eval()


def wider(model: AcousticModel, cohorts: CohortInput = COHORTS) -> AcousticModel:
    torch.manual_seed(1)
    wide = AcousticModel(replace(model.spec, cohorts=cohorts))
    wide.load_state_dict(widened(model.state_dict(), wide.state_dict(), cohorts.dimensions))
    return wide.eval()


def spoken() -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(2)
    return [torch.randn(frames, INPUTS, generator=chance) for frames in (1, 7, 40, 113)]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.kind)
@pytest.mark.parametrize("dimensions", [1, 2, 8])
def test_the_first_model_equals_the_one_before_bit_for_bit(network: NetworkSection, dimensions: int) -> None:
    model = plain(network)
    wide = wider(model, replace(COHORTS, dimensions=dimensions))
    for utterances, told in ((spoken(), [1, 0, 3, 2]), (spoken()[2:3], [2]), (spoken()[:1], [1])):
        before = model.logits(utterances)
        for after in (wide.logits(utterances), wide.logits(utterances, told)):
            assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_transformer_equals_the_one_before_to_rounding() -> None:
    model = plain(TransformerNetwork(layers=1, heads=2, width=32, feed_forward=48, dropout=0))
    torch.testing.assert_close(wider(model).logits(spoken(), [1, 0, 3, 2]), model.logits(spoken()))


def test_the_first_model_equals_the_one_before_in_chunks_too() -> None:
    model = plain(NETWORKS[0])
    wide, frames_btd = wider(model), spoken()[3][None]
    states = [each.encoder.initial_state(1) for each in (model, wide)]
    for begin in range(0, frames_btd.shape[1], 5):
        chunk = frames_btd[:, begin : begin + 5]
        lengths = torch.tensor([chunk.shape[1]])
        hidden, states[0] = model.encode(chunk, lengths, states[0])  # type: ignore[assignment]
        again, states[1] = wide.encode(chunk, lengths, states[1], torch.tensor([2]))  # type: ignore[assignment]
        assert torch.equal(hidden, again)


def trained_lstm() -> AcousticModel:
    """With columns that are not zero any more."""
    wide = wider(plain(NETWORKS[0]))
    with torch.no_grad():
        wide.encoder.lstm.weight_ih_l0[:, INPUTS:].normal_(generator=torch.Generator().manual_seed(3))
    return wide


def test_a_cohort_is_a_bias_of_its_own_and_unknown_is_none() -> None:
    wide = trained_lstm()
    assert wide.cohorts is not None
    rows = wide.cohorts.weight.detach()
    found = []
    for number in range(4):
        narrow = plain(NETWORKS[0])
        weights = {name: each.clone() for name, each in wide.state_dict().items() if name != "cohorts.weight"}
        columns = weights["encoder.lstm.weight_ih_l0"][:, INPUTS:]
        weights["encoder.lstm.bias_ih_l0"] += columns @ rows[number]
        weights["encoder.lstm.weight_ih_l0"] = weights["encoder.lstm.weight_ih_l0"][:, :INPUTS]
        narrow.load_state_dict(weights)
        found.append(wide.logits(spoken(), [number] * 4)[3])
        torch.testing.assert_close(found[-1], narrow.logits(spoken())[3])
    assert torch.equal(found[UNKNOWN], wide.logits(spoken())[3])
    assert all(not torch.allclose(found[UNKNOWN], each) for each in found[1:])


def test_each_utterance_of_a_batch_has_its_own_cohort() -> None:
    wide, told = trained_lstm(), [3, 0, 1, 2]
    together = wide.logits(spoken(), told)
    for place, number in enumerate(told):
        torch.testing.assert_close(together[place], wide.logits(spoken()[place : place + 1], [number])[0])


def test_unknown_stays_zero_in_training() -> None:
    wide = trained_lstm().train()
    assert wide.cohorts is not None
    loss = wide(torch.randn(3, 9, INPUTS), torch.tensor([9, 9, 9]), torch.tensor([UNKNOWN, 2, 2])).square().mean()
    loss.backward()
    gradient = wide.cohorts.weight.grad
    assert gradient is not None
    assert gradient.any(dim=1).tolist() == [False, False, True, False]
    assert not wide.cohorts.weight[UNKNOWN].any()


def test_a_network_that_convolves_over_its_inputs_is_refused() -> None:
    conv = ConvRnntNetwork(layers=1, units=8, projection=4, width=8, local_channels=(2,), global_blocks=1)
    with pytest.raises(ValueError, match="can't take a cohort's embedding beside its frames"):
        check_takes_cohorts(ModelSpec(conv, INPUTS, SENONES), COHORTS)
    check_takes_cohorts(ModelSpec(NETWORKS[0], INPUTS, SENONES), COHORTS)


def test_a_file_says_which_cohorts_its_model_knows(tmp_path: Path) -> None:
    uri, wide = str(tmp_path / "model.safetensors"), trained_lstm()
    save_model(uri, wide, {"senone_set": "s"})
    loaded, about = load_model(uri)
    assert about == {"senone_set": "s"}
    assert loaded.spec == wide.spec
    assert COHORTS.numbers == {"north": 1, "south": 2, "west": 3}
    assert torch.equal(loaded.logits(spoken(), [1] * 4)[2], wide.logits(spoken(), [1] * 4)[2])
