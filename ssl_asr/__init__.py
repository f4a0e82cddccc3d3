"""Semi-supervised acoustic models at scale: teacher, top-k targets, student, words."""

__version__ = "0.1.0"
