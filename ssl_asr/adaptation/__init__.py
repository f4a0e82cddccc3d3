"""A trained model is adapted to speakers whom it understands worse, without forgetting the others."""
