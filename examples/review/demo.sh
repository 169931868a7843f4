#!/bin/sh
# Makes a small repository with a pull request in it, and reviews that: a refactoring of `refunds` has lost a guard.
# Needs no input, no network and no root; everything it makes lies in the folder that is named, or in demo/review/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-"$here/../../demo/review"}
rm -rf "$folder"
mkdir -p "$folder/shop/workflows"
cd "$folder"

commit() {
    git -C shop add --all
    git -C shop -c user.name=Ana -c user.email=ana@example.org -c commit.gpgsign=false commit --quiet --message "$1"
}

git init --quiet --initial-branch main shop
cp "$here/before/refunds.yaml" shop/workflows/refunds.yaml
cp "$here/refund_actions.py" shop/
printf '[tool.fsm-agent]\nmodules = ["refund_actions"]\n' > shop/pyproject.toml
commit "Refunds are paid"
git -C shop checkout --quiet -b escalation
cp "$here/after/refunds.yaml" shop/workflows/refunds.yaml
commit "Whoever is not answered within a day is heard by somebody else"

printf '\n\033[1m# The branch `escalation` is reviewed against `main`.\033[0m\n'
printf '\033[2m$ fsm-agent review --base main --out-dir ../report --sarif ../report/refunds.sarif\033[0m\n\n'
code=0
(cd shop && fsm-agent review --base main --out-dir ../report --sarif ../report/refunds.sarif) || code=$?
if [ "$code" -ne 1 ]; then
    echo "a broken property was to be found, and the review ended with $code" >&2
    exit 1
fi

printf '\n\033[1m# Where everything lies: %s\033[0m\n' "$(pwd)"
printf '  %-36s %s\n' \
    report/review.md "the report: what a comment of a pull request shows" \
    report/refunds.svg "the change as one picture; refunds.mmd is the same for Markdown" \
    report/tests/ "a test that fails until the guard is back" \
    report/refunds.sarif "the findings, for code scanning and editors" \
    shop/ "the repository: \`git diff main\` shows what was written"
if [ -f report/refunds.html ]; then
    printf '  %-36s %s\n' report/refunds.html "the page: open it in a browser"
fi
