"""Pronunciations of words that are not in the lexicon: phonetisaurus trained on the lexicon, once for each cache.

Letters and phones are aligned by EM, a joint n-gram over the pairs is estimated and applied as a transducer
(Novak, Minematsu & Hirose, "Phonetisaurus: exploring grapheme-to-phoneme conversion with joint n-gram models in
the WFST framework", Natural Language Engineering 2016).
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import phonetisaurus

from ssl_asr.lang.lexicon import Lexicon, Phones
from ssl_asr.progress import Progress
from ssl_asr.store import filesystem

# More EM iterations and longer n-grams cost time and do not lower the error rate on held-out words of cmudict.
EM_ITERATIONS = 3
NGRAM_ORDER = 6
_SEPARATORS = frozenset("|}_<>")

_FIX = "set hmm.g2p_words=0 to continue without the utterances whose words are not in the lexicon"


def pronounce(words: Sequence[str], dictionary: Lexicon, train_words: int, cache: str) -> dict[str, Phones]:
    """The most likely pronunciation of each of `words`; words without one from G2P are left out.

    The model is trained on `train_words` words of `dictionary`. It is stored in the directory `cache` under a key of
    all its inputs. With 0 training words there are no pronunciations.
    """
    if not words or train_words == 0:
        return {}
    codes = _codes(dictionary)
    uri = _model(_sample(dictionary, train_words, codes), cache)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.fst"
        model.write_bytes(filesystem.read_bytes(uri))
        listed = Path(folder) / "words.txt"
        listed.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        command = ["phonetisaurus-g2pfst", f"--model={model}", f"--wordlist={listed}", "--nbest=1", "--beam=10000"]
        lines = _run(command, folder).splitlines()
    rows = (line.split("\t") for line in lines)
    phones = {code: phone for phone, code in codes.items()}
    return {
        row[0]: tuple(map(phones.__getitem__, row[2].split())) for row in rows if len(row) == 3 and row[2].strip()
    }


def _codes(dictionary: Lexicon) -> dict[str, str]:
    """What stands for each phone in phonetisaurus's files, where some characters separate others."""
    names = dictionary.phones.names
    if any({*name} & _SEPARATORS for name in names):
        return {name: f"p{number}" for number, name in enumerate(names)}
    return {name: name for name in names}


def _sample(dictionary: Lexicon, size: int, codes: Mapping[str, str]) -> str:
    """`size` words with their first pronunciation, chosen evenly by hash, in phonetisaurus's format.

    An even sample does better on held-out words than the same number of short words or of commonly spelled words.
    """
    words = sorted(dictionary.words, key=lambda word: hashlib.sha256(word.encode()).digest())[:size]
    spoken = ((word, map(codes.__getitem__, dictionary.pronunciations[word][0])) for word in sorted(words))
    return "".join(f"{word}\t{' '.join(phones)}\n" for word, phones in spoken)


def _model(lexicon: str, cache: str) -> str:
    """URI of the model trained on `lexicon`; trains it now if the cache lacks it."""
    identity = f"{version('phonetisaurus')} {EM_ITERATIONS} {NGRAM_ORDER}\n{lexicon}"
    key = hashlib.sha256(identity.encode()).hexdigest()[:12]
    uri = filesystem.join(filesystem.absolute(cache), f"g2p-{key}.fst")
    if not filesystem.exists(uri):
        filesystem.write_bytes(uri, _train(lexicon))
    return uri


def _train(lexicon: str) -> bytes:
    progress = Progress(f"G2P of {lexicon.count(chr(10))} words", EM_ITERATIONS + 3, "steps")

    def count_iterations(line: str) -> None:
        if line.startswith(("Finished first iter", "Iteration:")):
            progress.advance()

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "lexicon.txt").write_text(lexicon, encoding="utf-8")
        align = ["phonetisaurus-align", "--input=lexicon.txt", "--ofile=pairs.txt", f"--iter={EM_ITERATIONS}"]
        # A letter may be silent; a phone comes from at least one letter; either side is at most two long.
        align += ["--seq1_del=false", "--seq2_del=true", "--seq1_max=2", "--seq2_max=2", "--grow=false"]
        _run(align, folder, count_iterations)
        _run(["estimate-ngram", "-o", str(NGRAM_ORDER), "-t", "pairs.txt", "-wl", "pairs.arpa"], folder)
        progress.advance()
        _run(["phonetisaurus-arpa2wfst", "--lm=pairs.arpa", "--ofile=model.fst"], folder)
        progress.advance()
        return (Path(folder) / "model.fst").read_bytes()


def _run(command: Sequence[str], folder: str, watch: Callable[[str], None] = lambda line: None) -> str:
    """Output of one of phonetisaurus's programs; `watch` gets its error lines as they come."""
    error_lines: list[str] = []
    output = Path(folder) / "output.txt"
    try:
        with (
            output.open("wb") as stream,
            subprocess.Popen(
                command,
                cwd=folder,
                env=phonetisaurus.guess_environment(),
                stdout=stream,
                stderr=subprocess.PIPE,
                encoding="utf-8",
            ) as process,
        ):
            for line in process.stderr or ():
                error_lines.append(line.strip())
                watch(line)
    except OSError as error:
        raise ValueError(f"{command[0]} does not run on this machine ({error}); {_FIX}") from error
    if process.returncode:
        raise ValueError(f"{command[0]} failed ({' '.join(error_lines[-3:])}); {_FIX}")
    return output.read_text(encoding="utf-8")
