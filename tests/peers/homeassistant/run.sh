#!/bin/sh
# Home Assistant's own schemas judge our discovery messages. It needs Python 3.13 and lives in an environment of its
# own under .peers/, which is made on first use (a few minutes, a few hundred MB). Exit code 3: it cannot be had here.
#
#   sh tests/peers/homeassistant/run.sh
set -eu
cd "$(dirname "$0")/../../.."
ours=$PWD/.venv/bin/python
peer=$PWD/.peers/homeassistant
version=2025.4.4

python=
for candidate in "${PEER_PYTHON:-}" python3.13 "$HOME"/.pyenv/versions/3.13*/bin/python3; do
    if [ -n "$candidate" ] && "$candidate" -c "" 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || { echo "Home Assistant $version needs Python 3.13, none is here" >&2; exit 3; }

if [ ! -e "$peer/ready" ]; then
    "$python" -m venv "$peer"
    "$peer/bin/python" -m pip install --quiet --disable-pip-version-check "homeassistant==$version" paho-mqtt==1.6.1 ||
        { echo "Home Assistant $version cannot be installed here" >&2; exit 3; }
    touch "$peer/ready"
fi
PYTHONPATH=$PWD/src "$ours" tests/peers/homeassistant/payloads.py | "$peer/bin/python" tests/peers/homeassistant/judge.py
