"""What may be shared and why, and the ledger that proves it."""
