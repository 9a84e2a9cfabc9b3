#!/usr/bin/env bash
# Ends what up.sh began.
#
#   scripts/down.sh           every host: nothing is left behind
#   scripts/down.sh n1        cuts the power of that one host; up.sh brings it back
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/hosts.sh
source "$(dirname "$0")/hosts.sh"
case ${1:-} in -h | --help) usage && exit ;; esac
need_root

if [ $# -gt 0 ]; then
    for host in "$@"; do
        [[ " ${HOSTS[*]} single " == *" $host "* ]] || die "no host '$host': one of ${HOSTS[*]} single"
        step "cut the power of $host"
        cut_power "$host"
        done_step
    done
    exit
fi

step "all hosts are gone"
# The embedded form first: its node is called n1 too, and it lives on this very host.
if [ -d "$DEMO_DIR/single" ]; then
    XEBEC=${XEBEC_BIN:-$TARGET_DIR/release/xebec}
    [ -x "$XEBEC" ] || die "$XEBEC is not there, and takes the proxy's rules away: name the binary by XEBEC_BIN"
    cut_power single
    "$XEBEC" proxy --clean-up
    # The protocol number that the pod network marks its routes with. A route may go by
    # itself, with its pod's link, between being seen and being deleted: then once more.
    eventually 10 "the routes of its pods are gone" ip route flush proto 118
    eventually 10 "the links of its pods are gone" remove_pod_links
fi
for host in "${HOSTS[@]}"; do remove_host "$host"; done
ip link del "$BRIDGE" 2>/dev/null || true
rm -rf "${DEMO_DIR:?}"
done_step
