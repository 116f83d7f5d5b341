#!/bin/sh
# Other people's programs that judge ours, each in a folder of its own under .peers/ and never a dependency.
#
#   scripts/peers.sh install ocpp-rpc       OCPP framing and schema checks in Node, from npm (MIT)
#   scripts/peers.sh install sap            SAP's simulator of charging stations, from GitHub (Apache-2.0)
#   scripts/peers.sh install vcp            Solidstudio's virtual charge point, from GitHub (Apache-2.0)
#   scripts/peers.sh install cp-simulator   shiv3's charge point simulator, from GitHub (MIT)
#   scripts/peers.sh install py20305        a client of IEEE 2030.5 and SunSpec, from PyPI (Apache-2.0)
#
# PEER_GIT is where repositories are cloned from instead of https://github.com. Exit code 3: it cannot be had here.
set -eu
cd "$(dirname "$0")/.."

OCPP_RPC=2.2.1
BUN=1.4.4
PY20305=0.16.1
SAP=ee7899b867e9018de992d0266657eac2b7e6915b
VCP=7ef0e65a8531630261edc12d475a8df76c4a20be
CP_SIMULATOR=37d4586da645cb42f98d7f56572e8d3edfc18732

main() {
    [ "${1:-}" = install ] && [ $# -eq 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2; }
    case $2 in
        ocpp-rpc) version=$OCPP_RPC ;;
        sap) version=$SAP ;;
        vcp) version=$VCP ;;
        cp-simulator) version=$CP_SIMULATOR ;;
        py20305) version=$PY20305 ;;
        *) give_up "no such peer: $2" ;;
    esac
    ready=.peers/$2/ready-$version
    [ ! -e "$ready" ] || return 0
    [ "$2" = py20305 ] || command -v npm >/dev/null || give_up "there is no npm here"
    rm -rf ".peers/$2"
    mkdir -p ".peers/$2"
    case $2 in
        ocpp-rpc) packages ocpp-rpc "ocpp-rpc@$OCPP_RPC" ;;
        sap) install_sap ;;
        vcp) install_vcp ;;
        cp-simulator) install_cp_simulator ;;
        py20305) install_py20305 ;;
    esac
    touch "$ready"
}

packages() {
    # Scripts of packages are not run: these peers need none.
    folder=.peers/$1
    shift
    [ -e "$folder/package.json" ] || echo '{"private": true}' >"$folder/package.json"
    (cd "$folder" && timeout 120 npm install --silent --no-audit --no-fund --ignore-scripts "$@") ||
        give_up "npm does not bring $folder"
}

repository() {
    git -c advice.detachedHead=false clone --quiet "${PEER_GIT:-https://github.com}/$2" ".peers/$1" ||
        give_up "$2 cannot be cloned"
    git -C ".peers/$1" checkout --quiet "$3" || give_up "$2 has no $3"
}

bun() {
    # SAP's simulator asks for a newer Node than some have, shiv3's for Bun; both run on it.
    [ -e .peers/bun/ready ] && return 0
    mkdir -p .peers/bun
    packages bun "@oven/bun-linux-x64@$BUN"
    touch .peers/bun/ready
}

install_sap() {
    bun
    rmdir .peers/sap
    repository sap SAP/e-mobility-charging-stations-simulator "$SAP"
    cp tests/peers/ocpp/sap_build.mjs .peers/sap/build.mjs
    # Its storages in databases are left out, which is how it is set up anyway.
    (cd .peers/sap && rm -f pnpm-lock.yaml pnpm-workspace.yaml .npmrc && node -e '
        const p = require("./package.json"), d = p.dependencies
        for (const name of Object.keys(d)) if (/mikro|mongodb/.test(name)) delete d[name]
        const left = { name: p.name, version: p.version, type: p.type, dependencies: { ...d, esbuild: p.devDependencies.esbuild } }
        require("fs").writeFileSync("package.json", JSON.stringify(left))')
    packages sap
    (cd .peers/sap && node build.mjs && mkdir -p dist/assets &&
        cp -r src/assets/json-schemas src/assets/station-templates dist/assets/ &&
        cp src/assets/idtags-template.json dist/assets/idtags.json) || give_up "SAP's simulator is not built"
}

install_vcp() {
    rmdir .peers/vcp
    repository vcp solidstudiosh/ocpp-virtual-charge-point "$VCP"
    packages vcp
}

install_cp_simulator() {
    bun
    rmdir .peers/cp-simulator
    repository cp-simulator shiv3/ocpp-cp-simulator "$CP_SIMULATOR"
    # What only its web pages and its reports need is left out; one of these packages is not to be had everywhere.
    (cd .peers/cp-simulator && rm -f bun.lock package-lock.json .npmrc && node -e '
        const p = require("./package.json"), d = p.dependencies
        const pages = /debugkit|react|radix|tauri|flowbite|jotai|idb|lucide|xyflow|zustand/
        for (const name of Object.keys(d)) if (pages.test(name)) delete d[name]
        require("fs").writeFileSync("package.json", JSON.stringify({ name: p.name, type: p.type, dependencies: d }))')
    packages cp-simulator
}

install_py20305() {
    python3 -m venv .peers/py20305
    .peers/py20305/bin/python -m pip install --quiet --disable-pip-version-check "py20305==$PY20305" ||
        give_up "pip does not bring py20305 $PY20305"
}

give_up() {
    echo "$1" >&2
    exit 3
}

main "$@"
