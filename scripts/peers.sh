#!/bin/sh
# Other people's programs that judge ours, each in a folder of its own under .peers/ and never a dependency.
#
#   scripts/peers.sh install ocpp-rpc       OCPP framing and schema checks in Node, from npm (MIT)
#   scripts/peers.sh install sap            SAP's simulator of charging stations, from GitHub (Apache-2.0)
#   scripts/peers.sh install vcp            Solidstudio's virtual charge point, from GitHub (Apache-2.0)
#   scripts/peers.sh install cp-simulator   shiv3's charge point simulator, from GitHub (MIT)
#   scripts/peers.sh install microocpp      a station's firmware and its simulator, from GitHub (MIT, GPL-3.0)
#   scripts/peers.sh install amqtt          an MQTT broker, from PyPI (MIT)
#   scripts/peers.sh install anvil          an EVM chain for tests, from npm (MIT or Apache-2.0)
#   scripts/peers.sh install lodestar       a proof-of-stake network's two halves, from npm (LGPL-3.0, MPL-2.0)
#   scripts/peers.sh install py20305        a client of IEEE 2030.5 and SunSpec, from PyPI (Apache-2.0)
#
# PEER_GIT is where repositories are cloned from instead of https://github.com. Exit code 3: it cannot be had here.
set -eu
cd "$(dirname "$0")/.."

OCPP_RPC=2.2.1
BUN=1.4.4
PY20305=0.16.1
PYSUNSPEC2=1.3.7
AMQTT=0.12.1
ANVIL=1.7.1
LODESTAR=1.5.1
ETHEREUMJS=0.10.5
MULTIADDR=11.6.1
SAP=ee7899b867e9018de992d0266657eac2b7e6915b
VCP=7ef0e65a8531630261edc12d475a8df76c4a20be
CP_SIMULATOR=37d4586da645cb42f98d7f56572e8d3edfc18732
MICRO_SIMULATOR=2cb07cdbe53954a694a29336ab31eac2d2b48673
MICRO_OCPP=4b89f4649d65c83cc559e4cc7c65f430db482217
MICRO_MONGOOSE=e2282976eed4b98e200e5987f2dded5313902cab
MONGOOSE=97296934ab594241ba2489f018a21779882a7936
ARDUINO_JSON=b350a9664370f37654a406d75f99b1e5b3a2d637

main() {
    [ "${1:-}" = install ] && [ $# -eq 2 ] || { sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 2; }
    case $2 in
        ocpp-rpc) version=$OCPP_RPC ;;
        sap) version=$SAP ;;
        vcp) version=$VCP ;;
        cp-simulator) version=$CP_SIMULATOR ;;
        microocpp) version=$MICRO_SIMULATOR ;;
        amqtt) version=$AMQTT ;;
        anvil) version=$ANVIL ;;
        lodestar) version=$LODESTAR-$ETHEREUMJS ;;
        py20305) version=$PY20305 ;;
        *) give_up "no such peer: $2" ;;
    esac
    ready=.peers/$2/ready-$version
    [ ! -e "$ready" ] || return 0
    case $2 in
        py20305 | amqtt) ;;
        microocpp) command -v g++ >/dev/null || give_up "there is no C++ compiler here" ;;
        *) command -v npm >/dev/null || give_up "there is no npm here" ;;
    esac
    rm -rf ".peers/$2"
    mkdir -p ".peers/$2"
    case $2 in
        ocpp-rpc) packages ocpp-rpc "ocpp-rpc@$OCPP_RPC" ;;
        sap) install_sap ;;
        vcp) install_vcp ;;
        cp-simulator) install_cp_simulator ;;
        microocpp) install_microocpp ;;
        anvil) install_anvil ;;
        lodestar) install_lodestar ;;
        amqtt) from_pypi amqtt "amqtt==$AMQTT" ;;
        py20305) from_pypi py20305 "py20305==$PY20305" "pysunspec2==$PYSUNSPEC2" ;;
    esac
    touch "$ready"
}

