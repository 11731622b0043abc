"""A tiny model with random weights and a tokenizer of its own, and a recipe for it: a training takes a second."""

from __future__ import annotations

from training.recipe import checked

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny(folder):
    """Two layers of 32, tied embeddings, byte-level tokens, a ChatML template; deterministic."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<unk>", "<|im_start|>", "<|im_end|>", *letters]
    inner = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=[], unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<unk>",
        chat_template=CHATML,
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


RECIPE = {
    "method": "sft",
    "lora": {"rank": 4, "alpha": 8, "dropout": 0.1},
    "steps": {"learning_rate": 1e-2, "batch": 2, "steps": 4, "max_length": 2048, "save_every": 2, "seed": 3},
    "machine": {"dtype": "float32", "threads": 1, "device": "cpu"},
    "check": {"instances": 0},
}


def laid(**parts):
    """The recipe of these tests with some fields changed, by part."""
    return checked({**RECIPE, **{key: {**RECIPE.get(key, {}), **value} for key, value in parts.items()}})
