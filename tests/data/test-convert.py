#!/usr/bin/env python3
"""data/convert-ctranslate2.py on a made-up model of one layer and on broken ones.

    test-convert.py CONVERTER
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import tap

CONVERTER = sys.argv.pop(1)
D, FFN, MELS, TEXT, AUDIO = 4, 6, 5, 7, 9
VOCABULARY = 51865
FIRST = VOCABULARY - 1501 - 8 - 99  # the number of <|endoftext|>
LANGUAGES = ["en", "zh"] + [f"x{i}" for i in range(97)]
F16, I8, I16 = 4, 1, 2


def tensors():
    """Name, shape and type of each variable; the numbers are made up when written."""
    yield "encoder/conv1/weight", (D, MELS, 3), F16
    yield "encoder/conv1/bias", (D,), F16
    yield "encoder/conv2/weight", (D, D, 3), F16
    yield "encoder/conv2/bias", (D,), F16
    yield "decoder/embeddings/weight", (VOCABULARY, D), F16
    for side, length in (("encoder", AUDIO), ("decoder", TEXT)):
        yield f"{side}/position_encodings/encodings", (length, D), F16
        yield f"{side}/num_heads", (), I16
        layer = f"{side}/layer_0"
        blocks = [(f"{layer}/self_attention", ((3 * D, D), (D, D)))]
        if side == "decoder":
            blocks.append((f"{layer}/attention", ((D, D), (2 * D, D), (D, D))))
        blocks.append((f"{layer}/ffn", ((FFN, D), (D, FFN))))
        for block, shapes in blocks:
            for index, shape in enumerate(shapes):
                yield f"{block}/linear_{index}/weight", shape, F16
                yield f"{block}/linear_{index}/bias", shape[:1], F16
        for norm in [side, *(block for block, _ in blocks)]:
            yield f"{norm}/layer_norm/gamma", (D,), F16
            yield f"{norm}/layer_norm/beta", (D,), F16
    yield "decoder/activation", (), I8


def made_up(name, shape, code):
    """Bytes that differ from tensor to tensor; zero where the format has zero."""
    if name == "decoder/activation":
        return b"\3"
    if code == I16:
        return struct.pack("<h", 2)
    count = 1
    for extent in shape:
        count *= extent
    seed = sum(name.encode())
    data = bytearray((seed + i) % 251 for i in range(2 * count))
    third, half = 2 * D, 2 * D
    if name.endswith("self_attention/linear_0/bias"):
        data[third : 2 * third] = bytes(third)  # the key's
    if name.endswith("layer_0/attention/linear_1/bias"):
        data[:half] = bytes(half)
    return bytes(data)


def string(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def model_bin(change=lambda name, data: data, spec="WhisperSpec"):
    variables = list(tensors())
    out = struct.pack("<I", 6) + string(spec) + struct.pack("<II", 3, len(variables))
    for name, shape, code in variables:
        data = change(name, made_up(name, shape, code))
        out += string(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape)
        out += struct.pack("<BI", code, len(data)) + data
    return out + struct.pack("<I", 0)


def tokenizer():
    names = ["endoftext", "startoftranscript", *LANGUAGES, "translate", "transcribe",
             "startoflm", "startofprev", "nocaptions", "notimestamps"]
    return {"added_tokens": [{"id": FIRST + i, "content": f"<|{name}|>", "special": True}
                             for i, name in enumerate(names)],
            "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}


SETTINGS = {"alignment_heads": [[0, 1]], "lang_ids": [], "suppress_ids": [1, 2],
            "suppress_ids_begin": [220]}


def read_safetensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__")
    return {name: (entry["shape"], entry["dtype"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items()}


class Convert(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = os.path.join(folder.name, "source")
        self.output = os.path.join(folder.name, "output")
        os.mkdir(self.source)

    def convert(self, model, words=None):
        for name, value in (("config.json", SETTINGS), ("tokenizer.json", words or tokenizer())):
            with open(os.path.join(self.source, name), "w", encoding="utf-8") as file:
                json.dump(value, file)
        with open(os.path.join(self.source, "model.bin"), "wb") as file:
            file.write(model)
        return subprocess.run([sys.executable, CONVERTER, self.source, self.output],
                              capture_output=True, text=True, check=False)

    def assertRefused(self, model, message, words=None):
        result = self.convert(model, words)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(message, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertEqual(os.listdir(os.path.dirname(self.output)), ["source"])

    def read(self, name):
        with open(os.path.join(self.output, name), encoding="utf-8") as file:
            return json.load(file)

    def test_tensors_keep_their_bytes(self):
        self.assertEqual(self.convert(model_bin()).returncode, 0)
        hub = read_safetensors(os.path.join(self.output, "model.safetensors"))
        fused = made_up("decoder/layer_0/self_attention/linear_0/weight", (3 * D, D), F16)
        size = 2 * D * D
        for index, part in enumerate("qkv"):
            name = f"model.decoder.layers.0.self_attn.{part}_proj.weight"
            self.assertEqual(hub[name], ([D, D], "F16", fused[index * size : (index + 1) * size]))
        fused = made_up("decoder/layer_0/attention/linear_1/bias", (2 * D,), F16)
        self.assertEqual(hub["model.decoder.layers.0.encoder_attn.v_proj.bias"][2], fused[2 * D :])
        self.assertNotIn("model.decoder.layers.0.encoder_attn.k_proj.bias", hub)
        self.assertNotIn("model.encoder.layers.0.self_attn.k_proj.bias", hub)
        self.assertNotIn("proj_out.weight", hub)
        gamma = made_up("encoder/layer_0/ffn/layer_norm/gamma", (D,), F16)
        self.assertEqual(hub["model.encoder.layers.0.final_layer_norm.weight"][2], gamma)
        self.assertEqual(hub["model.encoder.conv1.weight"][0], [D, MELS, 3])
        self.assertEqual(hub["model.encoder.embed_positions.weight"][0], [AUDIO, D])
        self.assertEqual(len(hub), 2 * 2 + 1 + 2 + 2 * 2 + 15 + 24)

    def test_configuration(self):
        self.assertEqual(self.convert(model_bin()).returncode, 0)
        config = self.read("config.json")
        self.assertEqual(config["model_type"], "whisper")
        for key, value in (("d_model", D), ("vocab_size", VOCABULARY), ("num_mel_bins", MELS),
                           ("encoder_layers", 1), ("decoder_ffn_dim", FFN), ("torch_dtype", "float16"),
                           ("decoder_attention_heads", 2), ("max_target_positions", TEXT),
                           ("decoder_start_token_id", FIRST + 1)):
            self.assertEqual(config[key], value, key)
        generation = self.read("generation_config.json")
        self.assertEqual(generation["lang_to_id"]["<|zh|>"], FIRST + 3)
        self.assertEqual(len(generation["lang_to_id"]), 99)
        self.assertEqual(generation["no_timestamps_token_id"], VOCABULARY - 1502)
        self.assertEqual(generation["alignment_heads"], [[0, 1]])
        self.assertEqual(self.read("preprocessor_config.json")["feature_size"], MELS)

    def test_tokenizer_gets_its_timestamps(self):
        self.assertEqual(self.convert(model_bin()).returncode, 0)
        tokens = {token["id"]: token["content"] for token in self.read("tokenizer.json")["added_tokens"]}
        self.assertEqual(tokens[VOCABULARY - 1501], "<|0.00|>")
        self.assertEqual(tokens[VOCABULARY - 1], "<|30.00|>")

    def test_every_cut_is_refused(self):
        model = model_bin()
        for size in (0, 3, 20, 60, len(model) // 2, len(model) - 40):
            self.assertRefused(model[:size], "")

    def test_contradictions_are_refused(self):
        self.assertRefused(model_bin(lambda name, data: data + b"x" if "conv1/bias" in name else data),
                           "whose size contradicts its shape")
        self.assertRefused(model_bin(lambda name, data: b"\0" if name.endswith("activation") else data),
                           "does not use GELU")
        self.assertRefused(
            model_bin(lambda name, data: b"\1" * len(data) if name.endswith("self_attention/linear_0/bias") else data),
            "should be zero and is not")
        self.assertRefused(model_bin(spec="TransformerSpec"), "only WhisperSpec")
        words = tokenizer()
        words["added_tokens"].pop()
        self.assertRefused(model_bin(), "lacks the token <|notimestamps|>", words)

    def test_model_that_is_there_stays(self):
        os.mkdir(self.output)
        with open(os.path.join(self.output, "kept"), "w", encoding="utf-8"):
            pass
        result = self.convert(model_bin())
        self.assertEqual(result.returncode, 1)
        self.assertEqual(os.listdir(self.output), ["kept"])


if __name__ == "__main__":
    tap.main()
