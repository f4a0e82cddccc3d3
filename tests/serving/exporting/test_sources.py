"""What can't be exported is refused before anything of the run but the model is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import save_model
from ssl_asr.recipe import ConvRnntNetwork, NetworkSection, ProjectedLstmNetwork, Recipe, load_recipe
from ssl_asr.serving.exporting.export import export
from ssl_asr.serving.exporting.sherpa.export import export_sherpa
from ssl_asr.store.training_layout import model_uri


@pytest.mark.parametrize("exporting", [export, export_sherpa])
@pytest.mark.parametrize(
    "network",
    [
        ProjectedLstmNetwork(layers=1, units=3, projection=2),
        ConvRnntNetwork(layers=1, units=3, projection=2, width=2, local_channels=(1,), global_blocks=1),
    ],
    ids=lambda network: network.kind,
)
def test_a_network_without_an_onnx_form_is_refused(
    tmp_path: Path, network: NetworkSection, exporting: Callable[[Recipe, str, Path], object]
) -> None:
    recipe = load_recipe("demo", [f"run={tmp_path}/run"])
    save_model(model_uri(recipe.run, "student"), AcousticModel(ModelSpec(network, 192, 5)), {})
    said = f"kind '{network.kind}' can't be exported as ONNX; only 'lstm' can"
    with pytest.raises(ValueError, match=said) as refused:
        exporting(recipe, "student", tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()
