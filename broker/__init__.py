"""The OpenID provider, the once-only exchange, and everything that speaks HTTP."""
