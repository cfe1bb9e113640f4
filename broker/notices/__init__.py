"""What the broker sends on its own: the outbox, and the kinds of letters in it."""
