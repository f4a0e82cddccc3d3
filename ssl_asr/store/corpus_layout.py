"""Where the corpus stage keeps what is not in a store, below a run's directory; see `layout.py`."""

from __future__ import annotations

from ssl_asr.store import filesystem


def lm_text_uri(run: str) -> str:
    """The language model's text."""
    return filesystem.join(run, "corpus", "lm_text.txt")


def lm_text_inputs_uri(run: str) -> str:
    """What the language model's text was made from."""
    return filesystem.join(run, "corpus", "lm_text.json")


def source_uri(run: str) -> str:
    """Where the speech comes from, in one line."""
    return filesystem.join(run, "corpus", "source.txt")


def sentences_uri(run: str, name: str) -> str:
    """`name` is "open-speech": the sentences of all open speech that may be trained on. Earlier versions of this
    program kept those of each split so."""
    return filesystem.join(run, "corpus", "sentences", f"{name}.txt")


def split_record_uri(run: str, split: str) -> str:
    """What the corpus stage has listed of a split."""
    return filesystem.join(run, "corpus", "splits", f"{split}.json")


def audio_versions_uri(run: str, split: str, piece: str) -> str:
    """Sizes and times of the audio files of a piece of a split's source, when it was read."""
    return filesystem.join(run, "corpus", "audio", split, f"{piece}.parquet")


def listed_files_folder(run: str, split: str) -> str:
    """While a split's source is read: names of the files that were found."""
    return filesystem.join(run, "corpus", "listed", split)


def listed_files_uri(run: str, split: str, piece: str) -> str:
    return filesystem.join(listed_files_folder(run, split), piece)


def bank_inputs_uri(run: str) -> str:
    """What the noise banks were made from."""
    return filesystem.join(run, "corpus", "noise", "inputs.json")


def bank_uri(run: str, use: str, kind: str) -> str:
    """Recorded noise; `use` is "train" or "test"."""
    return filesystem.join(run, "corpus", "noise", use, f"{kind}.wav")
