"""How a model is judged before it takes another one's place."""
