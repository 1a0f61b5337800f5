"""A new model's way to the people: a share of them first, judged by numbers, rolled back by itself.

docs/rollout.md says how it decides. The candidate runs in a container of its own; everything else is here:
who is answered by it (``share``, ``arms``), what is known of both models (``evidence``, ``health``), what
follows from that (``judge``), and who sees to it (``keeper``).
"""
