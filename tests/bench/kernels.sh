#!/bin/sh
# The speed of every operation of every backend: ./dev bench kernels [--device=PATTERN]
# [--function=PATTERN]
exec "$VERBATIM_BUILD/tests/kernels/test-kernels" --bench "$@"
