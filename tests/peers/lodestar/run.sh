#!/bin/sh
# A proof-of-stake network of two nodes and eight validators: the chain suite on it, and what is said while finality
# stalls. It takes some 20 minutes. Exit code 3: it cannot be had here.
#
#   sh tests/peers/lodestar/run.sh [--suite-only | --stall-only]
set -eu
cd "$(dirname "$0")/../../.."
sh scripts/peers.sh install lodestar || exit 3
PYTHONPATH=$PWD/src:$PWD/tests .venv/bin/python tests/peers/lodestar/judge.py "$@"
