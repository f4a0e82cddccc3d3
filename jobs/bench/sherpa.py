"""Whether sherpa-onnx recognises the same words with an exported model as the engine does, and how fast both are.

`python -m jobs.bench.sherpa BUNDLE FOLDER READER:PATH` takes a bundle, what `ssl-asr export --for sherpa-onnx` made
of the same model, and transcribed speech. Every utterance is a new speaker for both. It prints in how many utterances
the words are equal, and for both the word error rate and the seconds of audio a second of one core; then one JSON
object as the last line.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.bench.recorded import audio_of
from ssl_asr.evaluation.scoring import Edits, count_edits
from ssl_asr.evaluation.transcribed_set import read_transcribed_set
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.exporting.sherpa.export import PROGRAM

Recognise = Callable[[npt.NDArray[np.float32]], list[str]]


@dataclass(frozen=True)
class Found:
    utterances: int
    equal: int
    wer_engine: float
    wer_sherpa: float
    x_real_time_engine: float
    x_real_time_sherpa: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("test", metavar="READER:PATH")
    options = parser.parse_args()
    try:
        engine = Engine.open(options.bundle)
        utterances = read_transcribed_set(options.test, engine.language.alphabet).utterances
    except ValueError as error:
        sys.exit(f"sherpa: {error}")
    rate = engine.sample_rate
    spoken = ((audio_of(each, rate), (each.text or "").split()) for each in utterances)
    found = compare(spoken, of_engine(engine), of_sherpa(options.folder, rate), rate)
    print(f"equal words in {found.equal} of {found.utterances} utterances")
    print(f"engine: WER {100 * found.wer_engine:.2f} %, {found.x_real_time_engine:.0f} x real time")
    print(f"sherpa: WER {100 * found.wer_sherpa:.2f} %, {found.x_real_time_sherpa:.0f} x real time")
    print(json.dumps(asdict(found)))


def of_engine(engine: Engine) -> Recognise:
    def recognise(samples: npt.NDArray[np.float32]) -> list[str]:
        return [word.word for final in engine.recognise(samples, confidences=False) for word in final.words]

    return recognise


def of_sherpa(folder: Path, rate: int) -> Recognise:
    program: dict[str, Any] = runpy.run_path(str(folder / PROGRAM))
    made, words = program["recogniser"](folder), program["words_of"](folder)
    return lambda samples: [words[number] for number in program["recognise"](made, samples, rate).words]


def compare(
    spoken: Iterable[tuple[npt.NDArray[np.float32], list[str]]], engine: Recognise, sherpa: Recognise, rate: int
) -> Found:
    utterances, equal, seconds = 0, 0, 0.0
    edits, spent = [Edits(), Edits()], [0.0, 0.0]
    for samples, said in spoken:
        words = []
        for number, recognise in enumerate((engine, sherpa)):
            began = time.perf_counter()
            words.append(recognise(samples))
            spent[number] += time.perf_counter() - began
            edits[number] += count_edits(said, words[number])
        utterances, equal, seconds = utterances + 1, equal + (words[0] == words[1]), seconds + len(samples) / rate
    rates = [each.word_error_rate for each in edits]
    return Found(utterances, equal, *rates, *(seconds / each for each in spent))


if __name__ == "__main__":
    main()
