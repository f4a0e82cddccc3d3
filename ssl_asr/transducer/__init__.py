"""Transducers (Graves 2012): an encoder, a predictor of labels, a joiner, and the search for word pieces."""
