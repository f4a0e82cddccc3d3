"""How workers that train one model agree: BMUF, GTC or dense all-reduce, over processes or simulated workers."""
