"""The benchmark `reweighting`: its trials among accents, its verdicts, and that it goes on where it was stopped."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from jobs.bench import reweighting
from jobs.bench.accent_trials import Rates, Verified, accents_in, drawn_figures, groups_of, verified
from jobs.bench.known_regions import times_drawn
from jobs.bench.reweighting_verdict import Change, changes, has_gap, verdict_of
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.speakers.trials import Spoken, TrialSettings, cosine_scores, make_trials
from ssl_asr.store.speaker_embeddings import SpeakerEmbeddings
from tests.in_process import placed_here
from tests.speakers.made_up import made_up_run

GAP = [0.01, 0.04, 0.3]  # p of a gap, by seed
DRAWS = Draws(40, 1)


def speech(counts: dict[str, int], utterances: int = 9) -> tuple[SpeakerEmbeddings, dict[str, str]]:
    """Talkers of each accent; those of the second scatter more."""
    random = np.random.default_rng(1)
    ids, speakers, vectors, accents = list[str](), list[str](), [], {}
    for number, (accent, count) in enumerate(counts.items()):
        for talker in range(count):
            name = f"{accent}-{talker}"
            accents[name] = accent
            centre = random.normal(size=8)
            for part in range(utterances):
                ids.append(f"{name}-{part}")
                speakers.append(name)
                vectors.append(centre + (0.3 + number) * random.normal(size=8))
    return SpeakerEmbeddings(ids, speakers, np.array(vectors, np.float32)), accents


def spoken_in(embeddings: SpeakerEmbeddings) -> list[Spoken]:
    return [Spoken(*pair) for pair in zip(embeddings.ids, embeddings.speakers, strict=True)]


def test_small_groups_are_dropped_and_talkers_without_an_accent_left_out() -> None:
    embeddings, accents = speech({"clear": 8, "hoarse": 8, "few": 4, "none": 6})
    accents = {name: accent for name, accent in accents.items() if accent != "none"}
    found = verified(embeddings, accents, DRAWS)
    assert found.dropped == {"few": "4 talkers, 24 true claims"}
    assert {*found.rates.accents} == {"clear", "hoarse"}
    assert (found.rates.highest, found.rates.lowest) == ("hoarse", "clear")
    assert found.rates.gap == pytest.approx(found.rates.accents["hoarse"] - found.rates.accents["clear"])
    assert found.rates.deviation == pytest.approx(found.rates.gap / 2)
    low, high = np.quantile(found.drawn_rf[:, 1], [0.025, 0.975])
    assert 0 < low < found.rates.gap < high
    trials = make_trials(spoken_in(embeddings)[:80], TrialSettings())
    assert groups_of(trials, accents)[0] == ["clear"] * 8 + [None]  # one talker of the second accent


def test_too_few_talkers_are_refused() -> None:
    embeddings, accents = speech({"clear": 8, "few": 4})
    with pytest.raises(ValueError, match=r"less than two accents have 5 talkers and 30 true claims each \(few: 4"):
        verified(embeddings, accents, DRAWS)


def test_talkers_are_drawn_within_groups_and_the_same_for_all_extractors() -> None:
    times = times_drawn(["a"] * 5 + ["b"] * 3, DRAWS)
    assert (times[:, :5].sum(1) == 5).all()
    assert (times[:, 5:].sum(1) == 3).all()
    embeddings, accents = speech({"clear": 6, "hoarse": 6})
    trials = make_trials(spoken_in(embeddings), TrialSettings())
    scores, groups = cosine_scores(embeddings.vectors, trials), [accents[each] for each in trials.speakers]
    found = drawn_figures(scores, trials, groups, DRAWS)
    assert np.array_equal(found, drawn_figures(2 * scores, trials, groups, DRAWS))
    assert found[:, 0].std() > 0


def of(eer: float, gap: float, deviation: float, drawn: float = 0.0) -> Verified:
    rates = Rates(eer, gap, deviation, 0.01, 0.01, "a", "b", {"a": eer + gap, "b": eer})
    return Verified(rates, np.array([[eer, gap, deviation]]) + drawn * np.linspace(-1, 1, 41)[:, None], {})


def test_changes_are_paired_by_seed_and_by_draw() -> None:
    plain = [of(0.2, 0.10, 0.05, 0.3), of(0.2, 0.11, 0.05, 0.3), of(0.2, 0.12, 0.05, 0.3)]
    better = [of(0.19, each.rates.gap - 0.02, 0.05, 0.3) for each in plain]
    found = changes(better, plain)
    assert found["gap"].seeds == pytest.approx([-0.02] * 3)
    assert found["gap"].interval == pytest.approx((-0.02, -0.02))  # what the talkers do to both is not in it
    assert found["gap"].relative == pytest.approx(-0.06 / 0.33)
    assert found["gap"].fell
    assert not found["deviation"].fell
    assert not changes(better[:2], plain[:2])["gap"].fell  # two seeds are too few
    unsure = changes([of(0.2, 0.08, 0.05), of(0.2, 0.08, 0.05), of(0.2, 0.121, 0.05)], plain)
    assert not unsure["gap"].fell
    assert unsure["gap"].mean < 0


def change(mean: float, sure: float = 0.001) -> Change:
    return Change([mean] * 3, (mean - sure, mean + sure), mean)


LESS, MORE, UNSURE_LESS, UNSURE_MORE = change(-0.02), change(0.02), change(-0.02, 0.1), change(0.02, 0.1)


@pytest.mark.parametrize(
    ("eer", "gap", "deviation", "control", "p", "verdict"),
    [
        (UNSURE_LESS, LESS, UNSURE_LESS, UNSURE_LESS, GAP, "reproduced"),
        (UNSURE_LESS, LESS, UNSURE_MORE, UNSURE_LESS, GAP, "can't tell"),
        (UNSURE_LESS, UNSURE_LESS, UNSURE_LESS, LESS, GAP, "can't tell"),  # it may lower the gap
        (UNSURE_MORE, LESS, LESS, LESS, GAP, "not"),  # the control shows that the gap can be lowered
        (UNSURE_LESS, UNSURE_MORE, LESS, LESS, GAP, "not"),
        (UNSURE_LESS, UNSURE_MORE, LESS, UNSURE_LESS, GAP, "can't tell"),  # not even true groups help
        (UNSURE_LESS, MORE, LESS, UNSURE_LESS, GAP, "not"),
        (UNSURE_LESS, LESS, LESS, LESS, [0.01, 0.2, 0.3], "can't tell"),  # there is no gap
        (MORE, LESS, LESS, LESS, [0.01, 0.2, 0.3], "not"),  # the EER rises all the same
    ],
)
def test_verdicts(eer: Change, gap: Change, deviation: Change, control: Change, p: list[float], verdict: str) -> None:
    assert verdict_of({"eer": eer, "gap": gap, "deviation": deviation}, control, p) == verdict


def test_a_gap_needs_two_of_three_seeds() -> None:
    assert has_gap(GAP)
    assert not has_gap([0.01, 0.05, 0.3])
    assert not has_gap([0.01, 0.01])


def test_each_seed_trains_on_talkers_of_its_own_choice() -> None:
    accents = {f"{name}-{number}": name for name in reweighting.TALKERS for number in range(8)}
    first, second = (reweighting.chosen(accents, seed) for seed in (1, 2))
    assert first == reweighting.chosen(accents, 1) != second
    for talkers in (first, second):
        assert Counter(accents[each] for each in talkers) == reweighting.TALKERS
    few = {name: accent for name, accent in accents.items() if accent != "italian"} | {"italian-0": "italian"}
    with pytest.raises(ValueError, match="1 talkers of the accent 'italian' have training speech; 2 are wanted"):
        reweighting.chosen(few, 1)


def test_a_folder_of_other_things_is_refused_before_any_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "README.md").write_text("# Mine\n")
    monkeypatch.setattr(reweighting, "speech_in", lambda run, overrides: pytest.fail("a run began"))
    monkeypatch.setattr("sys.argv", ["reweighting", "--results", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"reweighting: .*README\.md is no table of studies"):
        reweighting.main()
    assert [each.name for each in tmp_path.iterdir()] == ["README.md"]


def test_a_stopped_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = made_up_run(tmp_path / "speech", trained=20, utterances=9)
    assert Counter(accents_in(recipe.run, ["test"]).values())["north"] == 8  # one was trained on, one says one thing
    monkeypatch.setattr(reweighting, "speech_in", lambda run, overrides: recipe)
    monkeypatch.setattr(reweighting, "TALKERS", {"north": 10, "south": 8})
    results = str(tmp_path / "results")
    monkeypatch.setattr("sys.argv", ["reweighting", "--folder", str(tmp_path), "--steps", "4", "--results", results])
    train, trained = reweighting.train_extractor, list[str]()

    def stopped(*given: object) -> object:
        if len(trained) == 7:
            raise KeyboardInterrupt
        trained.append(str(given[1]))
        return train(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(reweighting, "train_extractor", stopped)
    with placed_here(), pytest.raises(KeyboardInterrupt):
        reweighting.main()
    half = json.loads((tmp_path / "seed-2.json").read_text())
    assert list(half["weights"]) == ["none", "groups"]
    kept: list[bool] = []
    monkeypatch.setattr(reweighting, "train_extractor", lambda *given: kept.append(train(*given).kept))
    with placed_here():
        reweighting.main()
    assert kept == [True] * 7 + [False] * 8
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["seeds"]["2"]["none"] == half["weights"]["none"]
    assert {*told["verdicts"]} == {"similarity", "clusters", "pairs"}
    assert told["published"]["relative"]["gap"] == -17
    assert {*told["changes"]["groups"]} == {"eer", "gap", "deviation"}
    assert {"eer", "gap", "deviation", "p", "accents"} <= {*told["seeds"]["3"]["pairs"]}
    page = (tmp_path / "results" / "reweighting.md").read_text()
    assert 'A change "falls" where' in page
    assert "`python -m jobs.bench.reweighting --steps 4 --seeds 1 2 3`" in page
    assert page.count("| the gap between accents in EER | 17 % |") == 3
    line = r"\| 17 % \| [+-][\d.]+ points \([+-][\d.]+ %\) \| [+-][\d.]+ to [+-][\d.]+ points \|"
    assert len(re.findall(line, page)) == 3


def test_what_a_seed_has_found_is_kept_until_something_else_is_found(tmp_path: Path) -> None:
    first = verified(*speech({"clear": 8, "hoarse": 8}), DRAWS)
    other = verified(*speech({"clear": 8, "hoarse": 9}), DRAWS)
    path = tmp_path / "seed-1.json"
    reweighting.write_seed(tmp_path, 1, {"none": {1: first}, "groups": {1: other}})
    finished = path.read_bytes()
    reweighting.write_seed(tmp_path, 1, {"none": {1: first, 2: first}})
    assert path.read_bytes() == finished
    reweighting.write_seed(tmp_path, 1, {"none": {1: other}})
    assert list(json.loads(path.read_text())["weights"]) == ["none"]
