"""Encoders, recipes, losses, shard reading, training and evaluation; never imports Beam."""
