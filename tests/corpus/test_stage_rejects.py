import json
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.stage import run_corpus
from ssl_asr.recipe import Recipe
from ssl_asr.report.rejects import each_reject
from ssl_asr.store.layout import rejects_uri
from tests.corpus.conftest import rows_of


def test_bad_entries_are_listed_and_too_many_stop_the_stage(own_recipe: Recipe, tmp_path: Path) -> None:
    with (tmp_path / "kaldi" / "text").open("a") as file:
        file.write("call-0 written twice, the last one counts 3\n")
    with pytest.raises(ValueError, match=r"1 of 6 utterances of labeled were rejected \(17%\), above"):
        run_corpus(own_recipe)
    own_recipe = own_recipe.model_copy(
        update={"corpus": own_recipe.corpus.model_copy(update={"max_reject_share": 0.2})}
    )
    report = run_corpus(own_recipe)
    assert report.rejected == 1
    (line,) = Path(rejects_uri(own_recipe.run, "corpus")).read_text().splitlines()
    assert json.loads(line)["id"] == "labeled/call-0"
    assert run_corpus(own_recipe).rejected == 1  # told again by a run that finds all done
    soundfile.write(tmp_path / "kaldi" / "call.wav", np.zeros((100, 2)), 16000)
    with pytest.raises(ValueError, match=r"leaves no utterance.*call-0"):
        run_corpus(own_recipe)
    strict = own_recipe.model_copy(
        update={"corpus": own_recipe.corpus.model_copy(update={"max_reject_share": 0.01, "min_seconds": 2.5})}
    )
    soundfile.write(tmp_path / "kaldi" / "call.wav", np.zeros((16000 * 40, 2)), 16000)
    with pytest.raises(ValueError, match=r"max_reject_share=0\.01"):
        run_corpus(strict)


def test_a_source_that_was_mended_is_read_again_by_the_same_command(own_recipe: Recipe, tmp_path: Path) -> None:
    text = tmp_path / "kaldi" / "text"
    good = text.read_text()
    text.write_text(good.replace("\n", " 5\n", 2))
    for _ in range(2):  # and no other way out is asked for
        with pytest.raises(
            ValueError, match=r"2 of 6 utterances of labeled were rejected \(33%\), above .* run again"
        ):
            run_corpus(own_recipe)
    text.write_text(good.replace("\n", " 5\n"))
    with pytest.raises(ValueError, match=r"corpus\.labeled=.* leaves no utterance"):
        run_corpus(own_recipe)
    text.write_text(good)
    assert run_corpus(own_recipe).rejected == 0
    assert {row.recording for row in rows_of(own_recipe, "labeled")} == {f"call-{number}" for number in range(6)}


def test_a_uri_that_cannot_be_read_is_one_reject(own_recipe: Recipe, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (tmp_path / "unlabeled.jsonl").read_text().splitlines()]
    rows[0]["audio_filepath"] = "ais://bucket/a b.wav"
    (tmp_path / "unlabeled.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = own_recipe.model_copy(update={"corpus": own_recipe.corpus.model_copy(update={"max_reject_share": 0.2})})
    assert [run_corpus(recipe).rejected for _ in range(2)] == [1, 1]
    (line,) = Path(rejects_uri(own_recipe.run, "corpus")).read_text().splitlines()
    assert "ais:// is not known" in json.loads(line)["reason"]


def test_a_large_split_hides_no_lost_test_set(own_recipe: Recipe, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (tmp_path / "unlabeled.jsonl").read_text().splitlines()]
    many = [{**rows[0], "id": f"{number}"} for number in range(100)]
    (tmp_path / "unlabeled.jsonl").write_text("\n".join(map(json.dumps, many)))
    tested = [{**row, "text": text} for row, text in zip(rows, ("room 7", "ten %", "café", "yes"), strict=False)]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, tested)))
    corpus = own_recipe.corpus.model_copy(update={"test": f"nemo:{tmp_path}/test.jsonl"})
    with pytest.raises(ValueError, match=r"^corpus: 3 of 4 utterances of test were rejected \(75%\), above"):
        run_corpus(own_recipe.model_copy(update={"corpus": corpus}))


def test_many_rejects_of_a_split_hide_none_of_another(
    own_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each split some are in the list, dev and test first; all are counted, and told by `ssl-asr failed`."""
    for split, bad in (("unlabeled", 5), ("dev", 1)):
        file = tmp_path / f"{split}.jsonl"
        rows = "".join(
            json.dumps({"id": f"bad-{place}", "audio_filepath": "absent.wav"}) + "\n" for place in range(bad)
        )
        file.write_text(file.read_text() + rows)
    monkeypatch.setattr("ssl_asr.corpus.stage.MOST_LISTED", 3)
    corpus = own_recipe.corpus.model_copy(update={"max_reject_share": 0.9})
    recipe = own_recipe.model_copy(update={"corpus": corpus})
    assert run_corpus(recipe).rejected == 6
    lines = Path(rejects_uri(recipe.run, "corpus")).read_text().splitlines()
    of_unlabeled = [f"unlabeled/bad-{place}" for place in range(5)]
    assert [json.loads(line)["id"] for line in lines] == ["dev/bad-0", *of_unlabeled[:3]]
    assert [reject.id for reject in map(itemgetter(1), each_reject(recipe))] == ["dev/bad-0", *of_unlabeled]


def test_ids_that_are_used_again_are_told_with_their_count(
    own_recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of one list, and those that several lists have."""
    lines = (tmp_path / "unlabeled.jsonl").read_text()
    rows = [{**json.loads(line), "id": f"{number}"} for number, line in enumerate(lines.splitlines())]
    for name, some in (("one", [*rows, rows[0]]), ("two", [*rows[:3], {**rows[3], "id": "new"}])):
        (tmp_path / f"many-{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    corpus = own_recipe.corpus.model_copy(
        update={"unlabeled": f"nemo:{tmp_path}/many-*.jsonl", "max_reject_share": 0.5}
    )
    recipe = own_recipe.model_copy(update={"corpus": corpus})
    assert run_corpus(recipe).rejected == 4
    told = "4 utterances have an id that was used before, and are rejected"
    assert f"warning: corpus.unlabeled={corpus.unlabeled}: {told}\n" in capsys.readouterr().err
    run_corpus(own_recipe)
    assert "used before" not in capsys.readouterr().err
