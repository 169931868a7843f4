#!/bin/sh
# What the tests need besides Python: Graphviz, for its `dot`, valgrind, which counts the instructions of a step, SPIN,
# which proves what the prover proves, with a C compiler, Node.js, which runs XState, a browser, which looks at pages, jq,
# which stands in for a part of GitHub's command, curl, which the page on the HTTP API shows, and servers, PostgreSQL,
# Redis and nginx, which tests start themselves. Does nothing where they are there already; no service is started.
set -eu
missing=""
command -v dot >/dev/null 2>&1 || missing="$missing graphviz fonts-dejavu-core"
if ! command -v postgres >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
    missing="$missing postgresql"
fi
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v jq >/dev/null 2>&1 || missing="$missing jq"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v valgrind >/dev/null 2>&1 || missing="$missing valgrind"
browser=""
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && browser="$name"
done
[ -n "$browser" ] || missing="$missing chromium-headless-shell"
command -v spin >/dev/null 2>&1 || missing="$missing spin"
command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
command -v npm >/dev/null 2>&1 || missing="$missing nodejs npm"

if [ -n "$missing" ]; then
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        as_root="sudo"
    fi
    echo "installing$missing with ${as_root:+$as_root }apt-get"
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null
    for service in redis-server nginx; do
        if command -v systemctl >/dev/null 2>&1 && systemctl is-active --quiet "$service"; then
            case $missing in *"$service"*) $as_root systemctl disable --now --quiet "$service" ;; esac
        fi
    done
fi

cd "$(dirname "$0")/npm"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --silent
fi
