"""A backend whose model runs elsewhere: any OpenAI-compatible URL.

Source of what is asked for and answered: platform.openai.com/docs/api-reference/chat, as far as vLLM,
llama-server, ollama and the cloud APIs agree with it.
"""
