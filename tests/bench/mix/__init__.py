"""How many questions a second the assistant answers where most of them are frequent ones."""
