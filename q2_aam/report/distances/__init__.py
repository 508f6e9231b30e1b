"""The page of evaluate-distances."""
