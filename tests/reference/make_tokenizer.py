#!/usr/bin/env python3
"""Small byte-level BPE tokenizers and what the tokenizers library computes with them.

usage: make_tokenizer.py [--output DIR]

Trains two tokenizers on a few sentences and writes, under DIR (default
tests/fixtures/tokenizer), each in both layouts of the hub:

  gpt2/        tokenizer.json, merges as strings; cuts text as GPT-2 and Whisper do
  gpt2-files/  vocab.json, merges.txt, added_tokens.json, special_tokens_map.json,
               tokenizer_config.json naming the class
  qwen/        tokenizer.json, merges as pairs; cuts text as Qwen2 does, after NFC
  qwen-files/  vocab.json, merges.txt, tokenizer_config.json with added_tokens_decoder
  encode.json  [[text, gpt2 ids, gpt2 ids without added tokens, qwen ids, the same without]],
               null where the ids without added tokens are the same as those with
  decode.json  [[ids, gpt2 text, gpt2 text without special tokens, qwen text, the same]]

The texts mix scripts, white space of every kind, contractions, control characters, emoji and
added tokens. They keep to characters of Unicode 3.2 and old emoji: what the library's tables
and those of any ICU in use agree on. Needs: pip install tokenizers. Written with 0.23.
"""
import argparse
import copy
import json
import random
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "tokenizer"
VOCABULARY = 600
N_RANDOM_TEXTS = 200
N_RANDOM_IDS = 60

SENTENCES = [
    "The captions follow what people say, and they're ready before the sentence ends.",
    "We've measured it twice: 120 words a minute in 2023, 145 words in 2024, it's faster.",
    "I'm sure that you'll find the place; she'd have found it, and he doesn't mind.",
    "Die Straße führt über die Brücke, und natürlich wären wir früher gekommen.",
    "Où est passé le garçon naïf qui buvait du café près de la forêt ?",
    "¿Dónde está la señora que vivía aquí el año pasado?",
    "Переводчик слушает и сразу пишет то, что говорят люди в комнате.",
    "المترجم يكتب ما يقوله الناس في الغرفة",
    "המתרגם כותב את מה שהאנשים אומרים",
    "लोग जो कहते हैं वह स्क्रीन पर लिखा जाता है।",
    "ผู้คนพูดอะไร หน้าจอก็แสดงคำนั้น",
    "大家说的话马上就会出现在屏幕上，你看得到吗？",
    "みんなが話した言葉がすぐに画面に出ます。",
    "사람들이 말하는 것이 바로 화면에 나타납니다.",
    "Ο μεταφραστής γράφει αμέσως ό,τι λένε οι άνθρωποι.",
    "for (int i = 0; i < n; i++) { total += price[i] * 100; } // 50% off",
]

QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

GPT2_ADDED = [
    AddedToken("<|startoftranscript|>", normalized=False, special=True),
    AddedToken("<|en|>", normalized=False, special=True),
    AddedToken("<|e", normalized=False, special=False),
    AddedToken("<|notimestamps|>", normalized=False, special=True),
]
QWEN_ADDED = [
    AddedToken("<|im_start|>", normalized=False, special=True),
    AddedToken("<|im_end|>", normalized=False, special=True),
    AddedToken("<|im", normalized=False, special=False),
    AddedToken("<left>", normalized=False, special=False, lstrip=True),
    AddedToken("<right>", normalized=False, special=True, rstrip=True),
    AddedToken("word", normalized=False, special=False, single_word=True),
    AddedToken("cafe\u0301", normalized=True, special=False),
]


def train(pre_tokenizer, normalizer, added):
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 2, trainer)
    for token in added:
        tokenizer.add_tokens([token])
    return tokenizer


def gpt2():
    return train(pre_tokenizers.ByteLevel(add_prefix_space=False), None, GPT2_ADDED)


def qwen():
    cut = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN_PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    return train(cut, normalizers.NFC(), QWEN_ADDED)


