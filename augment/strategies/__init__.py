"""Strategies: ways to make new rows from one, a file each; this folder is the list."""
