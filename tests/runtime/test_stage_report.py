"""Reports of stages: figures by plain keys, read by people as words; too many rejects stop a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.recipe import load_recipe
from ssl_asr.runtime.stage_report import StageReport, check_reject_share, check_reject_shares


def test_figures_have_plain_keys_and_are_printed_as_words() -> None:
    figures = {"wer_student": "71.2%", "werr": "4.1%", "senone_set": "5b7f", "hours": 5.178, "frames": 1143892.0}
    report = StageReport("evaluate", "key", 61, 4, 0, 0, figures)
    assert report.figure_texts() == [
        "WER student 71.2%",
        "WERR 4.1%",
        "senone set 5b7f",
        "hours 5.178",
        "frames 1,143,892",
    ]


def test_reject_share(tmp_path: Path) -> None:
    recipe = load_recipe("demo", [f"run={tmp_path}"])
    check_reject_share(recipe, "corpus", 10, 100)
    with pytest.raises(ValueError, match=r"corpus: 11 of 100 utterances were rejected \(11%\), above"):
        check_reject_share(recipe, "corpus", 11, 100)


def test_a_large_split_hides_nothing_that_another_lost(tmp_path: Path) -> None:
    recipe = load_recipe("demo", [f"run={tmp_path}"])
    check_reject_shares(recipe, "corpus", {"unlabeled": (0, 1000), "test": (1, 12)})
    says = (
        r"corpus: 3 of 9 utterances of dev were rejected \(33%\) and 9 of 12 utterances of test were rejected "
        r"\(75%\), above corpus\.max_reject_share=0\.1; see .*rejects/corpus\.jsonl"
    )
    with pytest.raises(ValueError, match=says):
        check_reject_shares(recipe, "corpus", {"unlabeled": (0, 1000), "dev": (3, 9), "test": (9, 12)})
