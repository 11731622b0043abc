"""Backends: what stands behind a model player. Each is an OpenAI-compatible server, on this machine or elsewhere."""
