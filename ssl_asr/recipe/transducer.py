"""The section of one transducer: a recogniser that is trained on words, by whole utterances, without senones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from ssl_asr.recipe.augmentation import Augmentation
from ssl_asr.recipe.batching import Batching
from ssl_asr.recipe.choice import Choice
from ssl_asr.recipe.conversations import Conversations
from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.network import NETWORKS, NetworkSection, ProjectedLstmNetwork, SeparatorNetwork
from ssl_asr.recipe.objective import check_stable
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
    # Start with the encoder of this model, which must be of the same network: "" starts with random weights. Of a
    # Transformer it need not have the gates, nor see as much of the past.
    encoder_from: Literal["", "teacher", "baseline", "student"] = ""
    # Start with all weights of this transducer, which stands above in the recipe and has the same network, as above,
    # predictor and joiner; word pieces that it has not begin with random weights. So several share what comes before.
    start_from: str = ""
    # Before, so many passes over the labeled speech teach the encoder senones by cross-entropy (Hu et al. 2020), with
    # the settings below. That is how an encoder begins that no other model of the recipe has.
    senone_passes: Annotated[int, Field(ge=0)] = 0
    sub_epochs: Positive = 10
    labeled_passes: Positive = 1  # of each sub-epoch
    unlabeled_passes: NotNegative = 1.0  # over all unlabeled audio, all sub-epochs together
    labeled_boost: PositiveFloat = 1.0  # learning rate of the labeled part over that of the unlabeled
    # Unlabeled utterances whose words have less than this confidence are left out; those without any stay. Study
    # labels can't tell whether 0.5 is better than 0.
    least_confidence: Share = 0.0
    versions: Heard = "all"
    fast_emit: Annotated[float, Field(ge=0, lt=1)] = 0.0  # lambda of FastEmit (Yu et al. 2021); 0.004 to 0.01
    # Learn conversations of several talkers, made of the labeled speech, with a network of the kind separator; null:
    # single utterances.
    conversations: Conversations | None = None
    optimiser: Optimiser = Optimiser()
    batching: Batching = Batching()
    augmentation: Augmentation = Augmentation()
    sync: Sync = Sync()
    search: Annotated[TransducerSearch, Affects("transducer-words")] = TransducerSearch()

    @model_validator(mode="after")
    def _consistent(self) -> Transducer:
        check_moments(self.sync, self.optimiser)
        self._check_beginning()
        if self.conversations is not None:
            self._check_conversations(self.conversations)
        elif isinstance(self.network, SeparatorNetwork):
            raise ValueError("network.kind=separator is for conversations; give them, as conversations.turns=[1, 5]")
        return self

    def _check_beginning(self) -> None:
        given = [f"{key}={value}" for key in ("encoder_from", "start_from") if (value := getattr(self, key))]
        given += ["senone_passes"] if self.senone_passes else []
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} both say how the encoder begins; leave out one")

    def _check_conversations(self, conversations: Conversations) -> None:
        check_stable(conversations.end_penalty, self.fast_emit)
        if not isinstance(self.network, SeparatorNetwork):
            raise ValueError("conversations need a network with several output channels; set network.kind=separator")
        if self.network.channels < 2 and conversations.overlap_share:
            raise ValueError("network.channels=1 can't hold turns that overlap; set conversations.overlap_share=0")
        if self.unlabeled_passes or self.encoder_from:
            raise ValueError(
                "conversations are made of labeled speech alone, and no network of senones has their encoder; set "
                "unlabeled_passes=0, and leave out encoder_from"
            )
        if self.versions != "all":
            raise ValueError("conversations are made of clean speech; leave out versions")
        if conversations.one_talker_passes >= self.sub_epochs * self.labeled_passes:
            raise ValueError(
                f"conversations.one_talker_passes={conversations.one_talker_passes} leaves no pass with two talkers; "
                "ask for fewer, or for more sub_epochs"
            )
