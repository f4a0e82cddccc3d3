"""A language of seven words, small enough to reason about, with a homophone and a word that begins another."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch

from ssl_asr.decoding.decoder import DecodingGraph
from ssl_asr.decoding.graph import build_graph
from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.frontend.statistics import sums_of
from ssl_asr.hmm.senones import SenoneSet, load_senones, save_senones
from ssl_asr.lang.fst_arrays import from_numpy
from ssl_asr.lang.lexicon import Lexicon, write_lexicon
from ssl_asr.lang.ngram import Vocabulary, estimate_arpa, vocabulary_of
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import save_model
from ssl_asr.recipe import LstmNetwork, Recipe, load_recipe
from ssl_asr.runtime.stage_report import StageReport
from ssl_asr.store import alignments, features, filesystem, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.store.utterance import Utterance
from tests.in_process import placed_here
from tests.pinned import PINNED

PRONUNCIATIONS = {
    "a": [["AH"], ["EY"]],
    "cat": [["K", "AE", "T"]],
    "cats": [["K", "AE", "T", "S"]],
    "sat": [["S", "AE", "T"]],
    "to": [["T", "UW"], ["T", "AH"]],
    "two": [["T", "UW"]],
    "silent": [["S", "AY"]],
    "unheard": [["ER"]],
}
LEXICON = Lexicon({word: tuple(map(tuple, ways)) for word, ways in PRONUNCIATIONS.items()}, ENGLISH)
TEXT = ["a cat sat", "two cats sat", "two cats sat", "a cat sat to two cats", "cats sat to a cat", "silent"]


@dataclass(frozen=True)
class Toy:
    vocabulary: Vocabulary
    graph: DecodingGraph
    table: np.ndarray
    lexicon: Lexicon
    text: Sequence[str]

    def senones(self, phones: str) -> list[int]:
        """Of phones in a row, silence around them."""
        ids = [0, *(ENGLISH.ids[phone] for phone in phones.split()), 0]
        return [int(self.table[window]) for window in zip(ids, ids[1:], ids[2:], strict=False)]

    def posteriors(self, phones: str, frames: int = 3, sure: float = 0.9) -> np.ndarray:
        """Log posteriors [frames x phones, senones] of a network that hears exactly these phones in a row."""
        senones = np.repeat(self.senones(phones), frames)
        size = int(self.table.max()) + 1
        posteriors = np.full((len(senones), size), (1 - sure) / size, np.float32)
        posteriors[np.arange(len(senones)), senones] += sure
        return np.log(posteriors)


def tied_table(senones: int) -> np.ndarray:
    """A pseudo-random tying of triphones in which phones share senones, as a tree's may; silence alone is 0."""
    count = len(ENGLISH)
    table = np.random.default_rng(0).integers(1, senones, (count, count, count))
    table[:, 0, :] = 0
    return table


@pytest.fixture(scope="session")
def toy() -> Toy:
    vocabulary = vocabulary_of(TEXT, PRONUNCIATIONS)
    table = tied_table(5000)
    arrays = build_graph(vocabulary, LEXICON, estimate_arpa(TEXT, 3), table)
    graph = DecodingGraph(from_numpy(*arrays), vocabulary.words, int(arrays[3]["ilabel"].max()))
    return Toy(vocabulary, graph, table, LEXICON, TEXT)


# A run of which every part upstream of decoding is written by hand: each phone has a code in feature space.
CODES = np.random.default_rng(7).normal(size=(len(ENGLISH), 64)).astype(np.float32)
FRAMES = 9  # 10 ms frames of a phone


@dataclass(frozen=True)
class Spoken:
    """`phones` are what is heard, `text` what the manifest says."""

    id: str
    text: str | None
    phones: str
    condition: str = "clean"
    noise: float = 0.3


def pronounced(text: str) -> str:
    return " ".join(["SIL", *(phone for word in text.split() for phone in PRONUNCIATIONS[word][0]), "SIL"])


