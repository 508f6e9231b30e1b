"""The page of evaluate-classification."""
