#!/bin/sh
# The random transactions of the contracts' tests on anvil, a node of an EVM chain that is not ours: status, answers,
# logs, gas and storage have to be those of py-evm. Exit code 3: it cannot be had here.
#
#   sh tests/peers/contracts/run.sh [how many]
set -eu
cd "$(dirname "$0")/../../.."
sh scripts/peers.sh install anvil || exit 3
PYTHONPATH=$PWD/src:$PWD/tests/adapters/chains/contracts .venv/bin/python tests/peers/contracts/judge.py \
    .peers/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil "${1:-10000}"
