from ssl_asr.hmm.word_times import WordTime
from ssl_asr.serving.streaming.cuts import Cut, cut_in_silence, cut_in_speech


def words(*borders: tuple[int, int]) -> list[WordTime]:
    return [WordTime(start, end, start) for start, end in borders]


def test_the_next_utterance_begins_in_the_silence():
    assert cut_in_silence(words((3, 10), (12, 20)), 40) == Cut(2, 30)
    assert cut_in_silence(words((3, 20)), 200) == Cut(1, 183)  # half a second is enough
    assert cut_in_silence((), 10) == Cut(0, 5)
    assert cut_in_silence(words((0, 20)), 20) == Cut(1, 20)


def test_speech_is_cut_in_its_longest_late_pause():
    said = words((0, 50), (90, 110), (112, 130), (136, 150), (151, 200))
    assert cut_in_speech(said, 200) == Cut(3, 133)  # the pause from 50 to 90 is in the first half


def test_of_equal_pauses_the_last_one_counts():
    assert cut_in_speech(words((0, 120), (120, 160), (160, 200)), 200) == Cut(2, 160)


def test_five_seconds_of_speech_are_searched_again_at_most():
    said = words((0, 400), (420, 600), (601, 666))
    assert cut_in_speech(said, 666) == Cut(2, 600)


def test_without_a_pause_between_words_all_ends():
    assert cut_in_speech(words((0, 200)), 200) == Cut(1, 200)
    assert cut_in_speech((), 200) == Cut(0, 200)
