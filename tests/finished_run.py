"""A finished run made in seconds without Ray: real shards and small files, each with what it was made from.

The corpus, the features, the lexicon and the targets are made by the functions that the stages use. Flat start,
senones, alignments, networks and results are made up: nothing here is trained, aligned or decoded.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ssl_asr.corpus.stage import run_corpus
from ssl_asr.evaluation.inputs import result_inputs, split_slabs
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.frontend.prior import measure_prior
from ssl_asr.frontend.shard_job import FeatureJob
from ssl_asr.frontend.stacking import STACK
from ssl_asr.hmm.aligned_set import set_inputs
from ssl_asr.hmm.alignment_job import alignment_parents
from ssl_asr.hmm.flat_model import FlatModel, write_model
from ssl_asr.hmm.lexicon_stage import ensure_lexicon
from ssl_asr.hmm.mixtures import Mixtures
from ssl_asr.hmm.senones import SenoneSet, save_senones
from ssl_asr.hmm.stage import SPLITS as ALIGNED
from ssl_asr.hmm.training import hmm_inputs, read_trained
from ssl_asr.hmm.tree import write_table
from ssl_asr.labelling.shard_job import LabelJob
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import MADE_FROM, save_model
from ssl_asr.models.systems import ModelName
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.runtime.pipeline import wanted_stages
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.runtime.shard_maker import source_of_entry
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.store import alignments, features, filesystem, utterance
from ssl_asr.store.hmm_layout import flat_start_uri, tree_uri
from ssl_asr.store.results_layout import page_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from tests.pinned import PINNED
from tests.report.example_run import example_results

TEXTS = {
    "labeled": ["a cat sat", "two cats sat", "cats sat to a cat", "a cat sat to two cats"],
    "unlabeled": ["two cats", "a cat", "cats sat", "sat to a cat"],
    "dev": ["two cats sat to a cat"],
    "test": ["cats sat", "a silent cat"],
}
SECONDS, RATE = 1.2, 8000


def write_source(folder: Path, split: str, texts: Sequence[str]) -> Path:
    """NeMo lines of a second of noise for each of `texts`, each of its own speaker."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, text in enumerate(texts):
        file = folder / f"{split}-{number}.wav"
        generator = np.random.default_rng([*text.encode(), number])
        soundfile.write(file, generator.normal(0, 0.1, round(SECONDS * RATE)), RATE)
        rows.append({"audio_filepath": file.name, "text": text, "speaker": f"{split}-{number}"})
    listing = folder / f"{split}.jsonl"
    listing.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return listing


def small_recipe(folder: Path) -> Recipe:
    """Two shards of labeled and of unlabeled speech, one of dev and two of test; `folder`/run is the run."""
    sources = {split: write_source(folder / "speech", split, texts) for split, texts in TEXTS.items()}
    small = [f"{name}.network.{key}" for name in ("teacher", "student") for key in ("layers=1", "units=4")]
    return load_recipe(
        "demo",
        [
            f"run={folder}/run",
            f"corpus.cache={folder}/cache",
            *PINNED,
            *(f"corpus.{split}=nemo:{listing}" for split, listing in sources.items()),
            "corpus.train_conditions=[clean]",
            "corpus.test_conditions=[clean, room]",
            "corpus.labeled_copies=0",
            "corpus.shard_minutes=0.04",
            "corpus.slab_minutes=0.02",
            "corpus.max_reject_share=1",
            "hmm.g2p_words=0",
            "labelling.k=5",
            *small,
        ],
    )


