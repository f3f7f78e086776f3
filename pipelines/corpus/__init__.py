"""Corpora: raw text to documents, documents to rows of a given number of pieces, masked if wanted."""
