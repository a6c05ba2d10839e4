"""What the tests of verbatim-cli share: running it, making recordings, reading results."""

import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
import wave

FIXTURES = os.path.join(os.environ["VERBATIM_TEST_DATA"], "whisper")
MODEL = os.path.join(FIXTURES, "multilingual")
SPEECH = os.path.join(FIXTURES, "speech.wav")
RATE = 16000


def speech_samples():
    with wave.open(SPEECH) as file:
        return file.readframes(file.getnframes())


def write_wav(path, seconds, samples=None):
    """The speech fixture over and over; or the bytes given, of 16-bit samples."""
    size = int(seconds * RATE) * 2
    source = speech_samples() if samples is None else samples
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, RATE, size // 2, "NONE", ""))
        while size > 0:
            part = source[:size]
            file.writeframesraw(part)
            size -= len(part)
    return path


def wav_header(seconds):
    """The header of a recording of 16-bit samples."""
    size = seconds * RATE * 2
    return (b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt "
            + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + b"data" + struct.pack("<I", size))


def read_safetensors(path):
    """Name to (dtype, shape, numbers)."""
    with open(path, "rb") as file:
        data = file.read()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    result = {}
    for name, entry in json.loads(data[8:begin]).items():
        first, last = entry["data_offsets"]
        count = (last - first) // 4
        numbers = struct.unpack(f"<{count}f", data[begin + first:begin + last])
        result[name] = (entry["dtype"], entry["shape"], numbers)
    return result


class Case(unittest.TestCase):
    """A test with a folder of its own; converted weights are kept from test to test."""

    program = None  # set by the script

    @classmethod
    def setUpClass(cls):
        cls.cache = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.cache.cleanup)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def copy(self, name, source=SPEECH):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        return shutil.copyfile(source, self.path(name))

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as file:
            return file.read()

    def start(self, *arguments, **options):
        environment = {**os.environ, "XDG_CACHE_HOME": self.cache.name, "LC_ALL": "C.UTF-8",
                       "XDG_DATA_HOME": self.path("data")}
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                    "env": environment, "cwd": self.folder, **options}
        return subprocess.Popen([self.program, *arguments], **settings)

    def run_cli(self, *arguments, **options):
        """Exit status, standard output, standard error."""
        process = self.start(*arguments, **options)
        output, messages = process.communicate()
        return process.returncode, output, messages

    def transcribe(self, *arguments, model=MODEL, **options):
        return self.run_cli("transcribe", "--model", model, "--device", "cpu", "--language", "en",
                            "--beam-size", "1", *arguments, **options)

    def assert_one_line(self, messages, *parts):
        """One line from verbatim-cli that says all the parts."""
        self.assertTrue(messages.startswith("verbatim-cli: "), messages)
        self.assertEqual(messages.count("\n"), 1, messages)
        self.assertTrue(messages.endswith(".\n"), messages)
        for part in parts:
            self.assertIn(part, messages)

    def assert_refused(self, result, *parts):
        status, output, messages = result
        self.assertEqual((status, output), (1, ""), messages)
        self.assert_one_line(messages, *parts)