def finish_run(recipe: Recipe) -> None:
    """All that the recipe's stages would leave behind."""
    save_recipe(recipe)
    run_corpus(recipe)
    make_features(recipe)
    senones = _make_senones(recipe)
    _align(recipe, senones)
    save_senones(recipe.run, senones, set_inputs(recipe.run, senones.alignment_set))
    _make_model(recipe, "teacher", senones)
    job = LabelJob(recipe)
    for shard in ShardStore(recipe.run, features.STORE).shards("unlabeled"):
        job(shard)
    for name in ("baseline", "student"):
        _make_model(recipe, name, senones)
    dev, test = (split_slabs(recipe, split, senones) for split in ("dev", "test"))
    write_results(recipe.run, replace(example_results(), inputs=result_inputs(recipe, senones, dev, test)))
    filesystem.write_bytes(page_uri(recipe.run), b"a page")
    keys = {"labelling": target_set_id(recipe), "report": inputs_key(read_results(recipe.run).inputs)}
    for name in (stage.name for stage in wanted_stages(recipe)[1:]):
        StageClock(recipe, name, keys.get(name, "key")).finish(1, 0)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe of a finished run; not to be changed."""
    recipe, threads = small_recipe(tmp_path_factory.mktemp("finished")), torch.get_num_threads()
    try:
        finish_run(recipe)
    finally:
        torch.set_num_threads(threads)
    return recipe


@pytest.fixture
def finished_run(finished: Recipe, tmp_path: Path) -> Recipe:
    """A copy of it, whose speech may be changed too."""
    folder = Path(finished.run).parent
    shutil.copytree(finished.run, tmp_path / "run")
    shutil.copytree(folder / "speech", tmp_path / "speech")
    return finished.model_copy(update={"run": str(tmp_path / "run")})


def contents(run: str, *, caches: bool = False) -> dict[str, tuple[int, bytes]]:
    """Of every file by path: when it was written, and what it holds."""
    found = {}
    for folder, _, names in os.walk(run):
        for name in names:
            file = Path(folder, name)
            path = str(file.relative_to(run))
            if caches or not path.startswith("cache/"):
                found[path] = (file.stat().st_mtime_ns, file.read_bytes())
    return found


def make_features(recipe: Recipe) -> None:
    manifest = ShardStore(recipe.run, utterance.STORE)
    job = FeatureJob(recipe, measure_prior(recipe, manifest.shards("labeled")))
    for split in utterance.SPLITS:
        for shard in manifest.shards(split):
            job(shard)


def _make_senones(recipe: Recipe) -> SenoneSet:
    """A senone a phone."""
    ensure_lexicon(recipe)
    inputs, phones = hmm_inputs(recipe), len(ENGLISH)
    model = FlatModel(Mixtures(np.ones((1, 1)), np.zeros((1, 1, 2)), np.ones((1, 1, 2))), np.ones((117, 2)))
    write_model(flat_start_uri(recipe.run), model, [0.0], inputs.flat_start)
    table = np.broadcast_to(np.arange(phones, dtype=np.uint16)[None, :, None], (phones,) * 3).copy()
    write_table(tree_uri(recipe.run), table, inputs.senones)
    senones = SenoneSet(ENGLISH, table, np.full(phones, 100.0))
    save_senones(recipe.run, senones)
    return senones


def _align(recipe: Recipe, senones: SenoneSet) -> None:
    heard, store = ShardStore(recipe.run, features.STORE), ShardStore(recipe.run, alignments.store_name(senones.id))
    trained = read_trained(recipe.run, hmm_inputs(recipe))
    assert trained is not None
    for split in ALIGNED:
        for entry in heard.entries(split):
            slabs = [features.decode(slab, recipe.frontend.mel_bins) for slab in heard.read_slabs(entry.shard)]
            tables = [
                alignments.encode([row.id for row in slab], [np.ones(len(row.frames), np.uint16) for row in slab])
                for slab in slabs
            ]
            parents = alignment_parents(source_of_entry(entry), trained)
            store.publish(
                entry.shard,
                alignments.SCHEMA,
                tables,
                entry.slabs,
                seconds=entry.seconds,
                parents=parents,
                metadata={},
            )


def _make_model(recipe: Recipe, name: ModelName, senones: SenoneSet) -> None:
    from ssl_asr.training.inputs import model_inputs

    network = recipe.teacher.network if name == "teacher" else recipe.student.network
    model = AcousticModel(ModelSpec(network, recipe.frontend.mel_bins * STACK, senones.size))
    about = {"senone_set": senones.id, MADE_FROM: model_inputs(recipe, name)}
    save_model(model_uri(recipe.run, name), model, about)
