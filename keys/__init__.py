"""Secrets, signatures, sealing and digests: the only package that touches cryptography."""
