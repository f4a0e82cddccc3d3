"""Four languages by their letters alone, through all stages: each letter of the texts is a chord of its own.

What is said is clear, so that most words are right. One word in test is written otherwise than it is said, so that
tables and pages have an error to show.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from ssl_asr.evaluation.results_file import read_results
from ssl_asr.lang.lexicon import read_lexicon, read_phones
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import wanted_stages
from ssl_asr.runtime.run_directory import save_recipe
from ssl_asr.store.results_layout import hypotheses_uri, page_uri, wer_table_uri
from tests.conftest import tiny_recipe
from tests.in_process import placed_here

RATE, LETTER_SECONDS, PAUSE_SECONDS = 8000, 0.12, 0.2
WORDS = {
    "russian": ("кот", "ёлка", "мышь", "спит", "идёт", "домой", "её", "съел", "чай"),
    "french": ("café", "été", "garçon", "où", "déjà", "l'élève", "forêt", "naïf", "vu"),
    "spanish": ("niño", "pingüino", "árbol", "qué", "corazón", "sí", "él", "hoy", "luz"),
    "italian": ("città", "perché", "così", "può", "l'acqua", "più", "è", "gnomo", "zio"),
}
MISHEARD = {
    "russian": ("ёлка", "мышь"),
    "french": ("forêt", "déjà"),
    "spanish": ("sí", "él"),
    "italian": ("è", "più"),
}  # said and written, once in test
COUNTS = {"labeled": 90, "unlabeled": 30, "dev": 6, "test": 6}
SMALL = [
    "corpus.train_conditions=[clean]",
    "corpus.labeled_copies=0",
    "corpus.test_conditions=[clean]",
    "hmm.lexicon=graphemes",
    "hmm.senones=60",
    "hmm.min_frames_per_senone=10",
    "hmm.flat_start_iterations=14",
    "teacher.network.units=32",
    "student.network.units=32",
    "teacher.labeled_passes=8",
    "teacher.batching.batch_chunks=4",
    "teacher.whole_passes=0",
    "student.sub_epochs=5",
    "student.unlabeled_passes=5",
    "student.batching.batch_chunks=4",
    "student.whole_sub_epochs=0",
    "labelling.k=10",
    "evaluate.bootstrap=50",
    "evaluate.max_active=500",
    "cluster.train_workers=[1, 1]",
]


def sound(text: str, alphabet: Sequence[str], seed: int) -> npt.NDArray[np.float64]:
    """A chord of two tones for each letter, and soft noise everywhere."""
    random = np.random.default_rng(seed)
    length, parts = round(LETTER_SECONDS * RATE), [np.zeros(round(PAUSE_SECONDS * RATE))]
    times, fade = np.arange(length) / RATE, np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / 80)
    low, high = np.geomspace(300, 1000, 6), np.geomspace(1300, 3300, 6)
    for letter in text:
        if letter in alphabet:
            first, second = divmod(alphabet.index(letter), 6)
            tones = (low[first], high[second]) * (1 + 0.01 * random.standard_normal(2))
            parts.append(0.1 * fade * sum(np.sin(2 * np.pi * tone * times) for tone in tones))
        elif letter == " ":
            parts.append(np.zeros(round(PAUSE_SECONDS * RATE)))
    samples = np.concatenate([*parts, parts[0]])
    return samples + 0.01 * random.standard_normal(len(samples))


def write_speech(folder: Path, words: Sequence[str], misheard: tuple[str, str]) -> list[str]:
    """Manifests and audio of each split; the sentences of test. Texts are as people write them."""
    heard, meant = misheard
    random = np.random.default_rng(3)
    alphabet = sorted({letter for word in words for letter in word if letter.isalpha()})
    said = {split: [" ".join(random.choice(words, 4)) for _ in range(count)] for split, count in COUNTS.items()}
    said["test"][0] = f"{heard} {words[0]} {words[1]} {words[2]}"
    for split, texts in said.items():
        rows = []
        for number, text in enumerate(texts):
            name = f"{split}-{number}.wav"
            soundfile.write(folder / name, sound(text, alphabet, 1000 * len(split) + number), RATE)
            if (split, number) == ("test", 0):
                texts[0] = text = text.replace(heard, meant, 1)
            written = unicodedata.normalize("NFD" if number % 2 else "NFC", f"{text.capitalize()}!")
            rows.append({"audio_filepath": name, "text": written, "speaker": f"{split}-{number % 4}"})
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    return said["test"]


def run_all(folder: Path) -> Recipe:
    own = [f"corpus.{split}=nemo:{folder}/{split}.jsonl" for split in COUNTS]
    recipe = tiny_recipe(folder / "run", *own, *SMALL)
    save_recipe(recipe)
    with placed_here():
        for stage in wanted_stages(recipe):
            stage.function()(recipe)
    return recipe


@pytest.mark.parametrize("language", WORDS)
def test_a_language_goes_through_all_stages(language: str, tmp_path: Path) -> None:
    words = WORDS[language]
    said = write_speech(tmp_path, words, MISHEARD[language])
    run = run_all(tmp_path).run

    letters = {letter for word in words for letter in word if letter.isalpha()}
    assert {name for name in read_phones(run).names if name.isalpha() and name.islower()} == letters
    lexicon = read_lexicon(run)
    assert lexicon.pronunciations.keys() >= {*words}
    assert all(lexicon.pronunciations[word] == (tuple(filter(str.isalpha, word)),) for word in words)

    results = read_results(run)
    row = results.row("student")
    assert (results.listed, results.scored, row.words) == (COUNTS["test"], COUNTS["test"], 4 * COUNTS["test"])
    assert results.oov_rate == 0
    assert 1 / row.words <= row.wer < 0.3
    found = [json.loads(line) for line in Path(hypotheses_uri(run, "student")).read_text("utf-8").splitlines()]
    assert sorted(each["reference"] for each in found) == sorted(said)
    assert {word for each in found for word in each["hypothesis"].split()} <= {*words}

    assert f"{row.wer:.1%}"[:-1] in Path(wer_table_uri(run)).read_text("utf-8")
    page = Path(page_uri(run)).read_text("utf-8")
    assert all(word in page for word in MISHEARD[language])
