#!/bin/sh
# The SunSpec connector of py20305, a client of IEEE 2030.5, reads and drives our simulated battery. Its 2030.5 side is
# not used: grid-side protocols come later. Exit code 3: it cannot be had here.
#
#   sh tests/peers/py20305/run.sh
set -eu
cd "$(dirname "$0")/../../.."
sh scripts/peers.sh install py20305 || exit 3
PYTHONPATH=$PWD/src .venv/bin/python tests/peers/py20305/judge.py .peers/py20305/bin/python