def publish(run: str, split: str, number: int, slabs: Sequence[Sequence[Spoken]], senone_set: str) -> None:
    """One shard of manifest, features and alignments."""
    shard = Shard(split, number)
    said, heard, aligned, counts = [], [], [], []
    for slab in slabs:
        labels = [
            np.repeat([ENGLISH.ids[phone] for phone in each.phones.split()], FRAMES).astype(np.uint16)
            for each in slab
        ]
        counts.append(sum(map(len, labels)))
        said.append(utterance.encode([_utterance(each) for each in slab]))
        heard.append(features.encode([_features(*pair) for pair in zip(slab, labels, strict=True)]))
        aligned.append(alignments.encode([each.id for each in slab], labels))
    for name, schema, tables in (
        (utterance.STORE, utterance.SCHEMA, said),
        (features.STORE, features.SCHEMA, heard),
        (alignments.store_name(senone_set), alignments.SCHEMA, aligned),
    ):
        statistics = _sums(tables) if name == features.STORE else {}
        ShardStore(run, name).publish(
            shard, schema, tables, counts, seconds=1.0, parents={}, metadata={}, statistics=statistics
        )


def _sums(tables: Sequence[pa.Table]) -> dict[str, object]:
    rows = [row.frames for table in tables for row in features.decode(table, 64)]
    return dict(sums_of(rows, 64).to_statistics())


def _utterance(spoken: Spoken) -> Utterance:
    return Utterance(
        spoken.id,
        "toy.wav",
        "toy",
        0,
        1.0,
        text=spoken.text,
        condition=spoken.condition,
        recording=spoken.id.partition("@")[0],
        tags={"set": spoken.id[:3]},
    )


def _features(spoken: Spoken, labels: np.ndarray) -> features.FeatureRow:
    generator = np.random.default_rng(list(spoken.id.encode()))
    frames = CODES[labels] + spoken.noise * generator.normal(size=(len(labels), 64)).astype(np.float32)
    return features.FeatureRow(spoken.id, "toy", spoken.condition, frames)


