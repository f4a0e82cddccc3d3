"""The n-gram of a transducer's search as a file of the run, made once for each text, model and order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ssl_asr.lang.piece_ngram import PieceNgram, write_piece_arpa
from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.models.model_files import model_id
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.large_files import file_checksum, lines_of, write_file
from ssl_asr.store.results_layout import piece_ngram_uri
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.model_files import load_transducer

VERSION = "1"  # raise where equal inputs give another n-gram


def ngram_key(run: str, name: str, order: int) -> str:
    """Of the run's text, and of the transducer `name`, whose word pieces it has."""
    text, model = file_checksum(lm_text_uri(run)), model_id(model_uri(run, name))
    return inputs_key({"version": VERSION, "text": text, "model": model, "order": str(order)})


def ensure_ngram(run: str, name: str, order: int) -> None:
    """Make the file if it is not there; ValueError if the run's text has no sentence."""
    uri = piece_ngram_uri(run, ngram_key(run, name, order))
    if not filesystem.exists(uri):
        _, pieces, _ = load_transducer(model_uri(run, name))
        with TemporaryDirectory() as folder:
            arpa = Path(folder, "lm.arpa")
            with arpa.open("w", encoding="utf-8") as file:
                write_piece_arpa(lines_of(lm_text_uri(run)), pieces, order, file)
            write_file(uri, arpa)


def load_ngram(run: str, key: str, pieces: WordPieces) -> PieceNgram:
    return PieceNgram(filesystem.read_bytes(piece_ngram_uri(run, key)).decode(), len(pieces))