packages() {
    # Scripts of packages are not run: these peers need none.
    folder=.peers/$1
    shift
    [ -e "$folder/package.json" ] || echo '{"private": true}' >"$folder/package.json"
    (cd "$folder" && timeout 600 npm install --silent --no-audit --no-fund --ignore-scripts "$@") ||
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

install_microocpp() {
    # Of the libraries only what is compiled; TLS is left out, which the simulator has for its web pages and wss.
    for one in "sim matth-x/MicroOcppSimulator $MICRO_SIMULATOR src" "ocpp matth-x/MicroOcpp $MICRO_OCPP src" \
        "client matth-x/MicroOcppMongoose $MICRO_MONGOOSE src" "json bblanchon/ArduinoJson $ARDUINO_JSON src" \
        "mongoose cesanta/mongoose $MONGOOSE mongoose.c mongoose.h"; do
        # shellcheck disable=SC2086
        set -- $one
        folder=.peers/microocpp/$1 name=$2 commit=$3
        shift 3
        git clone --quiet --no-checkout "${PEER_GIT:-https://github.com}/$name" "$folder" || give_up "$name cannot be cloned"
        git -C "$folder" checkout --quiet "$commit" -- "$@" || give_up "$name has no $commit"
    done
    (cd .peers/microocpp && sed -i -e '/mbedtls\/platform.h/d' -e 's#ws://echo.websocket.events#ws://127.0.0.1:9313#' \
        -e 's#charger-01#PEER-1#' sim/src/main.cpp && mkdir -p objects mo_store &&
        gcc -O0 -w -c mongoose/mongoose.c -o objects/mongoose.o &&
        find ocpp/src client/src sim/src -name '*.cpp' ! -name net_wasm.cpp ! -name CertificateMbedTLS.cpp | sort |
        while read -r file; do
            g++ -std=c++17 -O0 -w -DMO_PLATFORM=MO_PLATFORM_UNIX -DMO_NUMCONNECTORS=3 -DMO_ENABLE_V201=1 \
                -DMO_ENABLE_MBEDTLS=0 -DMO_ENABLE_TIMESTAMP_MILLISECONDS=1 -DMO_MG_USE_VERSION=MO_MG_V715 \
                -DMO_NETLIB=MO_NETLIB_MONGOOSE '-DMO_FILENAME_PREFIX="./mo_store/"' \
                '-DMO_SIM_ENDPOINT_URL="http://127.0.0.1:9413"' -Isim/src -Ijson/src -Imongoose -Iocpp/src -Iclient/src \
                -c "$file" -o "objects/$(echo "$file" | tr / _).o" || exit 1
        done && g++ objects/*.o -o mo_simulator) || give_up "MicroOcpp is not built"
}

install_anvil() {
    packages anvil "@foundry-rs/anvil@$ANVIL" "@foundry-rs/anvil-linux-amd64@$ANVIL"
    chmod +x .peers/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil || give_up "anvil has no program for this machine"
}

install_lodestar() {
    command -v g++ >/dev/null || give_up "there is no C++ compiler here"
    mkdir -p .peers/lodestar/cl .peers/lodestar/el
    packages lodestar/el "@ethereumjs/client@$ETHEREUMJS"
    # Its parts ask for each other's newest, of which some are nowhere to be had; and for two copies of one library,
    # which do not know each other's addresses.
    node -e '
        const [lodestar, multiaddr] = process.argv.slice(1), overrides = { "@multiformats/multiaddr": multiaddr }
        for (const part of ["api", "beacon-node", "config", "db", "fork-choice", "light-client", "params", "reqresp",
            "state-transition", "types", "utils", "validator"]) overrides["@lodestar/" + part] = lodestar
        const dependencies = { "@chainsafe/lodestar": lodestar }
        require("fs").writeFileSync(".peers/lodestar/cl/package.json", JSON.stringify({ private: true, dependencies, overrides }))' \
        "$LODESTAR" "$MULTIADDR"
    packages lodestar/cl
    # The one library of it that has to be compiled; the headers are those of the Node that is here.
    (cd .peers/lodestar/cl/node_modules/snappy &&
        node "$(npm root -g)/npm/node_modules/node-gyp/bin/node-gyp.js" rebuild --nodedir="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")" >build.log 2>&1) ||
        give_up "lodestar's snappy is not built"
}

from_pypi() {
    folder=.peers/$1
    shift
    python3 -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || give_up "pip does not bring $*"
}

give_up() {
    echo "$1" >&2
    exit 3
}

main "$@"
