"""Whether vLLM really runs in this environment: imports it, and says in one sentence what is wrong if it does not."""

from __future__ import annotations

import importlib
import sys
from typing import Any

INDEX = 'make test-vllm VLLM_TORCH="--extra-index-url https://download.pytorch.org/whl/cpu"'


def main() -> None:
    """Print the versions, or leave with a sentence."""
    torch: Any = importlib.import_module("torch")
    if torch.version.cuda is not None:
        sys.exit(
            f"torch {torch.__version__} is a CUDA build, and vLLM needs a CPU one here: remove this folder, {INDEX}"
        )
    try:
        vllm: Any = importlib.import_module("vllm")
        importlib.import_module("vllm.v1.engine.async_llm")
        platform: Any = importlib.import_module("vllm.platforms").current_platform
    except Exception as error:
        sys.exit(f"vLLM was installed and cannot be imported ({type(error).__name__}: {error}): compare envs/vllm.txt")
    if not platform.is_cpu():
        sys.exit(f"this vLLM was built for {platform.device_type or 'nothing it finds here'}, not for a CPU")
    print(f"vLLM {vllm.__version__} imports here, with torch {torch.__version__}")


if __name__ == "__main__":
    main()
