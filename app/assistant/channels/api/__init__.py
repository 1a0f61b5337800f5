"""An API in OpenAI's shape, for programs."""

from assistant.messages import API

PLATFORM = API
