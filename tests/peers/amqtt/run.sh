#!/bin/sh
# A second broker, amqtt, between us and every simulated device that speaks MQTT: the whole shared suite, faults included.
# Exit code 3: it cannot be had here.
#
#   sh tests/peers/amqtt/run.sh
set -eu
cd "$(dirname "$0")/../../.."
sh scripts/peers.sh install amqtt || exit 3
rm -f .peers/amqtt/broker.log
PYTHONPATH=$PWD/src:$PWD/tests .venv/bin/python tests/peers/amqtt/judge.py
