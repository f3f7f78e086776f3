"""One file per recipe; this folder is the list."""
