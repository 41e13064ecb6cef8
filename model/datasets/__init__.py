"""Readers of public and users' data sets, each turned once into model.annotations clips. No torch."""
