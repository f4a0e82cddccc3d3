"""Where the hmm stage keeps lexicon, senones, tree and imported alignments of a run; see `layout.py`."""

from __future__ import annotations

from ssl_asr.store import filesystem
from ssl_asr.store.layout import IMPORT_SUFFIX


def hmm_uri(run: str, name: str) -> str:
    """A file of the hmm stage."""
    return filesystem.join(run, "hmm", name)


def lexicon_uri(run: str) -> str:
    return hmm_uri(run, "lexicon.txt")


def phones_uri(run: str) -> str:
    """The phones of the lexicons, silence first."""
    return hmm_uri(run, "phones.txt")


def lexicon_inputs_uri(run: str) -> str:
    """What the lexicon was made from."""
    return hmm_uri(run, "lexicon.json")


def unlabeled_lexicon_uri(run: str) -> str:
    """Pronunciations of words of the unlabeled speech's texts that the lexicon lacks."""
    return hmm_uri(run, "unlabeled_lexicon.txt")


def senones_uri(run: str) -> str:
    return hmm_uri(run, "senones.npz")


def flat_start_uri(run: str) -> str:
    return hmm_uri(run, "flat_start.npz")


def imported_folder(run: str) -> str:
    """Times of phones by alignments made elsewhere: a file a labeled shard."""
    return hmm_uri(run, "imported")


def imported_uri(run: str, number: int) -> str:
    return filesystem.join(imported_folder(run), f"{number:06d}{IMPORT_SUFFIX}")


def import_index_uri(run: str) -> str:
    """What was imported, and from what. Without it, the files are not complete."""
    return filesystem.join(imported_folder(run), "index.json")


def unused_imports_uri(run: str) -> str:
    """Labeled utterances whose imported alignment is not used."""
    return filesystem.join(imported_folder(run), "unused.jsonl")


def tree_uri(run: str) -> str:
    return hmm_uri(run, "tree.npz")
