"""Models and training logs on disk: plain files, checked strictly, never pickled."""
