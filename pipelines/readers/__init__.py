"""Readers of file formats: this folder is the list; to add a reader, add a file with `SUFFIXES` and `records`."""
