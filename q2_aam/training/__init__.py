"""The training core: needs torch, no QIIME 2."""
