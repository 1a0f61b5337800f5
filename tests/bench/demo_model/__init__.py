"""How often the demonstration models give the right answer, asked over HTTP."""
