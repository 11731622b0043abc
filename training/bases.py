"""Where the weights of a model lie as files that can be trained: GGUF files are unpacked beside the user's data."""

from __future__ import annotations

from pathlib import Path

from players.registry import data_dir


def unpacked(path: Path) -> Path:
    """The folder of a model's weights: where a GGUF file is, or will be, unpacked for training."""
    return bases() / f"{path.stem}-{path.stat().st_size}" if path.suffix == ".gguf" else path


def bases() -> Path:
    """Where GGUF files are unpacked to."""
    return data_dir() / "bases"
