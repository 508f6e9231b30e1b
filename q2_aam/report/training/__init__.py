"""The page of summarize-training."""
