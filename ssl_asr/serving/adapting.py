"""An engine as a user asks for it, perhaps with bonuses for words and phrases, or with another language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ssl_asr.decoding.decoder import DecodingGraph
from ssl_asr.decoding.graph import build_graph
from ssl_asr.hmm.transitions import Arrays
from ssl_asr.lang.fst_arrays import from_numpy, to_numpy
from ssl_asr.lang.ngram import Vocabulary
from ssl_asr.serving.arpa import arpa_words, check_arpa
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.graph import check_graph
from ssl_asr.serving.hotwords import Phrase, boosted, read_hotwords, unknown_words
from ssl_asr.serving.senone_engine import SenoneEngine
from ssl_asr.store import filesystem


@dataclass(frozen=True)
class EngineOptions:
    """`bundle` is a folder; `hotwords` and `lm` are paths or URIs of texts, `lm` of an n-gram in ARPA form."""

    bundle: str
    int8: bool = False
    hotwords: str | None = None
    lm: str | None = None


def open_engine(options: EngineOptions, warn: Callable[[str], None]) -> Engine:
    """`warn` is told which words of the user's can't be recognised. ValueError if a file is missing or wrong."""
    engine = Engine.open(options.bundle, quantised=options.int8)
    return _adapted(engine, options, warn) if options.lm or options.hotwords else engine


def _adapted(engine: Engine, options: EngineOptions, warn: Callable[[str], None]) -> SenoneEngine:
    if not isinstance(engine, SenoneEngine):
        wanted = "--lm" if options.lm else "--hotwords"
        raise ValueError(f"{options.bundle} is a transducer's bundle, which has no graph for {wanted}; leave it out")
    if options.lm:
        engine, unknown = with_language_model(engine, _text(options.lm), options.lm)
        if unknown:
            warn(f"{options.lm}: {unknown} of its words are not in the bundle's lexicon and can't be recognised")
    if options.hotwords:
        phrases = read_hotwords(_text(options.hotwords), options.hotwords, engine.language.alphabet)
        for word in unknown_words(phrases, engine.graph.words):
            warn(f"{options.hotwords}: '{word}' is not in the vocabulary, so lines with it have no effect")
        engine = with_hotwords(engine, phrases)
    return engine


def _text(uri: str) -> str:
    if not filesystem.exists(uri):
        raise ValueError(f"there is no file {uri}; correct its name")
    try:
        return filesystem.read_bytes(uri).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{uri} is not UTF-8 text; convert it") from error


def with_hotwords(engine: SenoneEngine, phrases: Mapping[Phrase, float]) -> SenoneEngine:
    """The same but for the bonus of each phrase; those with an unknown word have no effect."""
    words = engine.graph.words
    return _with_graph(engine, boosted(to_numpy(engine.graph.fst), words, phrases), words)


def with_language_model(engine: SenoneEngine, arpa: str, place: str) -> tuple[SenoneEngine, int]:
    """The engine with this n-gram in ARPA form, and how many of its words it can't recognise.

    Words are those of the n-gram that are in the bundle's lexicon. The acoustic scale stays the bundle's. ValueError
    if `place` holds no such n-gram.
    """
    listed = arpa_words(arpa, place)
    vocabulary = Vocabulary(tuple(sorted(listed & set(engine.lexicon.pronunciations))))
    if not vocabulary.words:
        raise ValueError(f"{place} has none of the bundle's words; give an n-gram of lower-case words")
    check_arpa(arpa, vocabulary, place)
    try:
        arrays = build_graph(vocabulary, engine.lexicon, arpa, engine.senones.table)
        check_graph(*arrays, senones=engine.network.shape.outputs, words=len(vocabulary.words))
    except ValueError as error:
        raise ValueError(f"{place} makes a graph that can't be searched ({error}); estimate it again") from None
    return _with_graph(engine, arrays, vocabulary.words), len(listed) - len(vocabulary.words)


def _with_graph(engine: SenoneEngine, arrays: Arrays, words: tuple[str, ...]) -> SenoneEngine:
    return replace(engine, graph=DecodingGraph(from_numpy(*arrays), words, int(arrays[3]["ilabel"].max(initial=0))))
