"""A causal language model small enough to make on the spot: random weights, real parts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


TINY = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 2048,
}  # fmt: skip
# Bytes with which UTF-8 may go wrong, as byte-level tokenizers spell them: C0, C1, E0, ED, F0 and
# F4 to FF. llama-server answers 500 to a text that is none.
BROKEN = "ÀÁàíðôõö÷øùúûüý"
# In place of the two that are left: tags of a thinking model, which has a token for each.
THOUGHTS = {"þ": "<think>", "ÿ": "</think>"}


def make_llama(folder: Path, texts: Iterable[str], **changed: Any) -> Path:
    """Saves a random Llama, of two layers by default, with a byte-level tokenizer and a template.

    Args:
        folder: Where to.
        texts: What the tokenizer is trained on.
        changed: Fields of its configuration that differ from ``TINY``.
    """
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    bpe.train_from_iterator(texts, vocab_size=1024, min_frequency=2, special_tokens=special,
                            show_progress=False)  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, eos_token="<|end|>", pad_token="<|end|>",
        additional_special_tokens=special[1:], chat_template=TEMPLATE,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, **TINY | changed,
    )  # fmt: skip
    LlamaForCausalLM(config).to(config.dtype).save_pretrained(folder)
    return folder


def write_gguf(folder: Path, file: Path, context: int) -> Path:
    """Writes what ``make_llama`` has saved as a file of llama.cpp.

    Queries and keys stay in the order of Transformers, which random weights do not care about.

    Args:
        folder: Where the model is.
        file: Where to.
        context: Longest request with its answer, in tokens, as the file says.
    """
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    special = {token["content"] for token in tokenizer["added_tokens"]}
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    tokens = [THOUGHTS.get(token, token) for token in tokens]
    kinds = dict.fromkeys(tokens, gguf.TokenType.NORMAL)
    kinds |= dict.fromkeys([*special, *THOUGHTS.values()], gguf.TokenType.CONTROL)
    kinds |= dict.fromkeys(BROKEN, gguf.TokenType.UNUSED)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds[token] for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_chat_template(TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, weights in load_file(folder / "model.safetensors").items():
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
