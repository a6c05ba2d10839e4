#!/usr/bin/env python3
"""Small random Whisper checkpoints and what transformers computes with them.

usage: make_whisper.py [--output DIR] [NAME ...]

Writes DIR/NAME/ (default tests/fixtures/whisper) for every checkpoint of CHECKPOINTS, in the
hub's layout, with its expected values beside it:

  config.json, generation_config.json, preprocessor_config.json, tokenizer.json
  model.safetensors, or shards with model.safetensors.index.json
  expected.safetensors, f32 unless said otherwise, all of speech.wav (beside the checkpoints):
    features          [n_mels, K]    log-mel, frames features.frames [K] (i32) of the window
    encoder           [K, d_model]   the encoder's last layer norm, rows encoder.frames [K] (i32)
    tokens            [T]            forced decoder input from <|startoftranscript|> on (i32)
    logits            [T, vocab]     row i is the distribution after tokens[i], before softmax
    alignment_heads   [H, 2]         (layer, head) of each row below (i32)
    cross_attention   [H, T, K]      softmaxed weights over the frames encoder.frames
    prompt            [P]            input of the greedy run (i32)
    greedy            [N]            arg-max of the last row, fed back, N steps; no rule of any
                                     kind is applied and <|endoftext|> would not stop it (i32)
    greedy.margin     [N]            best logit minus the second: how safe the choice is

and DIR/features.safetensors: mel80 [80, K] and mel128 [128, K] of speech.wav padded to 30 s,
frames [K] (i32).

The checkpoint is saved first and read back in f32, so f16 weights are compared as rounded.
Needs: pip install torch transformers safetensors soundfile. Written with transformers 5.23.
"""
import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy
import soundfile
import torch
from safetensors.numpy import save_file
from transformers import (
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.models.whisper.tokenization_whisper import LANGUAGES

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "whisper"
TIMESTAMPS = 1501  # <|0.00|> to <|30.00|> by 0.02 s
GREEDY_STEPS = 60


@dataclass
class Checkpoint:
    """One random checkpoint: its shape, its layout of tokens, and how it is stored."""

    name: str
    mels: int
    d_model: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    ffn: int
    positions: int  # of the encoder: 50 a second
    alignment_heads: list
    dtype: torch.dtype = torch.float32
    multilingual: bool = True
    timestamp_names: bool = False  # older tokenizer.json do not list the timestamps
    cantonese: bool = False  # large-v3 has a hundredth language, so all that follow move by one
    shard: str = "1GB"
    frame_step: int = 5


CHECKPOINTS = [
    Checkpoint("multilingual", 80, 64, 4, 2, 2, 128, 250, [[0, 1], [1, 0], [1, 3]],
               timestamp_names=True),
    Checkpoint("distil", 128, 48, 3, 3, 1, 192, 250, [[0, 0], [0, 2]], torch.float16,
               cantonese=True),
    Checkpoint("english", 80, 32, 2, 1, 2, 64, 1500, [[1, 0], [1, 1]], torch.float16,
               multilingual=False, shard="150KB", frame_step=25),
]

# The merges of the toy vocabulary, in rank order; "Ġ" is the byte-level name of a space.
MERGES = """
Ġ t|h e|Ġ a|Ġt he|i n|r e|o n|e r|Ġ s|a t|o u|Ġ w|e n|n d|Ġ o|i s|Ġo f|Ġa nd|in g|Ġ b|e d|Ġt o
Ġ m|Ġ h|ou l|oul d|l l|Ġ in|Ġ he|Ġb e|e s|o r|Ġs h|a s|Ġw as|Ġh is|Ġs he|i t|Ġ it|Ã ©|ä ¸|ä¸ Ń
""".replace("\n", "|").strip("|").split("|")


def byte_names():
    """GPT-2's names of the 256 bytes, in the order of its vocabulary: printable ones first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in printable] + [chr(0x100 + n) for n in range(256 - len(printable))]


def special_tokens(checkpoint):
    """The tokens from <|endoftext|> to <|notimestamps|>, in the order of the trained models."""
    languages = [code for code in LANGUAGES if checkpoint.cantonese or code != "yue"]
    names = ["endoftext", "startoftranscript", *languages, "translate", "transcribe",
             "startoflm", "startofprev", "nospeech", "notimestamps"]
    return [f"<|{name}|>" for name in names]


def timestamp_tokens():
    return [f"<|{0.02 * i:.2f}|>" for i in range(TIMESTAMPS)]


def tokenizer_json(checkpoint):
    """A byte-level BPE in the form of the published tokenizer.json."""
    text = byte_names() + [merge.replace(" ", "") for merge in MERGES]
    if checkpoint.multilingual:
        text.append("")  # as in the published multilingual vocabulary
    specials = special_tokens(checkpoint)
    timestamps = timestamp_tokens() if checkpoint.timestamp_names else []
    added = [{"id": len(text) + i, "content": token, "single_word": False, "lstrip": False,
              "rstrip": False, "normalized": False, "special": i < len(specials)}
             for i, token in enumerate(specials + timestamps)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": False, "vocab": {token: i for i, token in enumerate(text)},
                  "merges": MERGES},
    }


def generation_config(checkpoint, ids):
    """generation_config.json with the fields of the published ones."""
    config = {
        "alignment_heads": checkpoint.alignment_heads,
        "begin_suppress_tokens": [ids["Ġ"], ids["<|endoftext|>"]],
        "bos_token_id": ids["<|endoftext|>"],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "eos_token_id": ids["<|endoftext|>"],
        "is_multilingual": checkpoint.multilingual,
        "max_initial_timestamp_index": 50,
        "max_length": 64,
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "return_timestamps": False,
        "suppress_tokens": sorted(ids[c] for c in '"#()*+/:;<=>@[\\]^_`{|}~') + [
            ids[f"<|{name}|>"] for name in ("startoftranscript", "translate", "transcribe",
                                            "startoflm", "startofprev", "nospeech")],
    }
    if checkpoint.multilingual:
        languages = special_tokens(checkpoint)[2:-6]
        config["lang_to_id"] = {token: ids[token] for token in languages}
        config["task_to_id"] = {name: ids[f"<|{name}|>"] for name in ("transcribe", "translate")}
    return config


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")


def model_config(checkpoint, ids):
    return WhisperConfig(
        vocab_size=ids["<|notimestamps|>"] + 1 + TIMESTAMPS,
        num_mel_bins=checkpoint.mels, d_model=checkpoint.d_model,
        encoder_layers=checkpoint.encoder_layers, decoder_layers=checkpoint.decoder_layers,
        encoder_attention_heads=checkpoint.heads, decoder_attention_heads=checkpoint.heads,
        encoder_ffn_dim=checkpoint.ffn, decoder_ffn_dim=checkpoint.ffn,
        max_source_positions=checkpoint.positions, max_target_positions=64,
        decoder_start_token_id=ids["<|startoftranscript|>"], tie_word_embeddings=True,
        pad_token_id=ids["<|endoftext|>"], bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"], suppress_tokens=None, begin_suppress_tokens=None)


def fill_weights(model, seed):
    """Random weights that keep attention between uniform and one-hot, and logits spread.

    A weight's deviation is its gain over the root of the inputs it sums; names are visited in
    order, so that the draw does not depend on the class's layout."""
    gains = {"conv": 3.0, "q_proj": 1.7, "k_proj": 1.7}
    random = numpy.random.default_rng(seed)
    for name, parameter in sorted(model.named_parameters()):
        draw = torch.from_numpy(random.standard_normal(parameter.shape, dtype=numpy.float32))
        if name == "model.encoder.embed_positions.weight":
            continue  # sinusoids, as trained models have them
        if "layer_norm" in name:
            value = 1 + 0.2 * draw if name.endswith("weight") else 0.1 * draw
        elif name.endswith("bias"):
            value = 0.1 * draw
        elif "embed_positions" in name:
            value = 2.0 * draw  # large, or greedy decoding soon repeats itself
        elif "embed_tokens" in name:
            value = 0.6 * draw
        else:
            gain = next((g for part, g in gains.items() if part in name), 1.2)
            value = draw * gain / numpy.sqrt(parameter[0].numel())
        parameter.data.copy_(value)


def greedy(model, encoder, prompt, steps, end=None):
    """Arg-max continuation of `prompt`, each step computed anew from the whole sequence.

    Returns the tokens, up to and with `end` where there is one, and by how much each led."""
    tokens, margins = list(prompt), []
    while len(margins) < steps and tokens[-1] != end:
        logits = model(encoder_outputs=(encoder,),
                       decoder_input_ids=torch.tensor([tokens])).logits[0, -1]
        best = logits.topk(2)
        tokens.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
    return tokens[len(prompt):], margins


def expected_values(checkpoint, model, tokenizer, features):
    """What the model computes from `features` [n_mels, frames], as the module describes."""
    ids = tokenizer.get_vocab()
    task = ["<|en|>", "<|transcribe|>"] if checkpoint.multilingual else []
    start = [ids[token] for token in ["<|startoftranscript|>", *task]]
    zero = ids["<|notimestamps|>"] + 1  # <|0.00|>
    forced = [*start, zero, *tokenizer.encode(" the time of day, café"), zero + 100]
    prompt = [*start, ids["<|notimestamps|>"]]
    encoder = model.model.encoder(features[None]).last_hidden_state
    output = model(encoder_outputs=(encoder,), decoder_input_ids=torch.tensor([forced]),
                   output_attentions=True)
    steps, margins = greedy(model, encoder, prompt, GREEDY_STEPS)
    frames = torch.arange(0, checkpoint.positions, checkpoint.frame_step, dtype=torch.int32)
    heads = [output.cross_attentions[layer][0, head]
             for layer, head in checkpoint.alignment_heads]
    return {
        "features": features[:, frames * 2], "features.frames": frames * 2,
        "encoder": encoder[0, frames], "encoder.frames": frames,
        "tokens": torch.tensor(forced, dtype=torch.int32), "logits": output.logits[0],
        "alignment_heads": torch.tensor(checkpoint.alignment_heads, dtype=torch.int32),
        "cross_attention": torch.stack(heads)[:, :, frames],
        "prompt": torch.tensor(prompt, dtype=torch.int32),
        "greedy": torch.tensor(steps, dtype=torch.int32), "greedy.margin": torch.tensor(margins),
    }


def degenerate(values, end_of_text):
    """Why a draw would prove little, or None."""
    steps = values["greedy"].tolist()
    peak = values["cross_attention"].amax(-1)
    if end_of_text in steps:
        return "greedy ends"
    if len(set(steps)) < 30:
        return f"only {len(set(steps))} tokens differ"
    if values["greedy.margin"].min() < 0.01:
        return f"a choice is too close ({values['greedy.margin'].min():.4f})"
    if not 0.01 < peak.median() < 0.9:
        return f"attention peaks at {peak.median():.3f}"
    return None


def extractor(mels, positions):
    return WhisperFeatureExtractor(feature_size=mels, chunk_length=positions // 50)


def log_mel(samples, mels, positions):
    features = extractor(mels, positions)(samples, sampling_rate=16000, return_tensors="pt")
    return features.input_features[0]


def save(path, values, about):
    """One line of metadata, for several would be written in any order."""
    arrays = {name: value.contiguous().numpy() for name, value in values.items()}
    save_file(arrays, path, metadata={"about": about})


@torch.no_grad()
def make(checkpoint, samples, output):
    folder = output / checkpoint.name
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.iterdir():
        stale.unlink()
    write_json(folder / "tokenizer.json", tokenizer_json(checkpoint))
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    ids = tokenizer.get_vocab()
    features = log_mel(samples, checkpoint.mels, checkpoint.positions)
    for seed in range(100):
        model = WhisperForConditionalGeneration(model_config(checkpoint, ids))
        fill_weights(model, seed)
        model.to(checkpoint.dtype).to(torch.float32).eval().set_attn_implementation("eager")
        values = expected_values(checkpoint, model, tokenizer, features)
        problem = degenerate(values, ids["<|endoftext|>"])
        print(f"{checkpoint.name}: seed {seed}: {problem or 'kept'}")
        if not problem:
            break
    else:
        raise SystemExit(f"{checkpoint.name}: every draw is degenerate")
    model.to(checkpoint.dtype).save_pretrained(folder, max_shard_size=checkpoint.shard)
    write_json(folder / "generation_config.json", generation_config(checkpoint, ids))
    extractor(checkpoint.mels, checkpoint.positions).save_pretrained(folder)
    save(folder / "expected.safetensors", values, f"speech.wav, seed {seed}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=FIXTURES)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    samples, _ = soundfile.read(FIXTURES / "speech.wav", dtype="float32")
    for checkpoint in CHECKPOINTS:
        if not arguments.names or checkpoint.name in arguments.names:
            make(checkpoint, samples, arguments.output)
    frames = torch.arange(0, 400, 5, dtype=torch.int32)
    save(arguments.output / "features.safetensors",
         {"mel80": log_mel(samples, 80, 1500)[:, frames],
          "mel128": log_mel(samples, 128, 1500)[:, frames], "frames": frames},
         "speech.wav")


if __name__ == "__main__":
    main()
