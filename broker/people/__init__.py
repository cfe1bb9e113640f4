"""The person record and its data key."""
