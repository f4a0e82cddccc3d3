"""Who is understood worse: cohorts of speakers, found by tag, by place or by voice, and what may be said of them."""
