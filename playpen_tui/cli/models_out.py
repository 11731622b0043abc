"""`models export` and `models push`: what came out of a training, for elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from playpen_tui.cli.common import json_option, print_json
from playpen_tui.plain_text import plain


@click.command()
@click.argument("name")
@click.option("--merged", type=click.Path(file_okay=False, path_type=Path), help="A new folder for safetensors.")
@click.option("--gguf", type=click.Path(dir_okay=False, path_type=Path), help="A new file for llama.cpp.")
@click.option(
    "--outtype",
    type=click.Choice(["f32", "f16", "bf16", "q8_0"]),
    default="q8_0",
    show_default=True,
    help="Numbers of the GGUF file.",
)
def export(name: str, merged: Path | None, gguf: Path | None, outtype: str) -> None:
    """Write the model NAME whole, its adapter added to the weights: as safetensors, or as GGUF for llama.cpp.

    GGUF files are made by llama.cpp's own script, found on PATH or in the checkout that PLAYPEN_LLAMA_CPP names.
    """
    from players.registry import Registry
    from training import export as out

    if (merged is None) == (gguf is None):
        raise click.UsageError("say where to: --merged DIR for safetensors, or --gguf FILE for llama.cpp")
    registry = Registry.load()
    if gguf is not None:
        made, play = out.gguf(name, registry, gguf, outtype), f"llamacpp:{gguf}"
    else:
        assert merged is not None
        made, play = out.merged(name, registry, merged), f"transformers:{merged}"
    print(plain(f"{name} is in {made}"))
    print(plain(f"play it: playpen-tui play taboo --vs {play}"))


@click.command()
@click.argument("name")
@click.option("--to", required=True, metavar="OWNER/NAME", help="The repository; it is made where it is not there.")
@click.option("--base", default="", metavar="OWNER/NAME", help="The adapter's base, as others find it on the hub.")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--dry-run", is_flag=True, help="Say what would be pushed, and push nothing.")
@json_option
def push(name: str, to: str, base: str, private: bool, dry_run: bool, as_json: bool) -> None:
    """Push the trained model NAME with its card to the Hugging Face hub.

    Weights, configuration, tokenizer and card are copied, and nothing else; no path of this machine is in them.
    """
    from players.registry import Registry
    from training import export as out

    pushed = out.push(name, Registry.load(), to, base=base, private=private, dry=dry_run)
    if as_json:
        print_json(asdict(pushed))
        return
    for file, size in pushed.files.items():
        print(plain(f"  {file}  {size:,} bytes"))
    print(plain(f"{name} is at {pushed.url}" if pushed.url else f"{name} would be pushed to {to}; nothing was sent"))
