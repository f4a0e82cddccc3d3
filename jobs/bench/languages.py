"""Word error rates of languages by their letters alone: `python -m jobs.bench.languages [RECIPE] [key=value ...]`.

Prompts of Asterisk in Spanish, French, Italian and Russian, one talker each (Debian's packages, 8 kHz): their texts
are cut into labeled, unlabeled, dev and test, and all stages run with `hmm.lexicon=graphemes`, each language below
--folder. A run that is there is not made again, and one that was stopped goes on. It prints a table, then one JSON
object as the last line: minutes by split, phones, words of test, word error rates in percent by system, and the 95 %
interval of the student's over recordings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import soundfile

from ssl_asr.cli import commands
from ssl_asr.corpus.open_speech import asterisk, packages
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.lang.lexicon import read_phones
from ssl_asr.lang.text import EVERY_SCRIPT
from ssl_asr.models.systems import STUDENT
from ssl_asr.recipe import load_recipe
from ssl_asr.runtime.run_directory import open_recipe

LANGUAGES = ("es", "fr", "it", "ru")
# Of the texts, in percent; the rest is unlabeled. All recordings of a text are in one split.
PERCENT = {"test": 15, "dev": 10, "labeled": 40}
# For about ten labeled minutes in place of the demo's forty: fewer senones, and more passes, so that the networks
# hear about half as much as there.
SIZE = [
    "hmm.senones=300",
    "teacher.labeled_passes=30",
    "teacher.whole_passes=4",
    "student.sub_epochs=16",
    "student.unlabeled_passes=16",
    "student.shorter_baseline=0",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="demo")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--languages", nargs="+", default=LANGUAGES, choices=LANGUAGES)
    parser.add_argument("--folder", type=Path, default=Path("runs/languages"), help="(default: runs/languages)")
    options = parser.parse_args()
    found = {}
    try:
        for language in options.languages:
            found[language] = measure(language, options.recipe, options.overrides, options.folder.absolute())
    except (ValueError, packages.FetchError) as error:
        sys.exit(f"languages: {error}")
    columns = list(dict.fromkeys(name for figures in found.values() for name in figures))
    print("language" + "".join(f"{name:>14}" for name in columns))
    for language, figures in found.items():
        print(f"{language:<8}" + "".join(f"{figures[name]:>14.1f}" for name in columns))
    print(
        json.dumps(
            {language: {name: round(value, 2) for name, value in each.items()} for language, each in found.items()}
        )
    )


def measure(language: str, recipe: str, overrides: Sequence[str], folder: Path) -> Mapping[str, float]:
    """Minutes by split, phones, words of test, and word error rates in percent by system."""
    cache = Path(load_recipe(recipe, overrides).corpus.cache).expanduser()
    sources = write_manifests(language, cache, folder / language)
    own = [f"corpus.{split}=nemo:{file}" for split, file in sources.items()]
    # The demo's noise for training and tests is babble of these very talkers.
    clean = [f"corpus.{split}_conditions=[clean]" for split in ("train", "dev", "test")]
    fixed = [f"run={folder}/{language}/run", f"name={language}", "hmm.lexicon=graphemes", "corpus.labeled_copies=0"]
    fixed.append("corpus.max_reject_share=0.5")  # many prompts are one short word
    prepared = open_recipe(recipe, [*own, *clean, *fixed, *SIZE, *overrides])
    commands.run_all(prepared)
    results = read_results(prepared.run)
    rows = {split: map(json.loads, file.read_text().splitlines()) for split, file in sources.items()}
    minutes = {split: sum(row["duration"] for row in each) / 60 for split, each in rows.items()}
    sizes = {"phones": float(len(read_phones(prepared.run))), "words": float(results.row(STUDENT).words)}
    rates = {system: 100 * results.row(system).wer for system in results.systems}
    interval = {"student low": 100 * results.row(STUDENT).low, "student high": 100 * results.row(STUDENT).high}
    return minutes | sizes | rates | interval


def write_manifests(language: str, cache: Path, folder: Path) -> dict[str, Path]:
    """NeMo manifests by split; prompts whose texts have digits or signs are left out, with a word."""
    named = [f"asterisk-core-sounds-{language}-gsm", f"asterisk-core-sounds-{language}"]
    speech, texts = packages.fetch(cache, named).values()
    prompts = asterisk.read_lines(speech, texts)
    usable = [each for each in prompts if not EVERY_SCRIPT.unknown_characters(each.text)]
    print(f"{language}: {len(prompts) - len(usable)} of {len(prompts)} prompts have digits or signs", file=sys.stderr)
    rows: dict[str, list[str]] = {split: [] for split in ("labeled", "unlabeled", "dev", "test")}
    for each in usable:
        row = {
            "id": each.name.replace("/", "-"),
            "audio_filepath": str(each.clip),
            "duration": soundfile.info(each.clip).duration,
            "text": each.text,
            "speaker": language,
        }
        rows[split_of(EVERY_SCRIPT.normalise(each.text))].append(json.dumps(row, ensure_ascii=False) + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    for split, lines in rows.items():
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    return {split: folder / f"{split}.jsonl" for split in rows}


def split_of(text: str) -> str:
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 100
    for split, share in PERCENT.items():
        if place < share:
            return split
        place -= share
    return "unlabeled"


if __name__ == "__main__":
    main()
