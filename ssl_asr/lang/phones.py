"""The phones of cmudict without stress, and the classes of them that the senone tree may ask about.

"SIL" is phone 0, everywhere. In transducers phone p is label p + 1, since 0 means no label.
"""

from __future__ import annotations

SILENCE = "SIL"
_SPOKEN = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
PHONES: tuple[str, ...] = (SILENCE, *_SPOKEN.split())
PHONE_IDS: dict[str, int] = {phone: number for number, phone in enumerate(PHONES)}

# Place, manner, voicing and vowel space of General American, as in phonetics textbooks (Ladefoged, "A Course in
# Phonetics"). The tree asks every question about the left neighbour, the phone itself and the right neighbour.
QUESTIONS: dict[str, tuple[str, ...]] = {
    name: tuple(members.split())
    for name, members in {
        "vowel": "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
        "front vowel": "IY IH EY EH AE",
        "back vowel": "UW UH OW AO AA",
        "high vowel": "IY IH UW UH",
        "low vowel": "AA AE AO AH",
        "rounded": "UW UH OW AO OY W",
        "diphthong": "AW AY OY EY OW",
        "stop": "B D G K P T",
        "voiced stop": "B D G",
        "unvoiced stop": "K P T",
        "affricate": "CH JH",
        "nasal": "M N NG",
        "fricative": "F V TH DH S Z SH ZH HH",
        "sibilant": "S Z SH ZH CH JH",
        "strident": "S Z SH ZH CH JH F V",
        "liquid": "L R",
        "glide": "W Y",
        "approximant": "L R W Y ER",
        "rhotic": "R ER",
        "labial": "B P M F V W",
        "labiodental": "F V",
        "dental": "TH DH",
        "alveolar": "D T N S Z L",
        "palatal": "SH ZH CH JH Y",
        "velar": "K G NG",
        "coronal": "T D S Z SH ZH N L CH JH TH DH R",
        "voiced consonant": "B D G V DH Z ZH JH M N NG L R W Y",
        "unvoiced consonant": "P T K F TH S SH CH HH",
    }.items()
}
