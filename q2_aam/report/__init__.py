"""The .qzv pages: what is shown (regression, training_summary) and how (page, figure, vega)."""
