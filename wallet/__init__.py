"""Verifiable credentials: offer, proof, issuance."""
