"""Fitting the heads whose forward passes `q2_aam.model.heads` holds."""
