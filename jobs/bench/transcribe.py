"""How fast recordings are transcribed, how soon the first word is there, and how many words are wrong.

`python -m jobs.bench.transcribe RUN BUNDLE [--minutes N]` prints tables, then one JSON object as the last line. RUN
is an evaluated run, of whose test split N minutes of clean clips are recognised; BUNDLE is its student's. Speeds are
hours of audio in an hour of processor time of one core, after the models are loaded. Word errors are those of all
clips together. Confidences take a lattice of each clip. In one row the clips are one long recording with pauses,
which is cut by voice activity.

pocketsphinx hears the clips at 16 kHz with its English model, which was trained on far more and other speech: first
with its own n-gram and dictionary, then with the run's.

The first word is timed from the start of the program `ssl-asr transcribe BUNDLE CLIP` to the first text that it
writes, in seconds by the clock: the median of five starts, and one cold start, before which the files of the programs
and of the bundle are dropped from memory, as far as no other process uses them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import soundfile
from pocketsphinx import Decoder

from jobs.bench.recorded import audio_of, clips, talk
from jobs.bench.streaming_peers import as_16_bit
from ssl_asr.evaluation.scoring import Edits, count_edits
from ssl_asr.lang.lexicon import Lexicon, read_lexicon
from ssl_asr.lang.ngram import estimate_arpa
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.transcribing.inputs import AudioInput
from ssl_asr.serving.transcribing.transcriber import Transcriber
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.large_files import lines_of
from ssl_asr.store.utterance import Utterance

STARTS = 5
PEER_RATE = 16000
Recogniser = Callable[[Utterance], str]


@dataclass(frozen=True)
class Row:
    """What one system made of `seconds` of audio in `spent` seconds of processor time; no edits: not scored."""

    system: str
    seconds: float
    spent: float
    edits: Edits | None

    @property
    def x_real_time(self) -> float:
        return self.seconds / self.spent

    def line(self) -> str:
        errors = "" if self.edits is None else f"{100 * self.edits.word_error_rate:.1f}"
        return f"{self.system:<52}{self.seconds / 60:>9.1f}{self.x_real_time:>13.1f}{errors:>8}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="an evaluated run")
    parser.add_argument("bundle", metavar="BUNDLE", help="what `ssl-asr export` made of its student")
    parser.add_argument("--minutes", type=float, default=5.0, help="of test speech (default: 5)")
    options = parser.parse_args()
    try:
        recipe = open_recipe(options.run)
        chosen = clips(recipe, options.minutes)
        rows = measure(recipe, options.bundle, chosen)
    except ValueError as error:
        sys.exit(f"transcribe: {error}")
    print(f"{'one core':<52}{'minutes':>9}{'x real time':>13}{'WER %':>8}")
    print("\n".join(row.line() for row in rows))
    warm, cold = first_words(options.bundle, chosen)
    print(f"first word of a clip after {warm:.2f} s, cold {cold:.2f} s")
    speeds = {
        f"x_real_time{name}": round(row.x_real_time, 1) for name, row in zip(("", "_words"), rows, strict=False)
    }
    first = {"first_word_s": round(warm, 2), "first_word_cold_s": round(cold, 2)}
    errors = {"wer": word_error_rate(rows[0]), "wer_pocketsphinx": word_error_rate(rows[-2])}
    print(json.dumps({**speeds, **first, **errors}))


def measure(recipe: Recipe, bundle: str, chosen: Sequence[Utterance]) -> list[Row]:
    """Ours with confidences and without, as one recording, in int8; pocketsphinx with its words and ours."""
    with tempfile.TemporaryDirectory(prefix="ssl-asr-transcribe-") as folder:
        engine = Engine.open(bundle)
        return [
            scored("demo student, fp32, with confidences", by_engine(engine, True), chosen),
            scored("demo student, fp32", by_engine(engine, False), chosen),
            long_recording(engine, chosen, Path(folder, "long.flac")),
            scored("demo student, int8", by_engine(Engine.open(bundle, quantised=True), False), chosen),
            scored("pocketsphinx, its own words", by_pocketsphinx(Decoder(**QUIET)), chosen),
            scored("pocketsphinx, words of the run", by_pocketsphinx(with_words_of(recipe, folder)), chosen),
        ]


def scored(system: str, recognise: Recogniser, chosen: Sequence[Utterance]) -> Row:
    progress, spent, edits = Progress(system, len(chosen), "clips"), 0.0, Edits()
    recognise(chosen[0])  # the first time takes longer
    for each in chosen:
        began = time.process_time()
        found = recognise(each)
        spent += time.process_time() - began
        edits += count_edits(A_TO_Z.normalise(each.text or "").split(), found.split())
        progress.advance()
    return Row(system, sum(each.duration for each in chosen), spent, edits)


def by_engine(engine: Engine, confidences: bool) -> Recogniser:
    transcriber = Transcriber(engine, confidences=confidences)

    def recognise(each: Utterance) -> str:
        found = AudioInput(each.id, each.audio, each.offset, each.duration, each.channel)
        return " ".join(segment.text for segment in transcriber.transcribe(found).segments)

    return recognise


def long_recording(engine: Engine, chosen: Sequence[Utterance], file: Path) -> Row:
    spoken = talk(chosen, engine.sample_rate)
    soundfile.write(file, spoken.samples, spoken.rate, subtype="PCM_16")
    transcriber, began = Transcriber(engine, confidences=False), time.process_time()
    transcriber.transcribe(AudioInput("long", str(file)))
    spent = time.process_time() - began
    return Row("demo student, fp32, one long recording", spoken.seconds, spent, None)


QUIET = {"samprate": PEER_RATE, "loglevel": "FATAL"}


def by_pocketsphinx(decoder: Decoder) -> Recogniser:
    def recognise(each: Utterance) -> str:
        decoder.start_utt()
        decoder.process_raw(as_16_bit(audio_of(each, PEER_RATE)), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    return recognise


def with_words_of(recipe: Recipe, folder: str) -> Decoder:
    """pocketsphinx with the n-gram and the words of the run's decoding graph, and its own acoustic model."""
    sentences = [*lines_of(lm_text_uri(recipe.run))]
    known = read_lexicon(recipe.run)
    words = sorted({word for sentence in sentences for word in sentence.split()} & set(known.words))
    arpa, dictionary = Path(folder, "words.lm"), Path(folder, "words.dict")
    arpa.write_text(estimate_arpa(sentences, recipe.evaluate.lm_order))
    dictionary.write_text(in_dictionary(known.of(words)))
    return Decoder(lm=str(arpa), dict=str(dictionary), **QUIET)


