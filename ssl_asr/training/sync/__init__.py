"""How the workers of one model synchronise: BMUF, GTC or dense all-reduce, over processes or simulated workers."""
