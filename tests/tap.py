"""Runs the unittest cases of a script and prints the Test Anything Protocol, as test.h does.

    if __name__ == "__main__":
        tap.main()
"""

import sys
import unittest


class Result(unittest.TestResult):
    def report(self, test, word, note=""):
        print(f"{word} {self.testsRun} - {test.id().split('.')[-1]}{note}", flush=True)

    def addSuccess(self, test):
        self.report(test, "ok")

    def addSkip(self, test, reason):
        self.report(test, "ok", f" # SKIP {reason}")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        print("\n".join(f"# {line}" for line in self.failures[-1][1].splitlines()))
        self.report(test, "not ok")

    def addError(self, test, error):
        super().addError(test, error)
        print("\n".join(f"# {line}" for line in self.errors[-1][1].splitlines()))
        self.report(test, "not ok")


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = Result()
    suite.run(result)
    print(f"1..{result.testsRun}")
    sys.exit(0 if result.wasSuccessful() else 1)
