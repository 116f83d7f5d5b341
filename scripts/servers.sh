#!/bin/sh
# Foreign programs for tests and benchmarks: `install` brings their Debian packages (also Chromium) where they are missing,
# `postgres` runs a throw-away PostgreSQL on a private socket until it is stopped, `mosquitto` an MQTT broker on loopback,
# `tpm` a TPM 2.0 in software.
#
#   scripts/servers.sh install
#   scripts/servers.sh postgres [setting=value ...]
#   scripts/servers.sh mosquitto PORT [setting ...]
#   scripts/servers.sh tpm PORT
#
# `postgres` prints the folder with its socket as its first line, becomes the server, and dies with whoever started
# it. Connect with host=FOLDER user=postgres dbname=postgres. Stop it with SIGINT, then delete the folder.
# `mosquitto` does likewise: it prints its folder, keeps nothing, lets everybody in, and listens on 127.0.0.1:PORT;
# settings are lines for mosquitto.conf. Stop it with SIGTERM, then delete the folder.
# `tpm` likewise: it listens on 127.0.0.1:PORT, and on the port above for who controls it; TCTI is swtpm:port=PORT.
# Exit code 3: it cannot be had here.
set -eu

POSTGRES_PLACES="/usr/local/bin /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/bin"

main() {
    task=${1:-help}
    [ $# -eq 0 ] || shift
    case $task in
        install) install_missing ;;
        postgres) run_postgres "$@" ;;
        mosquitto) run_mosquitto "$@" ;;
        tpm) run_tpm "$@" ;;
        *) sed -n '2,16s/^# \{0,1\}//p' "$0" ;;
    esac
}

install_missing() {
    missing=
    [ -n "$(program initdb)" ] || missing="$missing postgresql"
    command -v softhsm2-util >/dev/null || missing="$missing softhsm2"
    [ -n "$(mosquitto_program)" ] || missing="$missing mosquitto"
    command -v chromium >/dev/null || missing="$missing chromium"
    tpm=
    command -v swtpm >/dev/null || tpm="$tpm swtpm libtss2-tcti-swtpm0"
    command -v tpm2_ptool >/dev/null || tpm="$tpm libtpm2-pkcs11-1 libtpm2-pkcs11-tools tpm2-tools"
    [ -n "$missing$tpm" ] || return 0
    command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ] || give_up "to be installed by an administrator:$missing$tpm"
    # The packages would start servers of their own, which nobody asked for.
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    forbid_services
    # Not every release has a TPM in software: its tests are left out then, the others go on.
    # shellcheck disable=SC2086
    [ -z "$tpm" ] || bring $tpm || echo "apt-get does not bring$tpm" >&2
    [ -z "$missing" ] || bring $missing || give_up "apt-get does not bring$missing"
}

bring() {
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@" >/dev/null; }
}

forbid_services() {
    # Debian asks this program whether a freshly installed service may start; one that is there already stays.
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

run_postgres() {
    initdb=$(program initdb)
    server=$(program postgres)
    [ -n "$initdb" ] && [ -n "$server" ] || give_up "there is no PostgreSQL, scripts/servers.sh install brings it"
    # A short path: that of a socket has 107 bytes at most.
    folder=$(mktemp -d "${TMPDIR:-/tmp}/cw-pg-XXXXXX")
    as=
    if [ "$(id -u)" -eq 0 ]; then
        # PostgreSQL refuses to run as root.
        user=$(id -un postgres 2>/dev/null || echo nobody)
        chown "$user" "$folder"
        as="--reuid=$user --regid=$(id -g "$user") --clear-groups"
    fi
    cd "$folder"
    # shellcheck disable=SC2086
    setpriv $as --pdeathsig KILL "$initdb" -D "$folder/data" -U postgres -E UTF8 --locale=C --auth=trust --no-sync \
        >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; rm -rf "$folder"; exit 1; }
    for setting in "$@"; do
        printf '%s\n' "$setting" >>"$folder/data/postgresql.conf"
    done
    printf '%s\n' "$folder"
    # shellcheck disable=SC2086
    exec setpriv $as --pdeathsig INT "$server" -D "$folder/data" -k "$folder" -c listen_addresses= \
        -c unix_socket_permissions=0700 -c max_wal_size=256MB -c logging_collector=off >"$folder/server.log" 2>&1
}

run_mosquitto() {
    server=$(mosquitto_program)
    [ -n "$server" ] || give_up "there is no Mosquitto, scripts/servers.sh install brings it"
    port=$1
    shift
    folder=$(mktemp -d "${TMPDIR:-/tmp}/cw-mqtt-XXXXXX")
    cd "$folder"
    {
        printf 'listener %s 127.0.0.1\n' "$port"
        printf 'persistence false\nset_tcp_nodelay true\nlog_dest stdout\n'
        [ $# -ne 0 ] || printf 'allow_anonymous true\n'
        for setting in "$@"; do
            printf '%s\n' "$setting"
        done
    } >"$folder/mosquitto.conf"
    printf '%s\n' "$folder"
    # It would become a user who may not read this folder, were it root's.
    as=
    if [ "$(id -u)" -eq 0 ]; then
        user=$(id -un mosquitto 2>/dev/null || echo nobody)
        chown -R "$user" "$folder"
        as="--reuid=$user --regid=$(id -g "$user") --clear-groups"
    fi
    # shellcheck disable=SC2086
    exec setpriv $as --pdeathsig TERM "$server" -c "$folder/mosquitto.conf" >"$folder/server.log" 2>&1
}

run_tpm() {
    command -v swtpm >/dev/null && command -v tpm2_ptool >/dev/null ||
        give_up "there is no swtpm with tpm2-pkcs11, scripts/servers.sh install brings them"
    folder=$(mktemp -d "${TMPDIR:-/tmp}/cw-tpm-XXXXXX")
    mkdir "$folder/state"
    printf '%s\n' "$folder"
    exec setpriv --pdeathsig TERM swtpm socket --tpm2 --tpmstate "dir=$folder/state" \
        --server "type=tcp,port=$1,bindaddr=127.0.0.1" --ctrl "type=tcp,port=$(($1 + 1)),bindaddr=127.0.0.1" \
        --flags not-need-init,startup-clear >"$folder/server.log" 2>&1
}

mosquitto_program() {
    # Debian puts it where only root's PATH looks.
    command -v mosquitto || PATH="$PATH:/usr/local/sbin:/usr/sbin" command -v mosquitto || true
}

program() {
    # shellcheck disable=SC2086
    for place in $POSTGRES_PLACES; do
        if [ -x "$place/$1" ]; then
            echo "$place/$1"
            return
        fi
    done
    command -v "$1" || true
}

give_up() {
    echo "$1" >&2
    exit 3
}

main "$@"
