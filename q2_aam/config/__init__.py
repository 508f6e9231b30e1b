"""What a model is and how it was trained: frozen settings, strict in JSON both ways."""
