"""Whether the endpoint is there, and which model it has: a look at its list of models now and then."""

import asyncio

from assistant.inference.remote.endpoint import Endpoint
from assistant.inference.remote.errors import EndpointError, NoModel
from assistant.logs import Log

log = Log(__name__)
INTERVAL_SECONDS = 15.0
# While it is not there.
SHORT_INTERVAL_SECONDS = 2.0


class Probe:
    """Keeps looking; ``well`` may be read on any thread.

    An endpoint without a list of models is taken to be well when it answers at all and a model is named: its
    first completion tells. ``INTERVAL_SECONDS`` between two looks cost it next to nothing.
    """

    def __init__(self, model: str, *, advises: bool = True) -> None:
        """Look for ``model``, or with an empty name for the first one that is listed.

        Without ``advises`` an endpoint that is not there is no fault of the settings.
        """
        self._advises = advises
        self._wanted = self._model = model
        self._said = ""
        self.well = False

    @property
    def name(self) -> str:
        """The model's name as far as it is known; empty before the endpoint has listed one."""
        return self._model

    async def run(self, endpoint: Endpoint) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look(endpoint)
            except EndpointError as error:
                self._found(False, error.advice, str(error))
            except Exception as fault:
                self._found(False, EndpointError.advice, type(fault).__name__)
            await asyncio.sleep(INTERVAL_SECONDS if self.well else SHORT_INTERVAL_SECONDS)

    async def look(self, endpoint: Endpoint) -> None:
        """Look once.

        Raises:
            EndpointError: it is not there, or not usable.
        """
        names = await endpoint.models()
        if not self._wanted:
            if not names and not self._model:
                raise NoModel("no model is listed")
            self._model = names[0] if names else self._model
        elif names and self._wanted not in names:
            self._found(
                True, "ASSISTANT_BACKEND_MODEL: the endpoint does not list this model", ", ".join(names[:5])
            )
            return
        self._found(True, "", "")

    async def model(self, endpoint: Endpoint) -> str:
        """Return the model's name; looks for it where none was found yet.

        Raises:
            EndpointError: there is none.
        """
        if not self._model:
            await self.look(endpoint)
        return self._model

    def _found(self, well: bool, advice: str, detail: str) -> None:
        """Remember the outcome, and log it where it is a new one."""
        self.well = well
        if (said := f"{well} {advice} {detail}") == self._said:
            return
        self._said = said
        if not well and not self._advises:
            log.info("the endpoint is not there", error=detail)
        elif not well:
            log.error(advice, error=detail)
        elif advice:
            log.warning(advice, listed=detail)
        else:
            log.info("the endpoint is there", model=self._model)
