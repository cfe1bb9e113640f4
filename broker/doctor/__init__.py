"""The doctor: gathers facts about an installation, judges each by itself, and says what to do (RFC 9700, FAPI 2.0, the deployment)."""
