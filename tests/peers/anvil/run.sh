#!/bin/sh
# The chain suite on anvil, which is an EVM that is not ours, and what becomes of what a network takes back.
# Exit code 3: it cannot be had here.
#
#   sh tests/peers/anvil/run.sh
set -eu
cd "$(dirname "$0")/../../.."
sh scripts/peers.sh install anvil || exit 3
PYTHONPATH=$PWD/src:$PWD/tests .venv/bin/python tests/peers/anvil/judge.py
