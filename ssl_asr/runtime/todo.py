"""What a stage would make if it ran now, and because of what: the answer to `--dry-run`, and a guard.

Each stage has a function `todo_<stage>(recipe, before) -> list[Todo]` that decides this from the run's files and from
what the stages before it have still to make. It writes nothing and starts no Ray.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ssl_asr.models.systems import ALIGNERS, MODELS, smbr_name
from ssl_asr.recipe.identity import Inputs, differences
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, MANIFEST, PSEUDO_LABELS, TARGETS

# Names of products beside the stores' splits, such as "features/test", and the models.
LANGUAGE_TEXT, LEXICON, FLAT_START, SENONES, SENONE_SET = (
    "language text",
    "lexicon",
    "flat start",
    "senones",
    "senone set",
)
TRANSDUCERS, RESULTS, COHORTS, REPORT = "transducers", "results", "cohorts", "report"
REJECTED = "rejected "  # before the name of a split whose shards were rejected: nothing waits for them
_STORES = (MANIFEST, FEATURES, ALIGNMENTS, TARGETS, PSEUDO_LABELS)
_SPLITS = ("labeled", "unlabeled", "dev", "test")
PRODUCTS = frozenset(
    (
        *(LANGUAGE_TEXT, LEXICON, FLAT_START, SENONES, SENONE_SET, *ALIGNERS),
        *(*MODELS, *map(smbr_name, MODELS), TRANSDUCERS, RESULTS, COHORTS, REPORT),
    )
).union(f"{store}/{split}" for store in _STORES for split in _SPLITS)

NOT_THERE = "not made yet"
NEW_VERSION = "this version of ssl_asr makes it differently"


@dataclass(frozen=True)
class Todo:
    """A product that is to be made: `pieces` of `unit` of it, because of fields of the recipe, or of inputs.

    `stage` makes it; the stage table fills that in. `after` names the stage that has to run first, and then `pieces`
    is what is there today. `pieces` is None where their number is not known. A product that is not `certain` may turn
    out to be the same as before.
    """

    product: str
    because: tuple[str, ...]
    pieces: int | None = None
    unit: str = "shard"
    after: str = ""
    stage: str = ""
    certain: bool = True

    def __post_init__(self) -> None:
        assert self.product.removeprefix(REJECTED) in PRODUCTS, f"{self.product} is not a product"

    def line(self) -> str:
        """For a person: "features/test: 2 shards, because of corpus.test_conditions"."""
        why = ", ".join(self.because)
        why = why if why in (NOT_THERE, NEW_VERSION) else f"because of {why}"
        why = why if self.certain else f"{why} (may turn out unchanged)"
        if self.pieces is None:
            return f"{self.product}: {why}"
        about = "about " if self.after else ""
        return f"{self.product}: {about}{self.pieces:,} {self.unit}{'' if self.pieces == 1 else 's'}, {why}"


def reasons(before: Inputs | None, now: Inputs) -> tuple[str, ...]:
    """Why a product is made again; `before` is what it was made from, None where it is not there."""
    if before is None:
        return (NOT_THERE,)
    names = differences(before, now)
    return tuple(dict.fromkeys(NEW_VERSION if name.endswith("version") else name for name in names))


def upstream(before: Iterable[Todo], *products: str) -> list[Todo]:
    """Those of `products` that are still to be made by stages before."""
    assert PRODUCTS.issuperset(products), f"{products} are not all products"
    return [todo for todo in before if todo.product in products]


def waiting(product: str, causes: Sequence[Todo], pieces: int | None = None, *, certain: bool = True) -> Todo:
    """`product` is made again after `causes`, of this stage or of stages before."""
    because = tuple(dict.fromkeys(reason for cause in causes for reason in cause.because))
    certain = NOT_THERE in because or (certain and any(cause.certain for cause in causes))
    first = next((cause.after or cause.stage for cause in causes if cause.after or cause.stage), "")
    return Todo(product, because, pieces, after=first, certain=certain)
