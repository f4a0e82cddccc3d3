"""Classes of phones that the senone tree may ask about, beside each phone by itself."""

from __future__ import annotations

# Of cmudict's: place, manner, voicing and vowel space of General American, as in phonetics textbooks (Ladefoged, "A
# Course in Phonetics"). The tree asks every question about the left neighbour, the phone itself and the right one.
ENGLISH_QUESTIONS: dict[str, tuple[str, ...]] = {
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
