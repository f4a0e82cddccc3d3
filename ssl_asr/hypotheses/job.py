"""One shard of hypotheses from one shard of unlabeled features, by a network and a decoding graph."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.decoding.decoder import Decoder
from ssl_asr.decoding.graph_files import load_graph
from ssl_asr.decoding.posteriors import log_posteriors
from ssl_asr.decoding.scores import Float32, Scales, acoustic_scores
from ssl_asr.decoding.slab_decoding import log_priors_of
from ssl_asr.decoding.word_finder import WordFinder
from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hypotheses.content import Words
from ssl_asr.hypotheses.sets import HypothesisSet, model_of
from ssl_asr.hypotheses.words_job import BATCH_FRAMES, WordsJob, rejected
from ssl_asr.lang.lexicon import read_lexicon
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import Recipe
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.hypotheses import TimedWord
from ssl_asr.store.ledger import Reject
from ssl_asr.store.training_layout import model_uri


class Recogniser:
    """A network of the run, a decoding graph and a search: from log posteriors to words.

    The words are those of the best path of the search that an evaluation uses, not of the lattice, whose search has
    a smaller beam. Their times come from aligning them, their posteriors from the lattice.
    """

    def __init__(self, recipe: Recipe, graph_key: str) -> None:
        settings, senones = recipe.hypotheses, load_senones(recipe.run)
        self.model, about = load_model(model_uri(recipe.run, model_of(recipe)))
        self._log_priors = log_priors_of(about, senones)
        self._scales = Scales(settings.kappa, settings.prior_scale)
        graph = load_graph(recipe.run, graph_key)
        self._decoder = Decoder(graph, settings.beam, settings.max_active)
        self._finder = WordFinder(graph, read_lexicon(recipe.run), senones.table, settings.lattice_beam)

    def words(self, log_posteriors_ts: Float32) -> Words:
        """Of log posteriors [30 ms frames, senones]; ValueError if they are not finite."""
        scores_ts = acoustic_scores(log_posteriors_ts, self._log_priors, self._scales)
        found = self._decoder.decode(scores_ts)
        times = self._finder.times(found, scores_ts)
        if times is None:  # there is no word, or no alignment of the words fits the frames
            return tuple(TimedWord(word) for word in found)
        posteriors, _ = self._finder.judge(found, times, scores_ts)
        return tuple(
            TimedWord(word, time.start, time.end, posterior)
            for word, time, posterior in zip(found, times, posteriors, strict=True)
        )


class HypothesisJob(WordsJob):
    """Recognises by a network of the run and a decoding graph."""

    def __init__(self, recipe: Recipe, made: HypothesisSet) -> None:
        super().__init__(recipe, made)
        self.recogniser = Recogniser(recipe, made.graph)

    def recognise(self, heard: Sequence[FeatureRow]) -> tuple[dict[str, Words], list[Reject]]:
        found: dict[str, Words] = {row.id: () for row in heard}  # of those without a 30 ms frame
        rejects: list[Reject] = []
        frames = [stack(row.frames) for row in heard]
        for index, posteriors in log_posteriors(self.recogniser.model, frames, BATCH_FRAMES):
            name = heard[index].id
            try:
                found[name] = self.recogniser.words(posteriors)
            except ValueError as error:
                del found[name]
                rejects.append(rejected(name, error))
        return found, rejects
