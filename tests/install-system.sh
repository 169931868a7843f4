#!/bin/sh
# What the tests need besides Python: Graphviz, for its `dot`. Does nothing where it is there already.
set -eu
if command -v dot >/dev/null 2>&1; then
    exit 0
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo"
fi
echo "dot is missing: installing Graphviz with ${as_root:+$as_root }apt-get"
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends graphviz fonts-dejavu-core >/dev/null
dot -V
