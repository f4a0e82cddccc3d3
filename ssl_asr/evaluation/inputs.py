"""What an evaluation needs from the run: its models, the slabs of a split and their reference texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ssl_asr.corpus.split_records import read_record
from ssl_asr.decoding.graph_files import GraphInfo, graph_inputs, graph_language
from ssl_asr.decoding.slab_words import VERSION as WORDS_VERSION
from ssl_asr.decoding.slabs import Slab, System
from ssl_asr.evaluation.turns.slabs import ConversationSystem
from ssl_asr.frontend.conversations import VERSION as CONVERSATIONS_VERSION
from ssl_asr.hmm.senones import SenoneSet
from ssl_asr.models.model_files import model_id
from ssl_asr.models.systems import evaluated, stage_of
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest, inputs_key, non_defaults
from ssl_asr.store import alignments, features, filesystem, utterance
from ssl_asr.store.ledger import checksum
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.store.utterance import Utterance
from ssl_asr.store.weights import read_weights
from ssl_asr.transducer.ngram_files import ngram_key
from ssl_asr.transducer.slabs import TransducerSystem

_CONVERSATIONS = "evaluate.conversations."

VERSION = "2"  # raise where equal inputs give other hypotheses, and so other results
TRANSDUCED_VERSION = "4"  # raise where equal inputs give other words of a transducer, or more about them
RESULTS_VERSION = "4"  # raise where equal hypotheses give other results
TRANSDUCERS_VERSION = "2"  # the same of the results of transducers
CONVERSATION_RESULTS_VERSION = "3"  # the same of transducers of conversations


def check_models(recipe: Recipe, senones: SenoneSet) -> None:
    """ValueError naming the first model that is missing or was trained for other senones."""
    for name in evaluated(recipe):
        check_model(recipe.run, name, senones)


def check_model(run: str, name: str, senones: SenoneSet) -> None:
    """ValueError if the model is missing or was trained for other senones."""
    uri = model_uri(run, name)
    if not filesystem.exists(uri):
        raise ValueError(f"{uri} is missing; run the {stage_of(name)} stage first")
    _, about = read_weights(uri)
    if about.get("senone_set") != senones.id:
        raise ValueError(
            f"{uri} was trained for senone set {about.get('senone_set')}, the run's is {senones.id}; "
            f"run the {stage_of(name)} stage again"
        )


def language_inputs(recipe: Recipe) -> dict[str, str]:
    """What the decoding graph of a given text and senone set depends on."""
    return graph_language(recipe, recipe.evaluate.lm_order)


def result_inputs(recipe: Recipe, senones: SenoneSet, dev: Sequence[Slab], test: Sequence[Slab]) -> dict[str, str]:
    """What the results depend on. What was said is part of the features' own inputs."""
    content = {
        split: digest([f"{slab.shard.name}/{slab.number} {slab.parents}" for slab in found])
        for split, found in (("dev", dev), ("test", test))
    }
    graph = graph_inputs(recipe.run, senones.id, language_inputs(recipe))
    return {
        **graph,
        "version": f"{VERSION}, results {RESULTS_VERSION}, graph {graph['version']}",
        **{name: model_id(model_uri(recipe.run, name)) for name in evaluated(recipe)},
        **_transduced(recipe),
        **content,
        "priors": checksum(senones.log_priors().tobytes()),
        **non_defaults(recipe, "hypotheses"),
        **non_defaults(recipe, "results"),
        **({"lattice version": WORDS_VERSION} if recipe.evaluate.lattices else {}),
        **({"rejected": str(rejected)} if (rejected := _rejected(recipe, "test")) else {}),
    }


def listed_utterances(recipe: Recipe, split: str, known: Iterable[Utterance]) -> int:
    """How many utterances the split's source lists, rejects among them; `known` are those of the manifest."""
    return _rejected(recipe, split) + len({each.recording for each in known})


def _rejected(recipe: Recipe, split: str) -> int:
    record = read_record(recipe.run, split)
    return 0 if record is None else record.rejected


