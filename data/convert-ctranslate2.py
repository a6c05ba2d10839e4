#!/usr/bin/env python3
"""Converts a Whisper model from CTranslate2's format to the layout of the Hugging Face hub.

    convert-ctranslate2.py SOURCE OUTPUT

SOURCE is a folder with model.bin, config.json and tokenizer.json. OUTPUT is a folder that
must not exist yet; it gets model.safetensors, config.json, generation_config.json,
preprocessor_config.json and tokenizer.json. It is built under a temporary name beside
OUTPUT and renamed at the end, so that OUTPUT is either complete or absent.

Only Python's standard library is used: this runs once, on a machine where nothing else is
installed yet. Numbers keep their type and their bits. Two things differ between the
formats: CTranslate2 stores query, key and value of self-attention (and key and value of
cross-attention) as one fused matrix, and gives the key a bias that is always zero.
"""

import json
import mmap
import os
import re
import shutil
import struct
import sys
import tempfile
from typing import NamedTuple

# CTranslate2's numbering of types, as safetensors names them, with the bytes of one element.
TYPES = {0: ("F32", 4), 1: ("I8", 1), 2: ("I16", 2), 3: ("I32", 4), 4: ("F16", 2), 5: ("BF16", 2)}
WEIGHT_TYPES = {"F32", "F16", "BF16"}
TORCH_TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
GELU = 3  # CTranslate2's ActivationType::GELU, the exact one
TIMESTAMPS = 1501  # <|0.00|> to <|30.00|> in steps of 20 ms
# The order of OpenAI's special tokens after the last language.
SPECIAL_TOKENS = ("translate", "transcribe", "startoflm", "startofprev", "nocaptions", "notimestamps")


class ConversionError(Exception):
    """What is wrong with the source, in one sentence."""


class Tensor(NamedTuple):
    type: str
    shape: tuple
    data: memoryview

    def rows(self, part, parts):
        """The part-th of `parts` equal blocks of rows."""
        rows = self.shape[0] // parts
        size = len(self.data) // parts
        return Tensor(self.type, (rows, *self.shape[1:]), self.data[part * size : (part + 1) * size])


