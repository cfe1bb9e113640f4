"""Where private signing keys come from."""
