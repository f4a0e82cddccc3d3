"""The section of one transducer: a recogniser that is trained on words, by whole utterances, without senones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from ssl_asr.recipe.augmentation import Augmentation
from ssl_asr.recipe.batching import Batching
from ssl_asr.recipe.choice import Choice
from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.network import NETWORKS, NetworkSection, ProjectedLstmNetwork
from ssl_asr.recipe.optimiser import Optimiser
from ssl_asr.recipe.predictor import PREDICTORS, LstmPredictor, PredictorSection, TransducerSearch
from ssl_asr.recipe.section import NotNegative, Positive, PositiveFloat, Section, Share
from ssl_asr.recipe.sync import Sync
from ssl_asr.recipe.training import Heard, check_moments

EncoderNetwork = Annotated[SerializeAsAny[NetworkSection], Choice(NETWORKS, "projected-lstm")]
Predictor = Annotated[SerializeAsAny[PredictorSection], Choice(PREDICTORS, "lstm")]


class Transducer(Section):
    """Encoder, predictor and joiner (Graves 2012), and how they are trained.

    Each sub-epoch has its part of the unlabeled speech, with the words of the recipe's `hypotheses`, and then passes
    over the labeled speech with the true words. Without unlabeled passes it learns from labeled speech alone.
    """

    network: EncoderNetwork = ProjectedLstmNetwork()
    predictor: Predictor = LstmPredictor()
    joiner: Positive = 512  # width at which encoder and predictor meet
    word_pieces: Annotated[int, Field(gt=2)] = 2500  # how many, the blank among them
    # Start with the encoder of this model, which must be of the same network: "" starts with random weights.
    encoder_from: Literal["", "teacher", "baseline", "student"] = ""
    sub_epochs: Positive = 10
    labeled_passes: Positive = 1  # of each sub-epoch
    unlabeled_passes: NotNegative = 1.0  # over all unlabeled audio, all sub-epochs together
    labeled_boost: PositiveFloat = 1.0  # learning rate of the labeled part over that of the unlabeled
    # Unlabeled utterances whose words have less than this confidence are left out; those without any stay.
    least_confidence: Share = 0.0
    versions: Heard = "all"
    fast_emit: Annotated[float, Field(ge=0, lt=1)] = 0.0  # lambda of FastEmit (Yu et al. 2021); 0.004 to 0.01
    optimiser: Optimiser = Optimiser()
    batching: Batching = Batching()
    augmentation: Augmentation = Augmentation()
    sync: Sync = Sync()
    search: Annotated[TransducerSearch, Affects("transducer-words")] = TransducerSearch()

    @model_validator(mode="after")
    def _consistent(self) -> Transducer:
        check_moments(self.sync, self.optimiser)
        return self
