#!/usr/bin/env python3
"""Speed, memory and accuracy on recordings, beside a peer's: ./dev bench files [OPTION]…

Transcribes the WAV files of a folder with verbatim-cli on the CPU, default settings, all in
one process, and prints a table: wall time, real-time factor, processor seconds, peak memory,
word error rate, and how soon the first caption of jfk.wav comes. With --peer-python and
--peer-model, faster-whisper (int8, beam 5; shared/tools/peer.py) takes turns with it, so both
meet the same weather; figures are medians over --runs. What follows `--` is given to
verbatim-cli transcribe. Times are of whole processes, from start to exit. Our converted
weights are cached in a folder of the benchmark's own; cold is the run that finds it empty.

Both programs start with the same environment, less what pins OpenBLAS to a kernel. --avx2
keeps the libraries of both (oneDNN, MKL, CTranslate2) to AVX2; what the engine does in code of
its own still follows the processor.

The word error rate is shared/tools/score.py's and needs jiwer and whisper-normalizer in
--peer-python, or in the Python that runs this.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
FLAGS = ["avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"]
AVX2_ONLY = {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2",
             "MKL_ENABLE_INSTRUCTIONS": "AVX2", "CT2_FORCE_CPU_ISA": "AVX2"}


@dataclass
class Run:
    """One process, from start to exit."""

    wall: float  # seconds
    cpu: float  # seconds of all threads
    memory: float  # peak resident, MB
    first_line: float  # seconds to the first line on standard output; nan where there is none


def run(command, environment):
    """Runs a command to its end and measures it; ends the benchmark where it fails."""
    first_line = float("nan")
    with tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE,
                                   stderr=errors)
        for line in process.stdout:
            if line.strip() and first_line != first_line:
                first_line = time.monotonic() - start
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.stderr.buffer.write(errors.read())
            sys.exit(f"{command[0]} failed with status {process.returncode}.")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, first_line)


def processor():
    """The processor's name, the cores this process may use and the instruction sets that matter."""
    text = Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)", text, re.MULTILINE)
    present = set(flags[1].split()) if flags else set()
    cores = len(os.sched_getaffinity(0))
    return (f"{name[1] if name else 'unknown processor'}, {cores} cores, "
            f"{' '.join(flag for flag in FLAGS if flag in present)}")


def seconds_of(path):
    with wave.open(str(path)) as recording:
        return recording.getnframes() / recording.getframerate()


def environment_for(arguments, cache):
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    environment["XDG_CACHE_HOME"] = str(cache)
    if arguments.avx2:
        environment |= AVX2_ONLY
    return environment


