"""The authorization request, from the wire to a decided journey."""
