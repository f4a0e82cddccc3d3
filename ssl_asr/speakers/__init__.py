"""Speaker embeddings and verification: trials, error rates, an extractor, and weights from an adversary."""
