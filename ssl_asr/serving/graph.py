"""The bundle's decoding graph and lexicon, checked so that no search can read past them or run for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from ssl_asr.decoding.decoder import DecodingGraph
from ssl_asr.hmm.senones import SILENCE_SENONE, table_id
from ssl_asr.lang.fst_arrays import from_numpy, parse, serialise
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import ENGLISH, PhoneSet
from ssl_asr.serving.bundle import Bundle, read_numbered, read_text
from ssl_asr.serving.description import (
    GRAPH,
    LEXICON,
    PHONES,
    SENONES,
    WORDS,
    Description,
    SenoneDescription,
)

TABLE, LOG_PRIORS = "table", "log_priors"
NO_WORD = "<eps>"  # word 0 of Kaldi's words.txt
_CYCLIC = 0x400000000  # OpenFst's kCyclic (fst/properties.h)


@dataclass(frozen=True, eq=False)
class SenoneTable:
    """`table` [left, centre, right] is the senone of every triphone; `log_priors` [senones]."""

    table: npt.NDArray[np.uint16]
    log_priors: npt.NDArray[np.float32]


def read_phones(bundle: Bundle[Description]) -> PhoneSet:
    """The phones of lexicon and senones: cmudict's in a bundle of an earlier version, which has none of its own."""
    if PHONES not in bundle.description.files:
        return ENGLISH
    try:
        return PhoneSet.from_text(read_text(bundle, PHONES), str(bundle.path(PHONES)))
    except ValueError as error:
        raise ValueError(f"{error}; export the bundle again") from None


def read_senones(bundle: Bundle[SenoneDescription], phones: PhoneSet) -> SenoneTable:
    """ValueError where they are not those that the model was trained for."""
    place, description = bundle.path(SENONES), bundle.description
    try:
        tensors = load(bundle.read(SENONES))
        table, log_priors = tensors[TABLE], tensors[LOG_PRIORS]
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{place} is no senone table ({error}); export the bundle again") from None
    size = description.network.senones
    if table.dtype != np.uint16 or table.shape != (len(phones),) * 3 or table.max() >= size:
        raise ValueError(
            f"{place} is not a table of {size} senones for {len(phones)} phones; export the bundle again"
        )
    if log_priors.dtype != np.float32 or log_priors.shape != (size,) or not np.isfinite(log_priors).all():
        raise ValueError(f"{place} has no log priors of {size} senones; export the bundle again")
    if table_id(phones, table) != description.senone_set or (table[:, 0] != SILENCE_SENONE).any():
        raise ValueError(
            f"{place} is of another senone set than the model, {description.senone_set}; export the bundle again"
        )
    return SenoneTable(table, log_priors)


def read_words(bundle: Bundle[Description]) -> tuple[str, ...]:
    """The words of ids 1, 2, ...; ValueError as `read_numbered`."""
    return read_numbered(bundle, WORDS, NO_WORD)[1:]


def read_lexicon(bundle: Bundle[Description], words: tuple[str, ...], phones: PhoneSet) -> Lexicon:
    """ValueError where a word has no pronunciation."""
    lexicon = Lexicon.from_text(read_text(bundle, LEXICON), phones, str(bundle.path(LEXICON)))
    if unknown := lexicon.unknown(words):
        raise ValueError(f"{bundle.path(LEXICON)} lacks the word '{unknown[0]}'; export the bundle again")
    return lexicon


def read_graph(bundle: Bundle[SenoneDescription], words: tuple[str, ...]) -> DecodingGraph:
    """ValueError where a search could leave the graph, its senones or its words."""
    place, data = bundle.path(GRAPH), bundle.read(GRAPH)
    try:
        arrays = parse(data)
        # The states' own counts are not trusted: they have to be those that we would write.
        if serialise(*arrays) != data:
            raise ValueError("its states and arcs do not fit each other")
        check_graph(*arrays, senones=bundle.description.network.senones, words=len(words))
    except ValueError as error:
        raise ValueError(f"{place} is no decoding graph of this model ({error}); export the bundle again") from None
    # Not read from the disk again, where the file may be another by now.
    return DecodingGraph(from_numpy(*arrays), words, int(arrays[3]["ilabel"].max(initial=0)))


def check_graph(
    start: int,
    final: npt.NDArray[np.float32],
    source: npt.NDArray[np.integer[Any]],
    arcs: npt.NDArray[np.void],
    *,
    senones: int,
    words: int,
) -> None:
    """ValueError where a search by scores of `senones` could leave the graph or its `words`, or not end."""
    ends = np.isfinite(final)
    if not 0 <= start < len(final) or not ends.any() or not (ends | (final == np.inf)).all():
        raise ValueError("its start or its final states are wrong")
    for name, most in (("nextstate", len(final) - 1), ("ilabel", senones), ("olabel", words)):
        if len(arcs) and (arcs[name].min() < 0 or arcs[name].max() > most):
            raise ValueError(f"an arc has the {name} {arcs[name].max()}, the largest possible is {most}")
    if not np.isfinite(arcs["weight"]).all():
        raise ValueError("a weight is not finite")
    silent = arcs["ilabel"] == 0
    if from_numpy(start, final, source[silent], arcs[silent]).properties(_CYCLIC, True) & _CYCLIC:
        raise ValueError("it has a cycle of arcs without senones, in which a search would not end")
