#!/usr/bin/env python3
"""Compares what `verbatim-cli trace` wrote for Whisper with transformers, run here in f32.

usage: verbatim-cli trace --model DIR --tokens 50258,50259,… --output T.safetensors A.wav
       compare_trace.py --model DIR --tokens 50258,50259,… A.wav T.safetensors

A line a stage (features [n_mels, frames], encoder [frames, d], logits [tokens, vocab]):
largest absolute difference, norm of the difference over the reference's norm, least cosine
of a row (a frame's, for features), and for logits the rows whose best token is the same.
Exit status 1 where a stage is out of the bounds (see --help; the defaults are those for f32,
for int8 give --relative 1 --cosine 0.999).

Needs: pip install torch transformers safetensors soundfile. Written with transformers 5.23.
"""
import argparse
import sys
from pathlib import Path

import numpy
import soundfile
import torch
from safetensors.numpy import load_file
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration


@torch.no_grad()
def reference_trace(folder, audio, tokens):
    """The three stages as transformers computes them, named and shaped as in a trace."""
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    extractor = WhisperFeatureExtractor.from_pretrained(folder)
    samples, rate = soundfile.read(audio, dtype="float32")
    features = extractor(samples, sampling_rate=rate, return_tensors="pt").input_features
    encoder = model.model.encoder(features).last_hidden_state
    trace = {"features": features[0], "encoder": encoder[0]}
    if tokens:
        output = model(encoder_outputs=(encoder,), decoder_input_ids=torch.tensor([tokens]))
        trace["logits"] = output.logits[0]
    return {name: value.numpy() for name, value in trace.items()}


def least_cosine(ours, theirs):
    """Over the rows; a row of zeros counts as alike only to another."""
    dots = (ours * theirs).sum(-1)
    norms = numpy.linalg.norm(ours, axis=-1) * numpy.linalg.norm(theirs, axis=-1)
    return float(numpy.min((dots + 1e-12) / (norms + 1e-12)))


def compare(stage, ours, theirs, bounds):
    """Prints a stage's line; returns whether it is within the bounds."""
    if ours.shape != theirs.shape:
        print(f"{stage:9} shape {list(ours.shape)}, expected {list(theirs.shape)}")
        return False
    ours, theirs = ours.astype(numpy.float64), theirs.astype(numpy.float64)
    absolute = float(numpy.abs(ours - theirs).max())
    relative = float(numpy.linalg.norm(ours - theirs) / numpy.linalg.norm(theirs))
    rows = (ours.T, theirs.T) if stage == "features" else (ours, theirs)
    cosine = least_cosine(*rows)
    line = f"{stage:9} max abs {absolute:.2e}  relative {relative:.2e}  cosine {cosine:.7f}"
    if stage == "logits":
        same = int((ours.argmax(-1) == theirs.argmax(-1)).sum())
        line += f"  best token {same}/{len(ours)}"
    print(line)
    if stage == "features":
        return absolute <= bounds.features
    return relative <= bounds.relative and cosine >= bounds.cosine


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tokens", default="", help="what trace was given, 1,2,3")
    parser.add_argument("--features", type=float, default=1e-4, help="largest difference")
    parser.add_argument("--relative", type=float, default=1e-3, help="of encoder and logits")
    parser.add_argument("--cosine", type=float, default=0.99999, help="of encoder and logits")
    parser.add_argument("audio", type=Path)
    parser.add_argument("trace", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    tokens = [int(token) for token in arguments.tokens.split(",") if token]
    theirs = reference_trace(arguments.model, arguments.audio, tokens)
    ours = load_file(arguments.trace)
    missing = sorted(theirs.keys() - ours.keys())
    if missing:
        sys.exit(f"{arguments.trace} has no {' and no '.join(missing)}")
    fine = [compare(stage, ours[stage], value, arguments) for stage, value in theirs.items()]
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
