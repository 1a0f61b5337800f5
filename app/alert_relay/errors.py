"""What can go wrong with a delivery, by what has to happen next."""

from __future__ import annotations


class DeliveryError(Exception):
    """A message was not delivered; the text says why, ``remedy`` what an operator does about it."""

    def __init__(self, reason: str, remedy: str = "", retry_after: float | None = None) -> None:
        """Make an error.

        Args:
            reason: what the platform said.
            remedy: what an operator has to change; empty when time alone helps.
            retry_after: seconds that the platform asks to wait, None when it says nothing.
        """
        super().__init__(reason)
        self.remedy = remedy
        self.retry_after = retry_after


class Unreachable(DeliveryError):
    """The platform or the way to it is down; the same message may pass later."""


class Limited(DeliveryError):
    """Too many messages; the same message passes after a pause."""


class Misconfigured(DeliveryError):
    """No message will pass before an operator changes something; messages wait for that."""


class Refused(DeliveryError):
    """This very message is not taken, others may be."""
