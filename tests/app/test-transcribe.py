#!/usr/bin/env python3
"""verbatim-cli transcribe on a small random model: formats, files, failures, Ctrl-C, memory.

    test-transcribe.py VERBATIM-CLI
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import cli
import tap

cli.Case.program = os.path.abspath(sys.argv.pop(1))

FORMATS = ("txt", "srt", "vtt", "json", "tsv")


def has_sanitizer():
    with open(cli.Case.program, "rb") as file:
        return b"__asan_init" in file.read()


class Results(cli.Case):
    def test_formats_on_standard_output(self):
        results = {}
        for name in FORMATS:
            status, results[name], messages = self.transcribe("--format", name, cli.SPEECH)
            self.assertEqual((status, messages), (0, ""), name)
        self.assertEqual(self.transcribe(cli.SPEECH)[1], results["txt"])
        self.assertRegex(results["srt"], r"^1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n")
        self.assertTrue(results["vtt"].startswith("WEBVTT\n"))
        self.assertTrue(results["tsv"].startswith("start\tend\ttext\n"))
        self.assertNotIn("<|", "".join(results.values()))

    def test_json(self):
        _, output, _ = self.transcribe("--format", "json", "--timestamps", "word", cli.SPEECH)
        result = json.loads(output)
        self.assertEqual((result["model"], result["language"]), ("multilingual", "en"))
        self.assertAlmostEqual(result["duration"], 2.99, places=2)
        self.assertTrue(result["segments"])
        for segment in result["segments"]:
            self.assertLessEqual({"start", "end", "text", "tokens", "words"}, segment.keys())
            self.assertLessEqual(0, segment["start"])
            self.assertLessEqual(segment["start"], segment["end"])
            self.assertTrue(all(isinstance(token, int) for token in segment["tokens"]))
            for word in segment["words"]:
                self.assertEqual(word.keys(), {"start", "end", "text", "probability"})

    def test_formats_in_files(self):
        for name in FORMATS:
            _, expected, _ = self.transcribe("--format", name, cli.SPEECH)
            chosen = self.path(f"chosen-{name}")
            self.assertEqual(self.transcribe("--format", name, "--output", chosen, cli.SPEECH), (0, "", ""))
            self.assertEqual(self.read(chosen), expected)
            named = self.path(f"named.{name}")
            self.assertEqual(self.transcribe("--output", named, cli.SPEECH), (0, "", ""))
            self.assertEqual(self.read(named), expected)
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("named.srt")).st_mode), 0o666 & ~mask)

    def test_several_files_into_a_folder(self):
        files = [self.copy("one.wav"), self.copy("sub/two.b.wav"), self.copy("three")]
        _, expected, _ = self.transcribe("--format", "vtt", cli.SPEECH)
        result = self.transcribe("--format", "vtt", "--output", self.path("new"), *files)
        self.assertEqual(result, (0, "", ""))
        self.assertEqual(sorted(os.listdir(self.path("new"))), ["one.vtt", "three.vtt", "two.b.vtt"])
        for name in os.listdir(self.path("new")):
            self.assertEqual(self.read("new", name), expected)

    def test_one_file_into_a_folder(self):
        os.mkdir(self.path("there"))
        self.assertEqual(self.transcribe("--output", self.path("there"), cli.SPEECH), (0, "", ""))
        self.assertEqual(self.transcribe("--output", self.path("new") + "/", cli.SPEECH), (0, "", ""))
        self.assertEqual((os.listdir(self.path("there")), os.listdir(self.path("new"))),
                         (["speech.txt"], ["speech.txt"]))

    def test_namesakes_keep_their_extensions(self):
        files = [self.copy("a.wav"), self.copy("a.flac"), self.copy("b.wav"), self.copy(".hidden")]
        self.assertEqual(self.transcribe("--output", self.path("out"), *files), (0, "", ""))
        self.assertEqual(sorted(os.listdir(self.path("out"))),
                         [".hidden.txt", "a.flac.txt", "a.wav.txt", "b.txt"])

    def test_no_result_replaces_another(self):
        twice = [self.copy("x/talk.wav"), self.copy("y/talk.wav")]
        result = self.transcribe("--output", self.path("out"), *twice)
        self.assert_refused(result, *twice, "out/talk.wav.txt")
        crossed = [self.copy("a.wav"), self.copy("a.flac"), self.copy("a.wav.ogg")]
        self.assert_refused(self.transcribe("--output", self.path("out"), *crossed), "out/a.wav.txt")
        self.assertFalse(os.path.exists(self.path("out")))

    def test_standard_output_has_the_files_in_order(self):
        _, once, _ = self.transcribe(cli.SPEECH)
        self.assertEqual(self.transcribe(cli.SPEECH, cli.SPEECH), (0, once + once, ""))

    def test_names_that_look_like_options_or_lines(self):
        self.copy("--help")
        self.assertEqual(self.transcribe("--", "--help")[0], 0)
        odd = self.copy("two\nlines \x1b[31m.wav")
        self.assertEqual(self.transcribe("--output", self.path("out") + "/", odd), (0, "", ""))
        self.assert_refused(self.transcribe(self.path("no\nfile")), "no?file")

    def test_settings(self):
        hotwords = self.write("hotwords.txt", b"# a list\n\n  Nebuchadnezzar  \nsecond # word\r\n")
        for settings in (("--task", "translate"), ("--language", "auto"), ("--beam-size", "5"),
                         ("--hotword", "Verbatim", "--hotword", "captions"), ("--hotwords", hotwords),
                         ("--precision", "f32"), ("--precision", "int8"), ("--precision", "f16"),
                         ("--device", "reference"), ("--timestamps", "segment"),
                         ("--format", "srt", "--profile", "bbc")):
            status, _, messages = self.transcribe(*settings, cli.SPEECH)
            self.assertEqual((status, messages), (0, ""), settings)

    def test_silence_has_no_words_that_fail(self):
        silent = cli.write_wav(self.path("silent.wav"), 12, bytes(32000))
        status, _, messages = self.transcribe("--format", "srt", silent)
        self.assertEqual((status, messages), (0, ""))


class Usage(cli.Case):
    def test_arguments_that_make_no_sense(self):
        for arguments in ((), ("frobnicate",), ("transcribe",), ("transcribe", "--nonsense", "x.wav"),
                          ("transcribe", "--model"), ("trace",), ("trace", "x.wav"),
                          ("trace", "--output", "t", "a.wav", "b.wav"), ("devices", "x")):
            status, output, messages = self.run_cli(*arguments)
            self.assertEqual((status, output), (2, ""), arguments)
            self.assertTrue(messages, arguments)

    def test_values_that_make_no_sense(self):
        for option, value in (("precision", "f64"), ("language", "klingon"), ("task", "sing"), ("beam-size", "0"),
                              ("beam-size", "16"), ("beam-size", "5x"), ("beam-size", ""), ("format", "doc"),
                              ("timestamps", "often"), ("profile", "none"), ("beam-size", "99999999999999999999")):
            status, output, messages = self.transcribe(f"--{option}", value, cli.SPEECH)
            self.assertEqual((status, output), (2, ""), (option, value))
            self.assert_one_line(messages)

    def test_help(self):
        for arguments in (("--help",), ("transcribe", "--help"), ("trace", "--help"), ("--version",)):
            status, output, messages = self.run_cli(*arguments)
            self.assertEqual((status, messages), (0, ""), arguments)
            self.assertTrue(output)


class Failures(cli.Case):
    """Each is one sentence that names the file; what else there is to do is done."""

    def bad_files(self):
        yield self.path("missing.wav")
        yield self.path("no-folder", "a.wav")
        yield self.write("empty.wav", b"")
        yield self.folder
        yield self.write("notes.txt", b"These are notes, and not a recording at all.\n" * 50)
        yield self.write("model.wav", bytes(range(256)) * 64)
        with open(cli.SPEECH, "rb") as file:
            whole = file.read()
        for size in (1, 11, 20, 43):
            yield self.write(f"cut-{size}.wav", whole[:size])
        yield self.write("header-only.wav", whole[:40] + bytes(4))
        yield self.write("rates.wav", whole[:24] + bytes(4) + whole[28:])
        yield self.write("channels.wav", whole[:22] + b"\xff\xff" + whole[24:])
        yield "/dev/null"
        if os.geteuid() != 0:
            secret = self.copy("secret.wav")
            os.chmod(secret, 0)
            yield secret

    def test_bad_recordings(self):
        for path in self.bad_files():
            self.assert_refused(self.transcribe(path), path)

    def test_damaged_media(self):
        """Sound or a sentence, whatever of the file is still good."""
        if not shutil.which("ffmpeg"):
            self.skipTest("ffmpeg is not installed")
        for name in ("a.mp3", "a.mp4", "a.webm", "a.ogg", "a.flac"):
            path = self.path(name)
            made = subprocess.run(["ffmpeg", "-v", "error", "-i", cli.SPEECH, path], check=False)
            if made.returncode != 0:
                continue
            self.assertEqual(self.transcribe(path)[0], 0, name)
            with open(path, "rb") as file:
                whole = file.read()
            middle = len(whole) // 2
            for number, data in enumerate((whole[:middle], whole[middle:], bytes(middle) + whole[middle:],
                                           whole[:200] + os.urandom(len(whole) - 200),
                                           os.urandom(64) + whole[64:])):
                damaged = self.write(f"{number}-{name}", data)
                status, output, messages = self.transcribe(damaged)
                if status == 0:
                    self.assertEqual(messages, "", damaged)
                else:
                    self.assert_refused((status, output, messages), damaged)

    def test_other_files_are_still_done(self):
        bad = self.write("bad.wav", b"nothing")
        files = [self.path("missing.wav"), self.copy("good.wav"), bad, self.copy("fine.wav")]
        status, output, messages = self.transcribe("--output", self.path("out"), *files)
        self.assertEqual((status, output), (1, ""))
        self.assertEqual(sorted(os.listdir(self.path("out"))), ["fine.txt", "good.txt"])
        self.assertEqual(messages.count("\n"), 2)
        self.assertIn(files[0], messages)
        self.assertIn(bad, messages)

    def test_places_that_cannot_be_written(self):
        file = self.write("file", b"")
        for place in (self.path("none", "a.srt"), os.path.join(file, "a.srt"), "/dev/full", "/proc/a.srt"):
            self.assert_refused(self.transcribe("--output", place, cli.SPEECH), place)
        self.assert_refused(self.transcribe("--output", file + "/", cli.SPEECH), file)
        self.assert_refused(self.transcribe("--output", file, cli.SPEECH, self.copy("b.wav")), file)
        self.assertEqual(sorted(os.listdir(self.folder)), ["b.wav", "file"])
        if os.geteuid() != 0:
            os.mkdir(self.path("closed"), 0o500)
            self.assert_refused(self.transcribe("--output", self.path("closed", "a.srt"), cli.SPEECH), "closed/a.srt")

    def test_full_standard_output(self):
        for name in FORMATS:
            with open("/dev/full", "w", encoding="utf-8") as full:
                status, _, messages = self.transcribe("--format", name, cli.SPEECH, stdout=full)
            self.assertEqual(status, 1, name)
            self.assert_one_line(messages)

    def test_devices_are_written_to_and_not_replaced(self):
        os.mkfifo(self.path("pipe"))
        process = self.start("transcribe", "--model", cli.MODEL, "--device", "cpu", "--language", "en",
                             "--beam-size", "1", "--output", self.path("pipe"), cli.SPEECH)
        with open(self.path("pipe"), encoding="utf-8") as pipe:
            received = pipe.read()
        self.assertEqual(process.communicate(), ("", ""))
        self.assertEqual(received, self.transcribe(cli.SPEECH)[1])
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("pipe")).st_mode))

    def test_hotwords_that_cannot_be_read(self):
        self.assert_refused(self.transcribe("--hotwords", self.path("none"), cli.SPEECH), self.path("none"))


class Models(cli.Case):
    def test_models_that_are_not_there(self):
        self.assert_refused(self.transcribe(cli.SPEECH, model="whisper-huge"), "whisper-huge is not installed",
                            "verbatim-cli models download whisper-huge")
        self.assert_refused(self.transcribe(cli.SPEECH, model=self.path("none")), self.path("none"))
        self.assert_refused(self.transcribe(cli.SPEECH, model=self.folder), self.folder)
        self.assert_refused(self.transcribe(cli.SPEECH, model=self.write("file", b"")), "file")
        for name in ("", "a b", "-x", "..."):
            status, output, messages = self.transcribe(cli.SPEECH, model=name)
            self.assertEqual((status, output), (1, ""), name)
            self.assert_one_line(messages)

    def test_devices_that_are_not_there(self):
        for device in ("gpu", "vulkan:99", "vulkan:x", "vulkan:-1", ""):
            self.assert_refused(self.transcribe("--device", device, cli.SPEECH))

    def change(self, name, change):
        """A copy of the model with one file changed."""
        model = self.path("model")
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(cli.MODEL, model)
        with open(os.path.join(model, name), "rb") as file:
            data = file.read()
        with open(os.path.join(model, name), "wb") as file:
            file.write(change(data))
        return model

    def change_json(self, name, change):
        def apply(data):
            value = json.loads(data)
            change(value)
            return json.dumps(value).encode()
        return self.change(name, apply)

    def test_models_that_lie(self):
        model = self.path("model")
        for size in (0, 7, 100, 20000, 1000000):
            self.change("model.safetensors", lambda data, size=size: data[:size])
            self.assert_refused(self.transcribe(cli.SPEECH, model=model), model, "safetensors")
        self.change("model.safetensors", lambda data: b"\xff" * 8 + data[8:])
        self.assert_refused(self.transcribe(cli.SPEECH, model=model), model, "safetensors")
        for key, value in (("d_model", 128), ("d_model", -1), ("vocab_size", 2 ** 40), ("encoder_layers", 64),
                           ("max_source_positions", 65536), ("decoder_ffn_dim", "128"), ("num_mel_bins", None),
                           ("model_type", "bert"), ("decoder_attention_heads", 3)):
            self.change_json("config.json", lambda config, key=key, value=value: config.update({key: value}))
            self.assert_refused(self.transcribe(cli.SPEECH, model=model), model)
        for name in ("config.json", "generation_config.json", "tokenizer.json"):
            for text in (b"", b"{", b"[" * 100000, b"\xff\xfe\x00"):
                self.change(name, lambda data, text=text: text)
                self.assert_refused(self.transcribe(cli.SPEECH, model=model), model)

    def test_tokenizers_that_lie(self):
        model = self.path("model")

        def cycle(tokenizer):
            first = tokenizer["model"]["merges"]
            tokenizer["model"]["merges"] = first + [["\u0120the", "\u0120the"]] * 3 + first
        self.change_json("tokenizer.json", cycle)
        status, output, messages = self.transcribe(cli.SPEECH, model=model)
        self.assertIn(status, (0, 1))
        if status == 1:
            self.assert_refused((status, output, messages), model)
        for change in (lambda t: t["added_tokens"].clear(),
                       lambda t: t["model"].update(type="Unigram"),
                       lambda t: t["model"]["vocab"].update(zzz=2 ** 31 - 1),
                       lambda t: t["model"]["vocab"].update(zzz=-5),
                       lambda t: t["added_tokens"][0].update(id=2 ** 40)):
            self.change_json("tokenizer.json", change)
            self.assert_refused(self.transcribe(cli.SPEECH, model=model), model)


class Endless(threading.Thread):
    """Feeds a recording without end to a pipe, until nobody reads it any more."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.begun = threading.Event()  # half a minute of it was taken
        self.start()

    def run(self):
        second = cli.speech_samples()[:2 * cli.RATE]
        try:
            with open(self.path, "wb", buffering=0) as pipe:
                pipe.write(cli.wav_header(24 * 3600))
                for count in range(24 * 3600):
                    pipe.write(second)
                    if count == 30:
                        self.begun.set()
        except BrokenPipeError:
            pass
        self.begun.set()


