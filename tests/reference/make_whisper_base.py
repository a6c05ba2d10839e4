#!/usr/bin/env python3
"""What transformers computes with the trained Whisper base on two recordings.

usage: make_whisper_base.py MODEL_DIR [--audio DIR] [--output DIR]

MODEL_DIR is Whisper base in the hub's layout (`verbatim-cli models path whisper-base`), read in
f32. Transcribes CLIPS of the audio folder (default: shared/audio beside the checkout), fails
where the words are not those of NAME.txt, which proves the checkpoint's conversion, and writes
DIR/NAME.safetensors (default tests/fixtures/whisper/base), f32 unless said otherwise:

  features        [80, K]    log-mel, frames features.frames [K] (i32) of the 3000
  encoder         [K, 512]   the encoder's last layer norm, rows encoder.frames [K] (i32)
  tokens          [T]        forced decoder input: prompt, then the greedy tokens (i32)
  logits.ids      [T, 200]   the 200 best tokens after tokens[i], best first (i32) ...
  logits.values   [T, 200]   ... and their logits
  logits.mean     [T]        mean of all logits after tokens[i]
  prompt          [4]        <|startoftranscript|> <|en|> <|transcribe|> <|notimestamps|> (i32)
  greedy          [N]        plain arg-max, no rule of any kind, 60 tokens or up to and with
                             <|endoftext|> (i32)
  greedy.margin   [N]        best logit minus the second
  times.tokens    [M]        text tokens of generate() with the suppression lists (i32)
  times.start     [M]        seconds at which the alignment path reaches each of them: dynamic
                             time warping over the alignment heads, cropped to the recording

Needs: pip install torch transformers safetensors soundfile. Written with transformers 5.23.
"""
import argparse
import re
from pathlib import Path

import soundfile
import torch
from transformers import (
    PreTrainedTokenizerFast,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from make_whisper import FIXTURES, GREEDY_STEPS, greedy, save

CLIPS = ["jfk", "sense_and_sensibility_01_austen_64kb-0870"]
SHARED_AUDIO = Path(__file__).resolve().parents[3] / "shared" / "audio"
FRAME_STEP = 50
BEST = 200


def words(text):
    text = text.replace("Mr.", "mister")
    return re.sub(r"[^a-z' ]", "", text.lower()).split()


def token_times(model, features, mask):
    """Text tokens and the second at which each starts, as transformers aligns them."""
    output = model.generate(features, attention_mask=mask, language="en", task="transcribe",
                            return_token_timestamps=True)
    return output["sequences"][0], output["token_timestamps"][0]


def reference_values(model, extracted, prompt, end):
    """The tensors the module describes, for one recording's features."""
    features = extracted.input_features
    encoder = model.model.encoder(features).last_hidden_state
    steps, margins = greedy(model, encoder, prompt, GREEDY_STEPS, end)
    forced = [*prompt, *steps]
    logits = model(encoder_outputs=(encoder,), decoder_input_ids=torch.tensor([forced])).logits[0]
    best = logits.topk(BEST)
    frames = torch.arange(0, encoder.shape[1], FRAME_STEP, dtype=torch.int32)
    tokens, starts = token_times(model, features, extracted.attention_mask)
    return {
        "features": features[0][:, frames * 2], "features.frames": frames * 2,
        "encoder": encoder[0, frames], "encoder.frames": frames,
        "tokens": torch.tensor(forced, dtype=torch.int32),
        "logits.ids": best.indices.to(torch.int32), "logits.values": best.values,
        "logits.mean": logits.mean(-1),
        "prompt": torch.tensor(prompt, dtype=torch.int32),
        "greedy": torch.tensor(steps, dtype=torch.int32), "greedy.margin": torch.tensor(margins),
        "times.tokens": tokens.to(torch.int32), "times.start": starts,
    }


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--audio", type=Path, default=SHARED_AUDIO)
    parser.add_argument("--output", type=Path, default=FIXTURES / "base")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    model = WhisperForConditionalGeneration.from_pretrained(
        arguments.model, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(arguments.model / "tokenizer.json"))
    extractor = WhisperFeatureExtractor.from_pretrained(arguments.model)
    prompt = tokenizer.convert_tokens_to_ids(
        ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"])
    arguments.output.mkdir(parents=True, exist_ok=True)
    for clip in CLIPS:
        samples, rate = soundfile.read(arguments.audio / f"{clip}.wav", dtype="float32")
        extracted = extractor(samples, sampling_rate=rate, return_attention_mask=True,
                              return_tensors="pt")
        values = reference_values(model, extracted, prompt, model.config.eos_token_id)
        text = tokenizer.decode(values["greedy"], skip_special_tokens=True)
        said = (arguments.audio / f"{clip}.txt").read_text()
        print(f"{clip}:{text}")
        if words(text) != words(said):
            raise SystemExit(f"{clip}: the words are not those of {clip}.txt: {said}")
        save(arguments.output / f"{clip}.safetensors", values, f"{clip}.wav:{text}")


if __name__ == "__main__":
    main()
