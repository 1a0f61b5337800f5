"""Inference: turning a conversation into the next answer. It knows nothing of channels."""
