"""The results of an evaluation for each cell of test set and condition, as stored in `decoding/results.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ssl_asr.evaluation.error_rates import ALL, Reduction, WordErrors
from ssl_asr.evaluation.transducer_results import ConversationErrors, TransducerErrors
from ssl_asr.models.systems import BASELINE, STUDENT, smbr_name
from ssl_asr.recipe.identity import Inputs


@dataclass(frozen=True)
class FrameAccuracy:
    """Share of 30 ms frames whose most probable senone is that of the forced alignment."""

    system: str
    set: str
    condition: str
    accuracy: float


@dataclass(frozen=True)
class TuningPoint:
    """Word error rate of a system on all of dev, in all its conditions, with these scales."""

    system: str
    kappa: float
    prior_scale: float
    wer: float


@dataclass(frozen=True)
class Results:
    """`rows` and what follows them are on test, `dev` on dev, whose word errors at all scales tried are `tuning`.

    `headline` is the set of the first figures to look at: all test sets together but for `other_channels`, which were
    recorded unlike most of the labeled speech.
    `models` has the model behind each system of `rows`. Of two baselines, before and after sequence training, the one
    that did better on dev is the system; `dev` and `tuning` have both by their models' names.
    `kappa` and `prior_scale` of each system were chosen by these. Systems in `at_bound` have a kappa at the end of
    what the search may try. `decode_x_real_time`: seconds of audio a second of one core; `oov_rate`: of test words
    outside the graph. The source of test lists `listed` utterances, degraded copies not counted, of which `scored`
    are in the figures; both are 0 where that was not kept. `transducers` are compared among themselves;
    `conversations` are of those of conversations. `inputs` is what the results were made from.
    """

    kappa: Mapping[str, float]
    rows: Sequence[WordErrors]
    werr: Sequence[Reduction]
    frame_accuracy: Sequence[FrameAccuracy]
    decode_x_real_time: float
    oov_rate: float
    prior_scale: Mapping[str, float] = field(default_factory=dict)
    dev: Sequence[WordErrors] = ()
    tuning: Sequence[TuningPoint] = ()
    at_bound: Sequence[str] = ()
    headline: str = ALL
    other_channels: Sequence[str] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    listed: int = 0
    scored: int = 0
    transducers: Sequence[TransducerErrors] = ()
    conversations: Sequence[ConversationErrors] = ()
    inputs: Inputs = field(default_factory=dict)

    @property
    def systems(self) -> list[str]:
        """Those that were tested, in the order of the tables."""
        return list(dict.fromkeys(row.system for row in self.rows))

    @property
    def compared(self) -> tuple[str, str]:
        """The baseline and the student that `werr` is about: after sequence training, where there was any."""
        baseline, student = (
            smbr_name(name) if smbr_name(name) in self.systems else name for name in (BASELINE, STUDENT)
        )
        return baseline, student

    @property
    def baseline_model(self) -> str:
        """The model behind the baseline that `werr` is about."""
        system, _ = self.compared
        return self.models.get(system, system)

    @property
    def baseline_is_matched(self) -> bool:
        """Whether that model has as many frames as the student: the system has the name of the matched model."""
        return self.baseline_model == self.compared[0]

    @property
    def has_topline(self) -> bool:
        return any(each.topline_share is not None for each in self.werr)

    @property
    def coverage(self) -> str:
        """ "9 of 12 listed utterances; 3 were rejected"; empty where that was not kept."""
        if not self.listed:
            return ""
        return of_listed(self.scored, self.listed, "listed utterances")

    @property
    def transducer_names(self) -> list[str]:
        return [each.name for each in self.transducers]

    def transducer_row(self, name: str, set_: str = ALL, condition: str = ALL) -> WordErrors:
        rows = next(each.rows for each in self.transducers if each.name == name)
        return next(row for row in rows if (row.set, row.condition) == (set_, condition))

    def dev_row(self, model: str) -> WordErrors:
        return next(row for row in self.dev if (row.system, row.condition) == (model, ALL))

    def row(self, system: str, set_: str = ALL, condition: str = ALL) -> WordErrors:
        return next(r for r in self.rows if (r.system, r.set, r.condition) == (system, set_, condition))

    def main_reductions(self) -> list[Reduction]:
        """The headline by condition and in all, each set in all conditions, and everything."""
        sets = [each for each in self.werr if each.condition == ALL and each.set not in (ALL, self.headline)]
        head = [each for each in self.werr if each.set == self.headline]
        return [*head, *sets, self.reduction()] if self.headline != ALL else [*head[:-1], *sets, self.reduction()]

    def label(self, set_: str) -> str:
        """The name of a set, with what is to be known of it."""
        return f"{set_} (other channel)" if set_ in self.other_channels else set_

    def scale(self, system: str) -> str:
        """The scales of a system as text: "0.3", "0.3, prior 0.75"; and whether the search ended at its bound."""
        prior = self.prior_scale.get(system, 1.0)
        return (
            f"{self.kappa[system]:g}"
            + ("" if prior == 1 else f", prior {prior:g}")
            + (" (at the search's bound)" if system in self.at_bound else "")
        )

    def reduction(self, set_: str = ALL, condition: str = ALL) -> Reduction:
        return next(r for r in self.werr if (r.set, r.condition) == (set_, condition))


def of_listed(scored: int, listed: int, what: str) -> str:
    """ "9 of 12 utterances; 3 were rejected"."""
    rejected = listed - scored
    told = f"; {rejected:,} {'was' if rejected == 1 else 'were'} rejected" if rejected else ""
    return f"{scored:,} of {listed:,} {what}{told}"
