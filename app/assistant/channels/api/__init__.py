"""An API in OpenAI's shape, for programs."""

PLATFORM = "api"
