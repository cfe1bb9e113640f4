"""Tokens and the proofs that come with them."""