def describe_system(recipe: Recipe, name: str, graph: GraphInfo, senones: SenoneSet) -> System:
    """The model with the search's settings; its key is a hash of everything that its hypotheses depend on."""
    settings = recipe.evaluate
    inputs = {
        "version": VERSION,
        "model": model_id(model_uri(recipe.run, name)),
        "graph": graph.checksum,
        "priors": checksum(senones.log_priors().tobytes()),
        **non_defaults(recipe, "hypotheses"),
    }
    return System(
        run=recipe.run,
        name=name,
        key=inputs_key(inputs),
        graph=graph.key,
        alignment_set=senones.alignment_set,
        mel_bins=recipe.frontend.mel_bins,
        beam=settings.beam,
        max_active=settings.max_active,
        batch_frames=settings.batch_frames,
    )


def describe_transducer(recipe: Recipe, name: str) -> TransducerSystem:
    """ValueError if it is not trained yet."""
    search = recipe.transducers[name].search
    ngram = ngram_key(recipe.run, name, search.lm_order) if search.lm_weight else ""
    inputs = _transducer_inputs(recipe, name) | ({"n-gram": ngram} if ngram else {})
    sizes = (recipe.frontend.mel_bins, recipe.evaluate.batch_frames)
    return TransducerSystem(recipe.run, name, inputs_key(inputs), *sizes, search, ngram)


def describe_conversations(recipe: Recipe, name: str) -> ConversationSystem:
    """Of a transducer of conversations; ValueError if it is not trained yet."""
    fields = non_defaults(recipe, "transducer-words")
    inputs = {
        **_transducer_inputs(recipe, name),
        **{path: value for path, value in fields.items() if path.startswith(_CONVERSATIONS)},
        "conversations version": CONVERSATIONS_VERSION,
        "seed": str(recipe.seed),
    }
    return ConversationSystem(recipe, name, inputs_key(inputs))


def _transducer_inputs(recipe: Recipe, name: str) -> dict[str, str]:
    uri, own = model_uri(recipe.run, name), f"transducers.{name}."
    if not filesystem.exists(uri):
        raise ValueError(f"{uri} is missing; run the transducers stage first")
    fields = non_defaults(recipe, "transducer-words")
    return {
        "version": TRANSDUCED_VERSION,
        "model": model_id(uri),
        "batch_frames": str(recipe.evaluate.batch_frames),
        **{path.removeprefix(own): value for path, value in fields.items() if path.startswith(own)},
    }


def _transduced(recipe: Recipe) -> dict[str, str]:
    """What transducers recognise; the others are compared with the first.

    Conversations hold what the manifest says of the turns.
    """
    found: dict[str, str] = {}
    if names := recipe.utterance_transducers:
        keys = {f"transducer {name}": describe_transducer(recipe, name).key for name in names}
        found = {"transducers": ", ".join(names), "transducers' results version": TRANSDUCERS_VERSION, **keys}
    if conversing := recipe.conversation_transducers:
        listed = ShardStore(recipe.run, utterance.STORE).index("test")
        found["test manifest"] = digest(listed.column("checksum").tolist())
        found["conversation results version"] = CONVERSATION_RESULTS_VERSION
        found |= {f"conversations {name}": describe_conversations(recipe, name).key for name in conversing}
    return found


def split_slabs(recipe: Recipe, split: str, senones: SenoneSet) -> list[Slab]:
    """All slabs of the split's features, in order; ValueError if there is none."""
    slabs = []
    aligned = ShardStore(recipe.run, alignments.store_name(senones.alignment_set))
    for entry in ShardStore(recipe.run, features.STORE).entries(split):
        parents = {"features": entry.checksum}
        if (alignment := aligned.entry(entry.shard)) is not None:
            parents["alignments"] = alignment.checksum
        slabs += [Slab(entry.shard, number, parents) for number in range(len(entry.slabs))]
    if not slabs:
        raise ValueError(f"{recipe.run} has no features of the {split} split; run the frontend stage first")
    return slabs


def references(recipe: Recipe, split: str) -> dict[str, Utterance]:
    """The split's utterances by id; ValueError if none has a text."""
    store = ShardStore(recipe.run, utterance.STORE)
    found = [
        each
        for entry in store.entries(split)
        for slab in range(len(entry.slabs))
        for each in utterance.decode(store.read_slab(entry.shard, slab))
    ]
    if all(each.text is None for each in found):
        raise ValueError(f"no utterance of the {split} split has a text to score against; check corpus.{split}")
    return {each.id: each for each in found}
