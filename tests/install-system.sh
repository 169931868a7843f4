#!/bin/sh
# What the tests need besides Python: Graphviz, for its `dot`, and a PostgreSQL server, which tests start themselves.
# Does nothing where both are there already.
set -eu
missing=""
command -v dot >/dev/null 2>&1 || missing="$missing graphviz fonts-dejavu-core"
if ! command -v postgres >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then
    missing="$missing postgresql"
fi
if [ -z "$missing" ]; then
    exit 0
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo"
fi
echo "installing$missing with ${as_root:+$as_root }apt-get"
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
