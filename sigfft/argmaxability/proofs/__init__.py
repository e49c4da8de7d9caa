"""Proofs of verdicts and their file format. Nothing here imports a solver or the search: what it accepts is true."""
