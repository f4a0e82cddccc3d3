"""One shard of hypotheses from one shard of unlabeled features, by a network and a decoding graph."""

from __future__ import annotations

import torch

from ssl_asr.decoding.decoder import Decoder
from ssl_asr.decoding.graph_files import load_graph
from ssl_asr.decoding.posteriors import log_posteriors
from ssl_asr.decoding.scores import Float32, Scales, acoustic_scores
from ssl_asr.decoding.slabs import log_priors_of
from ssl_asr.decoding.word_finder import WordFinder
from ssl_asr.frontend.stacking import stack, stacked_length
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hypotheses.content import UnlabeledRow, Words, own_places, shard_content
from ssl_asr.hypotheses.sets import HypothesisSet, model_of
from ssl_asr.lang.lexicon import read_lexicon
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.shard_stage import ShardContent, ShardMaker, SourceShard
from ssl_asr.store import features
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.hypotheses import TimedWord
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

BATCH_FRAMES = 6000  # 30 ms frames of a batch of the network, with padding


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


class HypothesisJob(ShardMaker):
    """Holds network, graph and decoder; recognises and publishes shards. An actor keeps one job for its lifetime.

    The content of a shard depends on the shard alone. A degraded copy beside its clean recording is not recognised:
    its row stays empty, and whoever reads it takes the words of the recording. An utterance that can't be recognised
    is rejected, and its row has no words.
    """

    def __init__(self, recipe: Recipe, made: HypothesisSet) -> None:
        torch.set_num_threads(1)  # more cores run more actors, and sums are the same everywhere
        super().__init__(ShardStore(recipe.run, features.STORE), made.store)
        self._set, self._mel_bins = made, recipe.frontend.mel_bins
        self.recogniser = Recogniser(recipe, made.graph)

    def parents(self, source: SourceShard) -> dict[str, str]:
        return self._set.parents(source)

    def make(self, shard: Shard) -> ShardContent:
        """ValueError if the feature shard cannot be read."""
        slabs = [features.decode(table, self._mel_bins) for table in self.source.read_slabs(shard)]
        rows = [
            [UnlabeledRow(row.id, row.condition, stacked_length(len(row.frames))) for row in slab] for slab in slabs
        ]
        heard = [slab[place] for slab, mine in zip(slabs, rows, strict=True) for place in own_places(mine)]
        found, rejects = self._recognise(heard)
        return shard_content(rows, found, rejects)

    def _recognise(self, heard: list[FeatureRow]) -> tuple[dict[str, Words], list[Reject]]:
        """Words by utterance, and why others have none."""
        found: dict[str, Words] = {row.id: () for row in heard}  # of those without a 30 ms frame
        rejects: list[Reject] = []
        frames = [stack(row.frames) for row in heard]
        for index, posteriors in log_posteriors(self.recogniser.model, frames, BATCH_FRAMES):
            name = heard[index].id
            try:
                found[name] = self.recogniser.words(posteriors)
            except ValueError as error:
                del found[name]
                rejects.append(Reject(name, f"it can't be recognised: {error}"))
        return found, sorted(rejects, key=lambda reject: reject.id)
