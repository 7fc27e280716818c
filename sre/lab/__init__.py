"""Proofs that run: the compiled rules in real programs, with every fault struck and healed."""
