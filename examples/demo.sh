#!/bin/sh
# Books a flight: one process runs until it has to ask, two others answer, the last draws the path taken.
# Needs no input, no network and no root; everything it makes lies in demo/.
set -eu
cd "$(dirname "$0")/.."
rm -rf demo
mkdir demo
export FSM_AGENT_STORE="sqlite:///demo/agents.db"

step() {
    printf '\n\033[1m# %s\033[0m\n' "$1"
    shift
    printf '\033[2m$ %s\033[0m\n\n' "$*"
    "$@"
}

step "One process runs until it has to ask." \
    fsm-agent run workflows/book_flight.yaml --id demo --no-input \
    --data '{"folder": "demo"}' --payload '{"goal": "Book a flight from San Francisco to NYC next Monday"}'
step "A second one answers, and goes on from where the first stopped." fsm-agent answer demo JFK
step "A third one chooses." fsm-agent answer demo 3
step "What happened is on record." fsm-agent history demo
step "The path taken, drawn." fsm-agent diagram --agent demo --format svg -o demo/book_flight.svg

printf '\n\033[1m# Where everything lies\033[0m\n'
printf '  %-26s %s\n' \
    workflows/book_flight.yaml "the declaration" \
    examples/book_flight/ "its actions" \
    demo/agents.db "the agent: state, data, history" \
    demo/demo.md "the itinerary that it wrote" \
    demo/book_flight.svg "its diagram with the path taken"
