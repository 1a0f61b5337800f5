"""Expected texts that others publish, and how they were made."""
