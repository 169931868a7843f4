#!/bin/sh
# Books a flight: one process runs until a question comes up, others answer, the last draws the path taken.
# Needs no input, no network and no root; everything it makes lies in demo/.
set -eu
cd "$(dirname "$0")/.."
rm -rf demo
mkdir -p demo
export FSM_AGENT_STORE="sqlite:///demo/agents.db"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
step() { say "\$ fsm-agent $*"; fsm-agent "$@"; }