def word_error_rate(python, references, transcripts):
    """Per cent over all files, or nan where the scorer cannot run."""
    score = subprocess.run([python, SHARED / "tools" / "score.py", references, transcripts],
                           capture_output=True, text=True)
    found = re.search(r"([\d.]+) %\s+all", score.stdout)
    if not found:
        print(f"No word error rate: {score.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return float(found[1]) if found else float("nan")


def measure(commands, runs, environment):
    """The commands take turns, `runs` times; {name: [Run, …]} in the order of running."""
    results = {name: [] for name in commands}
    for turn in range(runs):
        for name, command in commands.items():
            results[name].append(run(command, environment))
            last = results[name][-1]
            print(f"run {turn + 1} of {runs}: {name}: {last.wall:.2f} s", file=sys.stderr)
    return results


def first_captions(command, runs, environment, cache):
    """A run with the empty folder `cache`, then as many as said; none without the recording."""
    if not command[-1].exists():
        return []
    environment = environment | {"XDG_CACHE_HOME": str(cache)}
    return [run(command, environment) for _ in range(1 + runs)]


def median(runs, field):
    return statistics.median(getattr(result, field) for result in runs)


def shown(figure, digits):
    """A figure for the table; a dash where it was not measured."""
    return f"{figure:.{digits}f}" if figure == figure else "–"


def print_table(results, cold, error_rates, seconds):
    """One row a program; the last, where there are two, says how ours compares."""
    print("| program | wall s | RTF | processor s per audio s | peak MB | WER % |")
    print("|---|---|---|---|---|---|")

    def row(name, runs):
        wall = median(runs, "wall")
        print(f"| {name} | {wall:.2f} | {wall / seconds:.4f} "
              f"| {median(runs, 'cpu') / seconds:.4f} | {median(runs, 'memory'):.0f} "
              f"| {shown(error_rates.get(name, float('nan')), 2)} |")

    for name, runs in results.items():
        row(name, runs)
    row("verbatim, cold", [cold])
    if len(results) == 2:
        ours, theirs = results.values()
        ratios = [f"{median(ours, field) / median(theirs, field):.3f}"
                  for field in ("wall", "cpu", "memory")]
        print(f"| ours ÷ peer | {ratios[0]} | {ratios[0]} | {ratios[1]} | {ratios[2]} | |")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default_build = Path(os.environ.get("VERBATIM_BUILD", ROOT / "build"))
    parser.add_argument("--audio", type=Path, default=SHARED / "audio", metavar="DIR")
    parser.add_argument("--cli", type=Path, default=default_build / "app" / "verbatim-cli")
    parser.add_argument("--peer-python", metavar="PROGRAM", help="one with faster-whisper")
    parser.add_argument("--peer-model", metavar="DIR", help="Whisper base for CTranslate2")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--avx2", action="store_true", help="as on a processor without AVX-512")
    parser.add_argument("options", nargs="*", metavar="-- OPTION",
                        help="for verbatim-cli transcribe")
    arguments = parser.parse_args()
    if bool(arguments.peer_python) != bool(arguments.peer_model):
        parser.error("--peer-python and --peer-model go together")
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    return arguments


def main():
    arguments = parse_arguments()
    recordings = sorted(arguments.audio.glob("*.wav"))
    if not recordings:
        sys.exit(f"There are no WAV files in {arguments.audio}; name a folder with --audio.")
    transcribe = [arguments.cli, "transcribe", "--device", "cpu", "--format", "txt",
                  *arguments.options]
    with tempfile.TemporaryDirectory() as temporary:
        outputs = {"verbatim": Path(temporary, "verbatim"), "peer": Path(temporary, "peer")}
        for folder in outputs.values():
            folder.mkdir()
        environment = environment_for(arguments, Path(temporary, "cache"))
        commands = {"verbatim": [*transcribe, "--output", outputs["verbatim"], *recordings]}
        if arguments.peer_model:
            commands["peer"] = [arguments.peer_python, SHARED / "tools" / "peer.py",
                                arguments.peer_model, arguments.audio, outputs["peer"]]
        load = os.getloadavg()[0]
        cold = run(commands["verbatim"], environment)
        results = measure(commands, arguments.runs, environment)
        python = arguments.peer_python or sys.executable
        error_rates = {name: word_error_rate(python, arguments.audio, outputs[name])
                       for name in commands}
        captions = first_captions([*transcribe, arguments.audio / "jfk.wav"], arguments.runs,
                                  environment, Path(temporary, "second-cache"))
    seconds = sum(map(seconds_of, recordings))
    print(f"{processor()}{', libraries kept to AVX2' if arguments.avx2 else ''}")
    print(f"{len(recordings)} recordings, {seconds:.1f} s; medians of {arguments.runs}; "
          f"load average before: {load:.2f}\n")
    print_table(results, cold, error_rates, seconds)
    if captions:
        cold, warm = captions[0], captions[1:]
        print(f"\nStart to first caption of jfk.wav: {median(warm, 'first_line'):.2f} s, "
              f"to exit {median(warm, 'wall'):.2f} s; cold {cold.first_line:.2f} s")


if __name__ == "__main__":
    main()
