"""Messages from both platforms while the assistant is killed and the network fails: none is lost."""
