"""Pictures and one-file pages."""
