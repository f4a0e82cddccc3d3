"""N-grams in ARPA form as users give them, checked before they are used."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ssl_asr.lang.ngram import BACK_OFF, BEGIN, END, EPSILON, Vocabulary

_UNIGRAM = re.compile(r"\S+[\t ]+(\S+)")
_READ = (
    "import sys, kaldilm; kaldilm.arpa2fst(input_arpa=sys.argv[1], output_fst=sys.argv[2], "
    "read_symbol_table=sys.argv[3], disambig_symbol=sys.argv[4], max_arpa_warnings=0)"
)


def arpa_words(arpa: str, place: str) -> set[str]:
    """The words of an n-gram in ARPA form, without its marks; ValueError if `place` holds none."""
    head, one, rest = arpa.partition("\\1-grams:")
    unigrams, backslash, _ = rest.partition("\n\\")
    if "\\data\\" not in head or not one or not backslash or "\\end\\" not in rest:
        raise ValueError(f"{place} is not a whole n-gram model in ARPA form; give a plain text file of one")
    found = set[str]()
    for line in unigrams.splitlines():
        match = _UNIGRAM.match(line.strip())
        if match is not None:
            found.add(match.group(1))
        elif line.strip():
            raise ValueError(f"{place}: '{line.strip()[:50]}' is not a log probability and a word; write it again")
    return found - {EPSILON, BACK_OFF, BEGIN, END, "<unk>", "<UNK>"}


def check_arpa(arpa: str, vocabulary: Vocabulary, place: str) -> None:
    """ValueError naming the line that kaldilm can't read. It aborts its process then, so it is tried in another."""
    with tempfile.TemporaryDirectory() as folder:
        source, target, symbols = (Path(folder, name) for name in ("lm.arpa", "G.fst", "words.txt"))
        source.write_text(arpa)
        symbols.write_text(vocabulary.symbol_table())
        command = [sys.executable, "-c", _READ, *map(str, (source, target, symbols)), BACK_OFF]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        errors = [line[4:] for line in done.stderr.splitlines() if line.startswith("[E] ")]
        raise ValueError(f"{place} can't be read ({(errors or ['no reason is known'])[-1]}); write it again")
