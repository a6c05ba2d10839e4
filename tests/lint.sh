#!/usr/bin/env bash
# The style of the sources: what a reviewer should not have to look for. Called by
# `./dev lint`, which installs the tools. Prints every finding; fails when there is one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0

# check TITLE COMMAND…: the command's failure is a finding.
check() {
    local output
    if ! output=$("${@:2}" 2>&1); then
        printf '%s\n%s\n' "$1:" "$output"
        status=1
    fi
}

# forbid TITLE PATTERN PATHSPEC…: any line that matches is a finding.
forbid() {
    local output
    if output=$(git grep -nIE "$2" -- "${@:3}"); then
        printf '%s\n%s\n' "$1:" "$output"
        status=1
    fi
}

mapfile -t sources < <(git ls-files '*.c' '*.h')
mapfile -t scripts < <(git ls-files dev .ci/run '*.sh')

check 'Not formatted (clang-format -i FILE)' clang-format --dry-run -Werror "${sources[@]}"
check 'Shell scripts' shellcheck "${scripts[@]}"
# Not its search for values that are not set: the compiler and the sanitizers know better.
check 'cppcheck' cppcheck --quiet --error-exitcode=1 --enable=warning --inline-suppr \
    --std=c11 -D_GNU_SOURCE -j 2 -I engine --suppress=missingIncludeSystem \
    --suppress=uninitvar --suppress=invalidFunctionArg app engine
forbid 'Space at the end of a line' '[[:space:]]+$' ':!LICENSE' ':!tests/fuzz/seeds' ':!*.md'
forbid 'Tabs' $'\t' '*.c' '*.h' '*.comp' '*.glsl' '*.py' '*.sh' '*.build' dev
forbid 'A path of somebody'"'"'s machine' '(^|[^A-Za-z0-9_.$}])/(work|root|Users|home/[a-z])/' ':!tests/lint.sh'

while read -r lines file; do
    [[ $file == total || $lines -le 500 ]] || echo "Long file: $file has $lines lines"
done < <(git ls-files '*.c' '*.h' '*.py' '*.comp' '*.glsl' dev | xargs -d '\n' wc -l)

[[ $status -ne 0 ]] || echo 'lint: nothing to complain about'
exit "$status"
