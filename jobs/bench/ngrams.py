"""What the n-gram of a large text costs: `python -m jobs.bench.ngrams TEXT [--megabytes N ...] [--order N]`.

TEXT is a file with a normalised sentence a line. Its first megabytes are read and become an ARPA file: ours, and the
one of kaldingram, which is the same to the byte, from up to --peer megabytes. From up to --graph megabytes the
decoding graph is made too, of cmudict's words with one senone a phone, so that it is as small as one can be. Each has
a process of its own. It prints a table, then one JSON object as the last line: seconds of the processor, and the
largest memory of the process in MB.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from kaldingram.train import NgramCounts

from jobs.bench.memory import peak_megabytes
from ssl_asr.decoding.graph import build_graph
from ssl_asr.lang.kneser_ney import write_arpa
from ssl_asr.lang.lexicon import cmudict
from ssl_asr.lang.ngram import vocabulary_of
from ssl_asr.store.large_files import file_checksum, lines_of

Cost = tuple[float, float, int]  # processor seconds, MB, and the n-grams or arcs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, metavar="TEXT")
    parser.add_argument("--megabytes", type=float, nargs="+", default=[1, 10, 100])
    parser.add_argument("--peer", type=float, default=10, metavar="MB", help="of text for kaldingram (default: 10)")
    parser.add_argument("--graph", type=float, default=1, metavar="MB", help="of text for a graph (default: 1)")
    parser.add_argument("--order", type=int, default=3)
    options = parser.parse_args()
    print(f"{'text MB':>8}  {'':<11}{'seconds':>9}{'MB':>8}{'n-grams, arcs':>15}")
    figures: dict[str, float] = {}
    for megabytes in options.megabytes:
        works: list[tuple[str, Callable[[str, str, int], Cost]]] = [("words", words), ("ARPA", ours)]
        works += [("kaldingram", kaldingrams)] if megabytes <= options.peer else []
        works += [("graph", graph)] if megabytes <= options.graph else []
        with tempfile.TemporaryDirectory() as folder:
            text = begin_of(options.text, megabytes, Path(folder, "text.txt"))
            arpas = {name: str(Path(folder, name)) for name, _ in works}
            for name, work in works:
                seconds, peak, count = alone(work, str(text), arpas[name], options.order)
                print(f"{megabytes:>8g}  {name:<11}{seconds:>9.1f}{peak:>8.0f}{count:>15,}", flush=True)
                figures |= {
                    f"{name}_s_{megabytes:g}".lower(): round(seconds, 1),
                    f"{name}_mb_{megabytes:g}".lower(): round(peak),
                }
            if "kaldingram" in arpas:
                assert file_checksum(arpas["ARPA"]) == file_checksum(arpas["kaldingram"]), "the same to the byte"
    print(json.dumps(figures))


def begin_of(text: Path, megabytes: float, file: Path) -> Path:
    """The first lines of a text, as many as these megabytes hold."""
    left = megabytes * 1e6
    with file.open("w", encoding="utf-8") as stream:
        for line in lines_of(str(text)):
            left -= len(line.encode()) + 1
            if left < 0:
                return file
            stream.write(f"{line}\n")
    raise SystemExit(f"{text} has less than {megabytes:g} MB; give a longer text, or less --megabytes")


def alone(work: Callable[[str, str, int], Cost], text: str, arpa: str, order: int) -> Cost:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, text, arpa, order).result()


def words(text: str, arpa: str, order: int) -> Cost:
    """What the driver does: the text's checksum, and its words for the lexicon."""
    began = time.process_time()
    file_checksum(text)
    found = {word for line in lines_of(text) for word in line.split()}
    return time.process_time() - began, peak_megabytes(), len(found)


def ours(text: str, arpa: str, order: int) -> Cost:
    began = time.process_time()
    with open(arpa, "w", encoding="utf-8") as file:
        write_arpa(lines_of(text), order, file)
    return time.process_time() - began, peak_megabytes(), ngrams_in(arpa)


def kaldingrams(text: str, arpa: str, order: int) -> Cost:
    """As its command does, but for the encoding: with Python's garbage collection."""
    began, counts = time.process_time(), NgramCounts(order)
    with open(arpa, "w", encoding="utf-8") as file, contextlib.redirect_stderr(io.StringIO()):
        for line in filter(None, lines_of(text)):
            counts.add_raw_counts_from_line(line)
        counts.cal_discounting_constants()
        counts.cal_f()
        counts.cal_bow()
        counts.print_as_arpa(file)
    return time.process_time() - began, peak_megabytes(), ngrams_in(arpa)


def graph(text: str, arpa: str, order: int) -> Cost:
    lexicon = cmudict()
    began = time.process_time()
    with open(arpa, "w", encoding="utf-8") as file:
        write_arpa(lines_of(text), order, file)
    phones = len(lexicon.phones)
    table = np.broadcast_to(np.arange(phones, dtype=np.int32)[None, :, None], (phones, phones, phones))
    *_, arcs = build_graph(vocabulary_of(lines_of(text), lexicon.pronunciations), lexicon, Path(arpa), table)
    return time.process_time() - began, peak_megabytes(), len(arcs)


def ngrams_in(arpa: str) -> int:
    def counts() -> Iterator[int]:
        for line in lines_of(arpa):
            if line.endswith("-grams:"):
                return
            if line.startswith("ngram "):
                yield int(line.partition("=")[2])

    return sum(counts())


if __name__ == "__main__":
    main()
