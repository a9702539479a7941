"""Tiny causal language models with random weights, made on the spot: a tokenizer of whole words and two layers."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = (
    "{% for turn in messages %}<user> {{ turn['content'] }} {% endfor %}{% if add_generation_prompt %}<bot>{% endif %}"
)


def causal_model(folder: Path, texts: list[str], *, kind: str = "llama", chat: bool = False, width: int = 64) -> Path:
    """A folder with a Llama- or GPT-2-like model in safetensors whose tokenizer knows the words of `texts`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<pad>", "<unk>", "<end>", "<user>", "<bot>"]
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=special))
    known = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "<end>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **known)
    if chat:
        fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    size = {"vocab_size": tokenizer.get_vocab_size(), "pad_token_id": 0, "eos_token_id": 2, "bos_token_id": None}
    torch.manual_seed(0)
    if kind == "llama":
        shape = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": 4}
        made = LlamaForCausalLM(LlamaConfig(**size, **shape, max_position_embeddings=256))
    else:
        made = GPT2LMHeadModel(GPT2Config(**size, n_embd=width, n_layer=2, n_head=4, n_positions=256))
    made.save_pretrained(folder, safe_serialization=True)
    return folder
