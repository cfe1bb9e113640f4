"""How a person signs in, and the session that follows."""