class Stopping(cli.Case):
    def interrupt(self, *arguments):
        """Presses Ctrl-C half a minute into the first of two recordings."""
        os.mkfifo(self.path("long.wav"))
        process = self.start("transcribe", "--model", cli.MODEL, "--device", "cpu", "--language", "en",
                             "--beam-size", "1", *arguments, self.path("long.wav"), self.copy("next.wav"))
        recording = Endless(self.path("long.wav"))
        recording.begun.wait()
        process.send_signal(signal.SIGINT)
        output, messages = process.communicate()
        recording.join()
        self.assertEqual(process.returncode, 1)
        self.assert_one_line(messages, "stopped")
        return output

    def test_interrupt_keeps_what_was_printed(self):
        self.assertTrue(self.interrupt("--timestamps", "segment"))

    def test_interrupt_keeps_what_was_recognised(self):
        self.assertEqual(self.interrupt("--format", "json", "--output", self.path("out")), "")
        self.assertEqual(os.listdir(self.path("out")), ["long.json"])
        result = json.loads(self.read("out", "long.json"))
        self.assertTrue(result["segments"])
        self.assertGreater(result["duration"], 20)


class Memory(cli.Case):
    def peak_kilobytes(self, seconds):
        recording = cli.write_wav(self.path("recording.wav"), seconds)
        process = self.start("transcribe", "--model", cli.MODEL, "--device", "cpu", "--language", "en",
                             "--beam-size", "1", "--output", self.path("out.txt"), recording)
        _, status, usage = os.wait4(process.pid, 0)
        process.stdout.close()
        process.stderr.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss

    @unittest.skipIf(has_sanitizer(), "a sanitizer's own memory grows")
    def test_memory_does_not_grow_with_the_recording(self):
        short, long = self.peak_kilobytes(300), self.peak_kilobytes(1200)
        print(f"# {short} kB for 5 minutes, {long} kB for 20")
        self.assertLess(long - short, 8 * 1024)


if __name__ == "__main__":
    tap.main()
