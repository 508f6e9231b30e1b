"""One thin function for each action: check → build → run → return views. No torch at import."""
