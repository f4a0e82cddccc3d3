"""Where graphs, hypotheses, results and pages of a run are; see `layout.py`."""

from __future__ import annotations

from urllib.parse import quote

from ssl_asr.store import filesystem

# Of a run, these tell how it went; what was made is elsewhere.
_HOW_IT_WENT = ("report/", "tensorboard/", "training/", "decoding/hypotheses/", "decoding/results.json")


def uri_in_copy(run: str, uri: str, copy: str) -> str | None:
    """Where the file `uri` of the run lies in its copy; None of what tells how it went: the copy makes its own."""
    inside = uri[len(run.rstrip("/")) + 1 :]
    return None if inside.startswith(_HOW_IT_WENT) else filesystem.join(copy, inside)


def graph_uri(run: str, key: str, name: str) -> str:
    return filesystem.join(run, "decoding", "graphs", key, name)


def piece_ngram_uri(run: str, key: str) -> str:
    """The n-gram that a transducer's search takes along."""
    return filesystem.join(run, "decoding", "ngrams", f"{key}.arpa")


def decoding_folder(run: str, key: str) -> str:
    """All hypotheses of this key."""
    return filesystem.join(run, "decoding", key)


def decoded_uri(run: str, key: str, system: str, scales: tuple[float, float], shard: str, slab: int) -> str:
    """Hypotheses of one slab; `scales` are those of the acoustic score and of the log prior in it."""
    kappa, prior = scales
    folder = f"kappa-{kappa:g}" if prior == 1 else f"kappa-{kappa:g}-prior-{prior:g}"
    return filesystem.join(decoding_folder(run, key), system, folder, f"{shard}-{slab:03d}.json")


def transduced_uri(run: str, key: str, transducer: str, shard: str, slab: int) -> str:
    """What a transducer recognised in one slab."""
    return filesystem.join(decoding_folder(run, key), transducer, f"{shard}-{slab:03d}.json")


def hypotheses_folder(run: str) -> str:
    return filesystem.join(run, "decoding", "hypotheses")


def hypotheses_uri(run: str, system: str) -> str:
    return filesystem.join(hypotheses_folder(run), f"{system}.jsonl")


def ctm_folder(run: str) -> str:
    return filesystem.join(run, "decoding", "ctm")


def ctm_uri(run: str, system: str) -> str:
    """Recognised words with times and confidences, in NIST's format."""
    return filesystem.join(ctm_folder(run), f"{system}.ctm")


def alternatives_folder(run: str) -> str:
    return filesystem.join(run, "decoding", "nbest")


def alternatives_uri(run: str, system: str) -> str:
    """The best sentences of each utterance."""
    return filesystem.join(alternatives_folder(run), f"{system}.jsonl")


def words_uri(run: str) -> str:
    """How good the words' confidences and times are."""
    return filesystem.join(run, "decoding", "words.json")


def results_uri(run: str) -> str:
    return filesystem.join(run, "decoding", "results.json")


def page_uri(run: str) -> str:
    return filesystem.join(run, "report", "index.html")


def compare_page_uri(run: str) -> str:
    """The page that compares two systems."""
    return filesystem.join(run, "report", "compare.html")


def clips_folder(run: str) -> str:
    """Audio that the pages play."""
    return filesystem.join(run, "report", "audio")


def clip_uri(run: str, name: str) -> str:
    return filesystem.join(clips_folder(run), name)


def wer_table_uri(run: str) -> str:
    return filesystem.join(run, "report", "wer.md")


def cohorts_folder(run: str) -> str:
    """Where `ssl-asr adapt` looks for what `ssl-asr cohorts -o` has found."""
    return filesystem.join(run, "report", "cohorts")


def cohorts_uri(folder: str) -> str:
    return filesystem.join(folder, "cohorts.json")


def found_folder(run: str, by: str) -> str:
    """Where the fairness stage writes its cohorts by geo, tag:NAME or voices."""
    kind, _, name = by.partition(":")
    return filesystem.join(cohorts_folder(run), f"{kind}-{quote(name, safe='')}" if name else kind)


def nothing_found_uri(folder: str) -> str:
    """Why the fairness stage found no cohorts, instead of these."""
    return filesystem.join(folder, "none.txt")


def found_inputs_uri(run: str) -> str:
    """What the fairness stage's cohorts and adapted models were made from; written last."""
    return filesystem.join(cohorts_folder(run), "inputs.json")


def cohorts_page_uri(folder: str) -> str:
    return filesystem.join(folder, "cohorts.html")


PLANNED = ".plan.json"  # how names of files end that say what an adaptation trains


def adapted_folder(run: str) -> str:
    return filesystem.join(run, "adapt")


def adapted_uri(run: str, name: str) -> str:
    """What came out of an adaptation."""
    return filesystem.join(adapted_folder(run), f"{name}.json")


def planned_uri(run: str, name: str) -> str:
    """What an adaptation trains."""
    return filesystem.join(adapted_folder(run), name + PLANNED)


def adapted_page_uri(run: str, name: str) -> str:
    return filesystem.join(run, "report", f"{name}.html")
