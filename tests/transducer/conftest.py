"""One thread, as workers have: small networks are slower on several."""

from tests.models.conftest import one_thread

__all__ = ["one_thread"]
