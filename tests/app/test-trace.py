#!/usr/bin/env python3
"""verbatim-cli trace and devices: what is in the file, and what is refused.

    test-trace.py VERBATIM-CLI
"""

import math
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import cli
import tap

cli.Case.program = os.path.abspath(sys.argv.pop(1))

# Of the fixture: mels, frames, encoder positions, width, vocabulary, <|startoftranscript|>.
MELS, FRAMES, POSITIONS, WIDTH, VOCABULARY, START = 80, 500, 250, 64, 1907, 300


class Trace(cli.Case):
    def trace(self, *arguments, audio=cli.SPEECH, output="trace.safetensors"):
        return self.run_cli("trace", "--model", cli.MODEL, "--device", "cpu", *arguments, "--output",
                            self.path(output), audio)

    def shapes(self):
        tensors = cli.read_safetensors(self.path("trace.safetensors"))
        for name, (dtype, _, numbers) in tensors.items():
            self.assertEqual(dtype, "F32", name)
            self.assertTrue(all(map(math.isfinite, numbers)), name)
        return {name: shape for name, (_, shape, _) in tensors.items()}

    def test_forced_tokens(self):
        for precision in ("f32", "f16", "int8"):
            tokens = f"{START},301,401,405,20"
            self.assertEqual(self.trace("--precision", precision, "--tokens", tokens), (0, "", ""))
            self.assertEqual(self.shapes(), {"features": [MELS, FRAMES], "encoder": [POSITIONS, WIDTH],
                                             "logits": [5, VOCABULARY]})

    def test_greedy_path(self):
        self.assertEqual(self.trace("--precision", "f32"), (0, "", ""))
        shapes = self.shapes()
        count = shapes["logits"][0]
        self.assertEqual(shapes, {"features": [MELS, FRAMES], "encoder": [POSITIONS, WIDTH],
                                  "tokens": [1, count], "logits": [count, VOCABULARY]})
        tensors = cli.read_safetensors(self.path("trace.safetensors"))
        tokens, logits = tensors["tokens"][2], tensors["logits"][2]
        self.assertEqual(tokens[0], START)
        for row in range(3, count - 1):
            values = logits[row * VOCABULARY:(row + 1) * VOCABULARY]
            self.assertEqual(values.index(max(values)), tokens[row + 1])

    def test_long_recordings_are_cut(self):
        recording = cli.write_wav(self.path("long.wav"), 60)
        self.assertEqual(self.trace("--tokens", str(START), audio=recording), (0, "", ""))
        self.assertEqual(self.shapes()["features"], [MELS, FRAMES])

    def test_tokens_that_make_no_sense(self):
        for tokens in ("", "x", "1,", ",1", "1 2", "-1", "1,,2", "99999999999", "1.5"):
            status, output, messages = self.trace("--tokens", tokens)
            self.assertEqual((status, output), (2, ""), tokens)
            self.assert_one_line(messages)
        self.assert_refused(self.trace("--tokens", f"{START},{VOCABULARY}"), str(VOCABULARY))
        self.assert_refused(self.trace("--tokens", ",".join(["1"] * 65)), "64 tokens")
        self.assertEqual(os.listdir(self.folder), [])

    def test_files_that_are_refused(self):
        missing = self.path("missing.wav")
        self.assert_refused(self.trace(audio=missing), missing)
        self.assert_refused(self.trace(audio=self.folder), self.folder)
        self.assert_refused(self.trace(output="none/trace.safetensors"), "none/trace.safetensors")
        self.assertEqual(os.listdir(self.folder), [])

    def test_output_is_a_file_like_any_other(self):
        self.write("trace.safetensors", b"old")
        self.assertEqual(self.trace("--tokens", str(START)), (0, "", ""))
        self.assertEqual(os.listdir(self.folder), ["trace.safetensors"])
        os.remove(self.path("trace.safetensors"))
        self.assertEqual(self.trace("--tokens", str(START)), (0, "", ""))
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("trace.safetensors")).st_mode), 0o666 & ~mask)

    def test_devices_are_written_to_and_not_replaced(self):
        os.symlink("/dev/full", self.path("full"))
        self.assert_refused(self.trace("--tokens", str(START), output="full"), "full")
        os.symlink("/dev/null", self.path("null"))
        self.assertEqual(self.trace("--tokens", str(START), output="null"), (0, "", ""))
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        self.assertEqual(sorted(os.listdir(self.folder)), ["full", "null"])


class Devices(cli.Case):
    def test_processor_is_listed(self):
        status, output, messages = self.run_cli("devices")
        self.assertEqual((status, messages), (0, ""))
        lines = output.splitlines()
        self.assertEqual([line.split()[0] for line in lines].count("cpu"), 1)
        self.assertEqual(sum(line.endswith("(default)") for line in lines), 1)

    def test_full_standard_output(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.assertEqual(self.run_cli("devices", stdout=full)[0], 1)


if __name__ == "__main__":
    tap.main()
