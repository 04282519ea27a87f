"""A Llama of random weights, shaped like Llama-3-8B and a million times smaller. Needs torch and transformers."""

import shutil
from pathlib import Path

# Llama 3's own: attention heads share keys and values in groups, positions turn slowly, output apart from input.
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 224,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "rope_theta": 500_000.0,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
}
CONFIG = """{
  "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "lora_dropout": %s, "bias": "none",
  "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
  "layers_to_transform": [2, 3]
}
"""


def write_base(folder: Path, vocabulary: int, tokenizer: Path | None = None) -> Path:
    """Write the model to *folder*, with the files of the tokenizer that lies at *tokenizer*."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(11)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **SHAPE))
    model.lm_head.weight.data *= 10  # as drawn, a head this narrow cannot say anything with certainty
    model.to(torch.bfloat16).save_pretrained(folder)
    for path in tokenizer.glob("*token*") if tokenizer else ():
        shutil.copy(path, folder)
    return folder


def write_experiment(folder: Path, plan: str, dropout: float = 0.0) -> Path:
    """Write the experiment's two files to *folder*; *plan* is the text of its ``training.json``."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(CONFIG % dropout, "utf-8")
    (folder / "training.json").write_text(plan, "utf-8")
    return folder
