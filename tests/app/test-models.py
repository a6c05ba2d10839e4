#!/usr/bin/env python3
"""verbatim-cli models: exit status, standard output and what is on the disk afterwards.

    test-models.py VERBATIM-CLI HUB-SERVER
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import tap

HUB_SERVER = sys.argv.pop(2)
PROGRAM = sys.argv.pop(1)


def catalogue(*names):
    return {"languages": {"one": ["en"]},
            "models": [{"name": name, "title": name, "family": "whisper", "licence": "MIT",
                        "languages": "one", "parameters": 1, "repository": "owner/model",
                        "revision": name,
                        "files": [{"name": "config.json"},
                                  {"name": "model.safetensors", "size": 300000}]}
                       for name in names]}


class Models(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = folder.name
        self.store = os.path.join(self.home, "verbatim", "models")
        self.catalogue = os.path.join(self.home, "catalogue.json")
        with open(self.catalogue, "w", encoding="utf-8") as file:
            json.dump(catalogue("one", "two"), file)
        self.server = subprocess.Popen([sys.executable, HUB_SERVER], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.server.communicate)
        self.hub = f"http://127.0.0.1:{self.server.stdout.readline().strip()}"

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, "models", *arguments], text=True,
                                env={**os.environ, "XDG_DATA_HOME": self.home, "LC_ALL": "C.UTF-8"},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_models(self, *arguments):
        process = self.start(*arguments)
        output, messages = process.communicate()
        return process.returncode, output, messages

    def download(self, mode, name):
        return self.run_models("download", name, "--hub", f"{self.hub}/{mode}", "--catalogue", self.catalogue)

    def test_download_path_list_remove(self):
        self.assertEqual(self.run_models("path", "one")[0], 1)
        self.assertEqual(self.download("drop", "one"), (0, "", ""))
        status, path, _ = self.run_models("path", "one")
        self.assertEqual((status, path), (0, os.path.join(self.store, "one") + "\n"))
        self.assertEqual(sorted(os.listdir(path.strip())), ["config.json", "model.safetensors"])
        rows = self.run_models("list", "--catalogue", self.catalogue)[1].splitlines()
        self.assertEqual([row.split()[0] for row in rows], ["NAME", "one", "two"])
        self.assertTrue(rows[2].endswith("no"))
        self.assertFalse(rows[1].endswith("no"))
        self.assertEqual(self.run_models("remove", "one"), (0, "", ""))
        self.assertEqual(os.listdir(self.store), [])
        self.assertEqual(self.run_models("remove", "one")[0], 1)

    def test_list_shows_models_put_there_by_hand(self):
        os.makedirs(os.path.join(self.store, "mine"))
        for name in ("config.json", "model.safetensors"):
            with open(os.path.join(self.store, "mine", name), "w", encoding="utf-8"):
                pass
        self.assertIn("mine ", self.run_models("list", "--catalogue", self.catalogue)[1])

    def test_failure_is_one_sentence(self):
        for arguments in (("download", "three", "--catalogue", self.catalogue), ("remove", "../models"),
                          ("path", "/etc"), ("list", "--catalogue", "/nonexistent")):
            status, output, messages = self.run_models(*arguments)
            self.assertEqual((status, output), (1, ""))
            self.assertEqual(messages.count("\n"), 1)
        status, output, messages = self.download("corrupt", "one")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("wrong checksum", messages)

    def test_usage(self):
        for arguments in ((), ("frobnicate",), ("download",), ("list", "one"), ("path", "a", "b"), ("list", "--bad")):
            status, output, messages = self.run_models(*arguments)
            self.assertEqual((status, output), (2, ""), arguments)
            self.assertIn("usage:", messages)
        status, output, messages = self.run_models("--help")
        self.assertEqual((status, messages), (0, ""))
        self.assertIn("usage:", output)

    def test_interrupted_download_stops_and_goes_on(self):
        process = self.start("download", "one", "--hub", f"{self.hub}/stall", "--catalogue", self.catalogue)
        part = os.path.join(self.store, ".one.part", "model.safetensors.part")
        while process.poll() is None and not (os.path.exists(part) and os.path.getsize(part) > 0):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate()
        self.assertEqual(process.returncode, 1)
        self.assertIn("was stopped; run the command again", messages)
        self.assertFalse(os.path.exists(os.path.join(self.store, "one")))
        self.assertEqual(self.download("plain", "one"), (0, "", ""))

    def test_published_catalogue_is_found(self):
        status, output, _ = self.run_models("list")
        self.assertEqual(status, 0)
        self.assertIn("whisper-base ", output)


if __name__ == "__main__":
    tap.main()
