"""The page of cohorts: who is understood worse."""