def in_dictionary(lexicon: Lexicon) -> str:
    """A line for each pronunciation, as pocketsphinx reads them."""
    return "".join(
        f"{word}{f'({number})' if number > 1 else ''} {' '.join(phones)}\n"
        for word, all_of_word in lexicon.pronunciations.items()
        for number, phones in enumerate(all_of_word, 1)
    )


def first_words(bundle: str, chosen: Sequence[Utterance]) -> tuple[float, float]:
    """Seconds (warm, cold) from the start of the program to its first output, on a clip of usual length."""
    usual = sorted(chosen, key=lambda each: each.duration)[len(chosen) // 2]
    with tempfile.TemporaryDirectory(prefix="ssl-asr-transcribe-") as folder:
        file = Path(folder, "clip.wav")
        soundfile.write(file, audio_of(usual, PEER_RATE), PEER_RATE)
        start = partial(first_word, bundle, str(file))
        start()
        warm = statistics.median(start() for _ in range(STARTS))
        drop_from_memory([*Path(bundle).iterdir(), *Path(sysconfig.get_paths()["purelib"]).rglob("*")])
        return warm, start()


def first_word(bundle: str, file: str) -> float:
    program = str(Path(sys.executable).with_name("ssl-asr"))
    began = time.monotonic()
    with subprocess.Popen([program, "transcribe", bundle, file], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        took = time.monotonic() - began
    if not first.strip():
        raise ValueError(f"{file}: no word was recognised, so the first word can't be timed")
    return took


def drop_from_memory(files: Iterable[Path]) -> None:
    for each in files:
        if each.is_file():
            with each.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def word_error_rate(row: Row) -> float:
    assert row.edits is not None
    return round(100 * row.edits.word_error_rate, 1)


if __name__ == "__main__":
    main()
