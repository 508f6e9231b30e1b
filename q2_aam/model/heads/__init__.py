"""Heads that predict a target of a sample, and the blend of them."""