class Reader:
    """Reads little-endian values from CTranslate2's file, never past its end."""

    def __init__(self, data):
        self.data = data
        self.offset = 0

    def take(self, size):
        if size > len(self.data) - self.offset:
            raise ConversionError("model.bin ends too early; download it again.")
        self.offset += size
        return self.data[self.offset - size : self.offset]

    def number(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def string(self):
        return bytes(self.take(self.number("H"))).rstrip(b"\0").decode()

    def tensor(self):
        shape = tuple(self.number("I") for _ in range(self.number("B")))
        code, size = self.number("B"), self.number("I")
        if code not in TYPES:
            raise ConversionError(f"model.bin has an element type {code} that is not known.")
        name, width = TYPES[code]
        count = width
        for extent in shape:
            count *= extent
        if count != size:
            raise ConversionError("model.bin has a tensor whose size contradicts its shape.")
        return Tensor(name, shape, self.take(size))


def read_variables(data):
    """All variables of the file, by CTranslate2's names."""
    reader = Reader(data)
    version = reader.number("I")
    spec = reader.string()
    reader.number("I")  # the revision of the spec
    if version != 6 or spec != "WhisperSpec":
        raise ConversionError(f"model.bin is '{spec}', version {version}; only WhisperSpec, version 6, is known.")
    variables = {}
    for _ in range(reader.number("I")):
        name = reader.string()
        variables[name] = reader.tensor()
    return variables


def scalar(variables, name):
    return int.from_bytes(variables[name].data, "little", signed=True)


def check_zero(tensor, name):
    if any(tensor.data):
        raise ConversionError(f"{name} should be zero and is not: this is not a Whisper model.")


def linear(variables, source, target, parts=("",), zero_bias="k_proj"):
    """The tensors of one fused linear layer, under the hub's names."""
    for index, part in enumerate(parts):
        for kind in ("weight", "bias"):
            tensor = variables[f"{source}/{kind}"].rows(index, len(parts))
            if kind == "bias" and part == zero_bias:
                check_zero(tensor, f"{source}/{kind}")
                continue
            yield f"{target}{part}.{kind}", tensor


def layer_norm(variables, source, target):
    yield f"{target}.weight", variables[f"{source}/gamma"]
    yield f"{target}.bias", variables[f"{source}/beta"]


def attention(variables, source, target, fused):
    """An attention block: `fused` lists what each linear layer of the source holds."""
    for index, parts in enumerate(fused):
        yield from linear(variables, f"{source}/linear_{index}", f"{target}.", parts)
    yield from layer_norm(variables, f"{source}/layer_norm", f"{target}_layer_norm")


def layer(variables, source, target):
    yield from attention(variables, f"{source}/self_attention", f"{target}.self_attn",
                         (("q_proj", "k_proj", "v_proj"), ("out_proj",)))
    if f"{source}/attention/linear_0/weight" in variables:
        yield from attention(variables, f"{source}/attention", f"{target}.encoder_attn",
                             (("q_proj",), ("k_proj", "v_proj"), ("out_proj",)))
    yield from linear(variables, f"{source}/ffn/linear_0", f"{target}.fc1")
    yield from linear(variables, f"{source}/ffn/linear_1", f"{target}.fc2")
    yield from layer_norm(variables, f"{source}/ffn/layer_norm", f"{target}.final_layer_norm")


def count_layers(variables, side):
    numbers = (re.match(rf"{side}/layer_(\d+)/", name) for name in variables)
    return 1 + max((int(found[1]) for found in numbers if found), default=-1)


def hub_tensors(variables):
    """Every tensor of the model under the hub's names. The output projection is the
    token embedding and is not stored twice."""
    for name in ("conv1", "conv2"):
        yield from linear(variables, f"encoder/{name}", f"model.encoder.{name}")
    yield "model.decoder.embed_tokens.weight", variables["decoder/embeddings/weight"]
    for side in ("encoder", "decoder"):
        yield f"model.{side}.embed_positions.weight", variables[f"{side}/position_encodings/encodings"]
        for index in range(count_layers(variables, side)):
            yield from layer(variables, f"{side}/layer_{index}", f"model.{side}.layers.{index}")
        yield from layer_norm(variables, f"{side}/layer_norm", f"model.{side}.layer_norm")


def write_safetensors(path, tensors):
    header = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        if tensor.type not in WEIGHT_TYPES:
            raise ConversionError(f"{name} is quantised ({tensor.type}); take the unquantised model.")
        header[name] = {"dtype": tensor.type, "shape": tensor.shape,
                        "data_offsets": [offset, offset + len(tensor.data)]}
        offset += len(tensor.data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # keeps the data aligned, as safetensors asks
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for tensor in tensors.values():
            file.write(tensor.data)
        file.flush()
        os.fsync(file.fileno())


class Vocabulary:
    """The special tokens. Their numbers follow from where <|endoftext|> is and how many
    languages come after <|startoftranscript|>; both are read from the tokenizer."""

    def __init__(self, tokenizer, size):
        ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
        missing = [name for name in ("endoftext", "startoftranscript", *SPECIAL_TOKENS)
                   if f"<|{name}|>" not in ids]
        if missing:
            raise ConversionError(f"tokenizer.json lacks the token <|{missing[0]}|>.")
        self.end = ids["<|endoftext|>"]
        self.start = ids["<|startoftranscript|>"]
        self.translate, self.transcribe, _, self.previous, _, self.no_timestamps = (
            ids[f"<|{name}|>"] for name in SPECIAL_TOKENS)
        self.languages = {text: id for text, id in ids.items() if self.start < id < self.translate}
        # English-only models kept GPT-2's vocabulary, which has one token fewer.
        self.multilingual = size >= 51865
        if self.no_timestamps + 1 + TIMESTAMPS != size:
            raise ConversionError("tokenizer.json and model.bin have vocabularies of different sizes.")


def model_config(variables, settings, vocabulary):
    embeddings = variables["decoder/embeddings/weight"]
    config = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "is_encoder_decoder": True,
        "scale_embedding": False,
        "d_model": embeddings.shape[1],
        "vocab_size": embeddings.shape[0],
        "num_mel_bins": variables["encoder/conv1/weight"].shape[1],
        "max_source_positions": variables["encoder/position_encodings/encodings"].shape[0],
        "max_target_positions": variables["decoder/position_encodings/encodings"].shape[0],
        "max_length": variables["decoder/position_encodings/encodings"].shape[0],
        "num_hidden_layers": count_layers(variables, "encoder"),
        "bos_token_id": vocabulary.end,
        "eos_token_id": vocabulary.end,
        "pad_token_id": vocabulary.end,
        "decoder_start_token_id": vocabulary.start,
        "begin_suppress_tokens": settings["suppress_ids_begin"],
        "suppress_tokens": settings["suppress_ids"],
        "torch_dtype": TORCH_TYPES[embeddings.type],
    }
    for side in ("encoder", "decoder"):
        config[f"{side}_layers"] = count_layers(variables, side)
        config[f"{side}_attention_heads"] = scalar(variables, f"{side}/num_heads")
        config[f"{side}_ffn_dim"] = variables[f"{side}/layer_0/ffn/linear_0/weight"].shape[0]
    return config


def generation_config(config, settings, vocabulary):
    generation = {
        "alignment_heads": settings["alignment_heads"],
        "begin_suppress_tokens": settings["suppress_ids_begin"],
        "suppress_tokens": settings["suppress_ids"],
        "bos_token_id": vocabulary.end,
        "eos_token_id": vocabulary.end,
        "pad_token_id": vocabulary.end,
        "decoder_start_token_id": vocabulary.start,
        "is_multilingual": vocabulary.multilingual,
        "max_initial_timestamp_index": 50,
        "max_length": config["max_length"],
        "no_timestamps_token_id": vocabulary.no_timestamps,
        "prev_sot_token_id": vocabulary.previous,
        "return_timestamps": False,
    }
    if vocabulary.multilingual:
        generation["lang_to_id"] = vocabulary.languages
        generation["task_to_id"] = {"transcribe": vocabulary.transcribe, "translate": vocabulary.translate}
        generation["forced_decoder_ids"] = [[1, None], [2, vocabulary.transcribe]]
    else:
        generation["forced_decoder_ids"] = [[1, vocabulary.no_timestamps]]
    return generation


def preprocessor_config(config):
    rate, hop, seconds = 16000, 160, 30
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": config["num_mel_bins"],
        "sampling_rate": rate,
        "hop_length": hop,
        "n_fft": 400,
        "chunk_length": seconds,
        "n_samples": rate * seconds,
        "nb_max_frames": rate * seconds // hop,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def add_timestamps(tokenizer, first):
    """The hub's tokenizer.json names the timestamps; CTranslate2's leaves them out."""
    known = {token["id"] for token in tokenizer["added_tokens"]}
    for step in range(TIMESTAMPS):
        if first + step not in known:
            tokenizer["added_tokens"].append({
                "id": first + step, "content": f"<|{step * 0.02:.2f}|>", "single_word": False,
                "lstrip": False, "rstrip": False, "normalized": False, "special": False})


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def convert(source, output):
    settings = read_json(os.path.join(source, "config.json"))
    tokenizer = read_json(os.path.join(source, "tokenizer.json"))
    with open(os.path.join(source, "model.bin"), "rb") as file:
        variables = read_variables(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    if scalar(variables, "decoder/activation") != GELU:
        raise ConversionError("model.bin does not use GELU: this is not a Whisper model.")
    vocabulary = Vocabulary(tokenizer, variables["decoder/embeddings/weight"].shape[0])
    config = model_config(variables, settings, vocabulary)
    add_timestamps(tokenizer, vocabulary.no_timestamps + 1)

    write_safetensors(os.path.join(output, "model.safetensors"), dict(hub_tensors(variables)))
    write_json(os.path.join(output, "config.json"), config)
    write_json(os.path.join(output, "generation_config.json"),
               generation_config(config, settings, vocabulary))
    write_json(os.path.join(output, "preprocessor_config.json"), preprocessor_config(config))
    write_json(os.path.join(output, "tokenizer.json"), tokenizer)


def main():
    if len(sys.argv) != 3:
        sys.stderr.write("usage: convert-ctranslate2.py SOURCE OUTPUT\n")
        return 2
    source, output = sys.argv[1], os.path.abspath(sys.argv[2])
    os.makedirs(os.path.dirname(output), exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=".converting-", dir=os.path.dirname(output))
    try:
        convert(source, temporary)
        os.chmod(temporary, 0o755)
        os.rename(temporary, output)
    except KeyError as error:
        sys.stderr.write(f"{source}: {error.args[0]} is missing; take the complete Whisper model.\n")
        return 1
    except (ConversionError, OSError, ValueError) as error:
        sys.stderr.write(f"{source}: {error}\n")
        return 1
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