def without_added(tokenizer):
    description = json.loads(tokenizer.to_str())
    description["added_tokens"] = []
    return Tokenizer.from_str(json.dumps(description))


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def write_lines(path, rows):
    """A JSON list, one entry a line, so that a change of one shows as one."""
    lines = [json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def write_vocab_and_merges(folder, model):
    write_json(folder / "vocab.json", model["vocab"])
    merges = "".join(f"{a} {b}\n" for a, b in model["merges"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + merges)


def write_gpt2(output, tokenizer):
    description = json.loads(tokenizer.to_str())
    write_vocab_and_merges(output / "gpt2-files", description["model"])
    added = description["added_tokens"]
    write_json(output / "gpt2-files" / "added_tokens.json",
               {a["content"]: a["id"] for a in added if a["content"] != "<|endoftext|>"})
    write_json(output / "gpt2-files" / "special_tokens_map.json", {
        "eos_token": {"content": "<|endoftext|>", "lstrip": False},
        "unk_token": "<|endoftext|>",
        "additional_special_tokens": [a["content"] for a in added if a["special"]],
    })
    write_json(output / "gpt2-files" / "tokenizer_config.json",
               {"tokenizer_class": "WhisperTokenizer", "add_prefix_space": False})
    as_strings = copy.deepcopy(description)
    as_strings["model"]["merges"] = [f"{a} {b}" for a, b in description["model"]["merges"]]
    write_json(output / "gpt2" / "tokenizer.json", as_strings)


def write_qwen(output, tokenizer):
    description = json.loads(tokenizer.to_str())
    write_json(output / "qwen" / "tokenizer.json", description)
    write_vocab_and_merges(output / "qwen-files", description["model"])
    decoder = {str(a["id"]): {k: v for k, v in a.items() if k != "id"}
               for a in description["added_tokens"]}
    write_json(output / "qwen-files" / "tokenizer_config.json",
               {"added_tokens_decoder": decoder, "eos_token": "<|im_end|>"})


def characters(first, last):
    known = unicodedata.ucd_3_2_0
    return [chr(c) for c in range(first, last + 1) if known.category(chr(c)) != "Cn"]


SCRIPTS = [
    characters(0x61, 0x7A), characters(0x41, 0x5A), characters(0xC0, 0x17F),
    characters(0x370, 0x3FF), characters(0x400, 0x4FF), characters(0x591, 0x5F4),
    characters(0x620, 0x6D3), characters(0x901, 0x970), characters(0xE01, 0xE5B),
    characters(0x1100, 0x11F9), characters(0x1E00, 0x1EF9), characters(0x3041, 0x30FF),
    characters(0x4E00, 0x9FA5), characters(0xAC00, 0xD7A3), characters(0xFB00, 0xFB4F),
    characters(0xFF01, 0xFFDC), characters(0x2010, 0x2027), characters(0x2200, 0x22FF),
    characters(0x1D400, 0x1D454), characters(0x21, 0x2F), characters(0x30, 0x39),
    list("٠١٢٣۴५६๗²½Ⅷ①〇"), [chr(c) for c in [*range(1, 32), *range(0x7F, 0xA0)]],
]
COMBINING = characters(0x300, 0x34E)
SPACES = list(" \t\n\r\v\f\x1c\x85\xa0\u1680\u2003\u200a\u200b\u2028\u2029\u202f\u3000\ufeff")
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'Re", "'VE", "'lL",
                "'\u017f", "'\u017fa", "'x", "\u2019s", "'", "''s"]
EMOJI = ["👨‍👩‍👧", "👩🏽‍💻", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️", "1️⃣", "👍"]
ADDED = [a.content for a in GPT2_ADDED + QWEN_ADDED] + ["<|endoftext|>", "café", "swordfish"]
EDGES = ["", " ", "  ", "\n", " \n ", "\n\n  a", "'", "a" * 300, " " * 100 + "x", "\r\n\r\n",
         "  <left>  <right>  ", "word words a word.", "word", "<|im<|im_start|>word<|im_en",
         "<|en|><|e<|endoftext|>", "cafe\u0301 café"]


def random_word(rng):
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(rng.choice(SENTENCES).split())
    if kind < 0.4:
        return "word" + rng.choice(CONTRACTIONS) + rng.choice(["", "abc", "é", "1"])
    if kind < 0.5:
        return rng.choice(ADDED)
    if kind < 0.55:
        return rng.choice(EMOJI)
    script = rng.choice(SCRIPTS)
    word = "".join(rng.choice(script) for _ in range(rng.randint(1, 6)))
    marks = "".join(rng.choice(COMBINING) for _ in range(rng.randint(0, 2)))
    return unicodedata.normalize("NFD", word) + marks if rng.random() < 0.2 else word


def random_space(rng):
    kind = rng.random()
    if kind < 0.6:
        return " "
    if kind < 0.75:
        return ""
    return "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 4)))


def random_text(rng):
    return "".join(random_word(rng) + random_space(rng) for _ in range(rng.randint(1, 9)))


def ids(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def encode_row(pairs, text):
    row = [text]
    for tokenizer, plain in pairs:
        with_added, without = ids(tokenizer, text), ids(plain, text)
        row += [with_added, without if without != with_added else None]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=FIXTURES)
    output = parser.parse_args().output
    rng = random.Random(20240611)
    tokenizers = [gpt2(), qwen()]
    write_gpt2(output, tokenizers[0])
    write_qwen(output, tokenizers[1])

    pairs = [(t, without_added(t)) for t in tokenizers]
    texts = SENTENCES + EDGES + [random_text(rng) for _ in range(N_RANDOM_TEXTS)]
    write_lines(output / "encode.json",
                [encode_row(pairs, text) for text in texts])

    # The last added token is left out: the library decodes its "é", which happens to be of
    # the byte alphabet, as a byte.
    n_ids = tokenizers[1].get_vocab_size() - 1
    rows = []
    for _ in range(N_RANDOM_IDS):
        sequence = [rng.choice([rng.randrange(n_ids), n_ids + 1000])
                    if rng.random() < 0.1 else rng.randrange(n_ids)
                    for _ in range(rng.randint(0, 12))]
        rows.append([sequence] + [t.decode(sequence, skip_special_tokens=skip)
                                  for t in tokenizers for skip in (False, True)])
    write_lines(output / "decode.json", [r for r in rows if "\0" not in "".join(r[1:])])


if __name__ == "__main__":
    main()
