"""Fetching what registers know, sealed until consent opens it."""
