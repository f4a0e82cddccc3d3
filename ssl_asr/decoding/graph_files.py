"""A decoding graph stored in the run, built once for each lexicon, language model and senone set.

`decoding/graphs/<key>/` holds `HCLG.fst` (OpenFst, const), `words.txt` and, written last, `graph.json`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import kaldifst

from ssl_asr.decoding.decoder import DecodingGraph
from ssl_asr.decoding.graph import build_graph
from ssl_asr.hmm.lexicon_stage import pronunciation_inputs
from ssl_asr.hmm.senones import load_senones
from ssl_asr.lang.fst_arrays import serialise
from ssl_asr.lang.kneser_ney import write_arpa
from ssl_asr.lang.lexicon import read_lexicon
from ssl_asr.lang.ngram import Vocabulary, vocabulary_of
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, inputs_key, non_defaults
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.large_files import file_checksum, lines_of
from ssl_asr.store.ledger import checksum
from ssl_asr.store.results_layout import graph_uri

VERSION = "1"  # raise where equal inputs give another graph


@dataclass(frozen=True)
class GraphInfo:
    """`max_label` is the largest senone + 1 on an arc: the columns that scores must have."""

    key: str
    checksum: str
    words: int
    states: int
    arcs: int
    max_label: int


def graph_language(recipe: Recipe, lm_order: int) -> dict[str, str]:
    """What the graph of a given text and senone set depends on, with an n-gram of this order."""
    chosen = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"lm_order": lm_order})})
    return {**pronunciation_inputs(recipe), **non_defaults(chosen, "graph")}


def graph_inputs(run: str, senone_set: str, language: Inputs, text: str | None = None) -> dict[str, str]:
    """What a graph is made from; `language` says how words are pronounced and the order of the n-gram.

    `text` is the checksum of the n-gram's text; None: of the run's.
    """
    text = file_checksum(lm_text_uri(run)) if text is None else text
    return {"version": VERSION, "language text": text, "senones": senone_set, **language}


def read_info(run: str, key: str) -> GraphInfo | None:
    """The facts of the graph; None if it is not built."""
    uri = graph_uri(run, key, "graph.json")
    return GraphInfo(**json.loads(filesystem.read_bytes(uri))) if filesystem.exists(uri) else None


def make_graph(
    run: str, order: int, inputs: Inputs, sentences: Callable[[], Iterable[str]] | None = None
) -> GraphInfo:
    """Build and publish the graph of the run's lexicon and senones and of a text, unless it is there.

    `sentences` are those of the text whose checksum is in `inputs`, gone through twice; None: those of the run.
    """
    key = inputs_key(inputs)
    if (found := read_info(run, key)) is not None:
        return found
    sentences = sentences or partial(lines_of, lm_text_uri(run))
    lexicon = read_lexicon(run)
    vocabulary = vocabulary_of(sentences(), lexicon.pronunciations)
    with tempfile.TemporaryDirectory() as folder:
        arpa = Path(folder, "lm.arpa")
        with arpa.open("w", encoding="utf-8") as file:
            write_arpa(sentences(), order, file)
        arrays = build_graph(vocabulary, lexicon, arpa, load_senones(run).table)
    fst = serialise(*arrays)
    _, final, _, arcs = arrays
    info = GraphInfo(
        key, checksum(fst), len(vocabulary.words), len(final), len(arcs), int(arcs["ilabel"].max(initial=0))
    )
    filesystem.write_bytes(graph_uri(run, key, "HCLG.fst"), fst)
    filesystem.write_bytes(graph_uri(run, key, "words.txt"), "".join(f"{w}\n" for w in vocabulary.words).encode())
    filesystem.write_bytes(graph_uri(run, key, "graph.json"), json.dumps(asdict(info), indent=1).encode())
    return info


def read_graph(run: str, info: GraphInfo) -> bytes:
    """The content of the graph's file; ValueError naming it if it is damaged."""
    uri = graph_uri(run, info.key, "HCLG.fst")
    data = filesystem.read_bytes(uri)
    if checksum(data) != info.checksum:
        raise ValueError(f"{uri} is damaged; delete its folder and run the stage that asked for it again")
    return data


def load_graph(run: str, key: str) -> DecodingGraph:
    """The graph for decoding; ValueError naming the file if it is damaged."""
    info = read_info(run, key)
    if info is None:
        raise ValueError(f"{graph_uri(run, key, 'graph.json')} is missing; run the stage that asked for it again")
    data = read_graph(run, info)
    with tempfile.TemporaryDirectory() as folder:  # OpenFst reads only from disk
        path = Path(folder) / "HCLG.fst"
        path.write_bytes(data)
        fst = kaldifst.StdConstFst.read(str(path))
    words = read_vocabulary(run, key).words
    return DecodingGraph(fst, words, info.max_label)


def read_vocabulary(run: str, key: str) -> Vocabulary:
    return Vocabulary(tuple(filesystem.read_bytes(graph_uri(run, key, "words.txt")).decode().split()))
