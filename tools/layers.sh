#!/bin/sh
# SPDX-License-Identifier: MIT
# layers.sh - run layers.awk over src/. Prints nothing when all is well.
set -eu
cd "$(dirname "$0")/.."
find src -mindepth 2 -type f -name '*.[chS]' | sort |
    xargs awk -f tools/layers.awk src/LAYERS