def trained(steps: int, look_ahead: int) -> AcousticModel:
    """A small network that has learned the phones' codes, the better the more steps."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    generator = np.random.default_rng(1)
    model = AcousticModel(
        ModelSpec(LstmNetwork(layers=1, units=24, look_ahead=look_ahead, dropout=0.0), 192, len(ENGLISH))
    )
    optimiser = torch.optim.Adam(model.parameters(), 2e-2)
    for _ in range(steps):
        labels = np.repeat(generator.integers(0, len(ENGLISH), (8, 10)), 3, axis=1)
        frames = CODES[np.repeat(labels, 3, axis=1)] + 0.3 * generator.normal(size=(8, 90, 64))
        inputs = torch.from_numpy(frames.astype(np.float32).reshape(8, 30, 192))
        logits = model(inputs, torch.full((8,), 30))[:, look_ahead:]
        targets = torch.from_numpy(labels[:, : 30 - look_ahead])
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, len(ENGLISH)), targets.reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


DEV = [Spoken(f"dev{n}", text, pronounced(text)) for n, text in enumerate(TEXT)]
TEST = [
    Spoken(f"{set_}{n}{at}", text, pronounced(text), condition or "clean", noise)
    for set_ in ("bob", "joe")
    for condition, at, noise in ((None, "", 0.3), ("room", "@room", 1.5))
    for n, text in enumerate(TEXT)
]
ODD = [
    Spoken("odd-empty-text", "", "SIL SIL"),
    Spoken("odd-unknown-word", "a zyzzyva sat", pronounced("a cat sat")),
    Spoken("odd-nan", "a cat sat", pronounced("a cat sat"), noise=float("nan")),
    Spoken("odd-no-frame", "a cat", ""),
    Spoken("odd-no-text", None, pronounced("a cat")),
]


def toy_recipe(run: Path) -> Recipe:
    settings = ["evaluate.kappas=[0.0001, 0.5]", "evaluate.bootstrap=100", "evaluate.lattices=true"]
    settings.append("corpus.max_reject_share=0.5")
    return load_recipe("demo", [f"run={run}", *PINNED, *settings])


@pytest.fixture(scope="session")
def unevaluated(tmp_path_factory: pytest.TempPathFactory, toy_models: Mapping[str, AcousticModel]) -> Path:
    """A run that lacks nothing but its evaluation: two slabs of dev, two shards of test, three models."""
    run = tmp_path_factory.mktemp("toy")
    table = np.broadcast_to(np.arange(len(ENGLISH), dtype=np.uint16)[None, :, None], (len(ENGLISH),) * 3).copy()
    senones = SenoneSet(ENGLISH, table, np.full(len(ENGLISH), 100.0))
    save_senones(str(run), senones)
    write_lexicon(str(run), LEXICON)
    filesystem.write_bytes(str(run / "corpus" / "lm_text.txt"), "\n".join(TEXT).encode())
    publish(str(run), "dev", 0, [DEV[:3], DEV[3:]], senones.id)
    publish(str(run), "test", 0, [TEST[:6], TEST[6:12]], senones.id)
    publish(str(run), "test", 1, [TEST[12:], ODD], senones.id)
    for name, model in toy_models.items():
        save_model(model_uri(str(run), name), model, {"senone_set": senones.id})
    return run


@pytest.fixture(scope="session")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory, unevaluated: Path, ray_local: None
) -> tuple[Recipe, StageReport]:
    """The same run after its evaluation, with what the stage reported; not to be changed."""
    run = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(unevaluated, run)
    recipe = toy_recipe(run)
    return recipe, run_evaluate(recipe)


@pytest.fixture(scope="session")
def decoded(tmp_path_factory: pytest.TempPathFactory, unevaluated: Path) -> Recipe:
    """The same after an evaluation without Ray; not to be changed.

    The manifest names the audio without a folder, so only from the run's parent can it be read.
    """
    folder = tmp_path_factory.mktemp("decoded")
    shutil.copytree(unevaluated, folder / "run")
    soundfile.write(folder / "toy.wav", np.random.default_rng(1).normal(0, 0.1, 8000), 8000)
    recipe = toy_recipe(folder / "run")
    with placed_here():
        run_evaluate(recipe)
    return recipe


@pytest.fixture(scope="session")
def confident(tmp_path_factory: pytest.TempPathFactory, unevaluated: Path) -> Recipe:
    """The same with more dev speech, half of it noisy and with other texts: right and wrong words for a curve."""
    folder = tmp_path_factory.mktemp("confident")
    shutil.copytree(unevaluated, folder / "run")
    soundfile.write(folder / "toy.wav", np.random.default_rng(1).normal(0, 0.1, 8000), 8000)
    heard = 5 * TEXT
    more = [
        Spoken(f"dev-{n}", TEXT[(n + n % 2) % len(TEXT)], pronounced(text), noise=1.5 + n % 2)
        for n, text in enumerate(heard)
    ]
    publish(str(folder / "run"), "dev", 1, [more], load_senones(str(folder / "run")).id)
    recipe = toy_recipe(folder / "run")
    with placed_here():
        run_evaluate(recipe)
    return recipe


@pytest.fixture
def toy_run(unevaluated: Path, tmp_path: Path) -> Recipe:
    """A copy of the run before its evaluation, to damage."""
    shutil.copytree(unevaluated, tmp_path / "run")
    return toy_recipe(tmp_path / "run")


@pytest.fixture
def evaluated_run(evaluated: tuple[Recipe, StageReport], tmp_path: Path) -> Recipe:
    """A copy of the run after its evaluation, to change."""
    shutil.copytree(evaluated[0].run, tmp_path / "run")
    return toy_recipe(tmp_path / "run")


@pytest.fixture(scope="session")
def toy_models() -> Mapping[str, AcousticModel]:
    good = trained(120, look_ahead=1)
    return {"baseline": trained(4, look_ahead=1), "teacher": good, "student": good}
