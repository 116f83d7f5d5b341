#!/bin/sh
# Charging stations that are not ours connect to our server, charge, are limited, read back and let go; all that both
# sides say is checked by the official schemas. Exit code 3: none of them can be had here.
#
#   sh tests/peers/ocpp/run.sh
set -u
cd "$(dirname "$0")/../../.."
root=$PWD
export PYTHONPATH=$root/src
bun=$root/.peers/bun/node_modules/@oven/bun-linux-x64/bin/bun
ran=
failed=

judge() {
    ran=yes
    .venv/bin/python tests/peers/ocpp/judge.py "$@" || failed="$failed $1"
}

if sh scripts/peers.sh install sap; then
    .venv/bin/python tests/peers/ocpp/sap_setup.py .peers/sap/dist/assets ws://127.0.0.1:9310
    judge sap 9310 --station SAP-1 --bends --folder .peers/sap -- "$bun" dist/start.js
fi
if sh scripts/peers.sh install cp-simulator; then
    for version in 1.6 2.0.1 2.1; do
        name=OCPP-$version
        more=
        case $version in 1.6) name=OCPP-1.6J; more=--bends ;; esac  # it refuses set-points
        # shellcheck disable=SC2086
        judge cp-simulator 9311 --version $version --json-mode $more --folder .peers/cp-simulator -- \
            "$bun" src/cli/main.ts --json --cp-id PEER-1 --ws-url ws://127.0.0.1:9311/ --ocpp-version $name
    done
fi
if sh scripts/peers.sh install microocpp; then
    rm -f .peers/microocpp/mo_store/*
    judge microocpp 9313 --bends --plug http://127.0.0.1:9413/api/connector/1/evse --folder .peers/microocpp -- ./mo_simulator
fi
if sh scripts/peers.sh install vcp; then
    for version in 1.6 2.0.1 2.1; do
        more=
        [ $version != 2.1 ] || more=--both-ways
        # shellcheck disable=SC2086
        WS_URL=ws://127.0.0.1:9312 CP_ID=PEER-1 ADMIN_PORT=9499 judge vcp 9312 --version $version --admin 9499 $more \
            --folder .peers/vcp -- node_modules/.bin/tsx "index_$(echo $version | tr -d .).ts"
    done
fi
[ -n "$ran" ] || exit 3
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
