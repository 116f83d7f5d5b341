#!/bin/sh
# Foreign servers for tests and benchmarks: `install` brings their Debian packages where they are missing,
# `postgres` runs a throw-away PostgreSQL on a private socket until it is stopped.
#
#   scripts/servers.sh install
#   scripts/servers.sh postgres [setting=value ...]
#
# `postgres` prints the folder with its socket as its first line, becomes the server, and dies with whoever started
# it. Connect with host=FOLDER user=postgres dbname=postgres. Stop it with SIGINT, then delete the folder.
# Exit code 3: it cannot be had here.
set -eu

POSTGRES_PLACES="/usr/local/bin /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/bin"

main() {
    task=${1:-help}
    [ $# -eq 0 ] || shift
    case $task in
        install) install_missing ;;
        postgres) run_postgres "$@" ;;
        *) sed -n '2,10s/^# \{0,1\}//p' "$0" ;;
    esac
}

install_missing() {
    missing=
    [ -n "$(program initdb)" ] || missing="$missing postgresql"
    command -v softhsm2-util >/dev/null || missing="$missing softhsm2"
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ] || give_up "to be installed by an administrator:$missing"
    # The package would start a server of its own, which nobody asked for.
    export DEBIAN_FRONTEND=noninteractive
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $missing >/dev/null ||
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing >/dev/null; } ||
        give_up "apt-get does not bring$missing"
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
