"""The page of evaluate-regression."""
