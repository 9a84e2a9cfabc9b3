#!/usr/bin/env bash
# Boots a whole cluster on this machine: five hosts as network namespaces, three
# masters, two nodes and the webshop. Running it again mends what is down and
# changes nothing that works.
#
#   scripts/up.sh             three masters and two nodes
#   scripts/up.sh --single    the embedded form: `xebec up`, one process, one node
#
# XEBEC_DEMO_DIR  where hosts keep their pid, log and data (/var/lib/xebec-demo)
# XEBEC_BIN       a binary to use instead of building the release one
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/images.sh
source "$(dirname "$0")/images.sh"
# shellcheck source=scripts/hosts.sh
source "$(dirname "$0")/hosts.sh"
cd "$ROOT"

build() {
    step "build the static release binary"
    if [ -n "${XEBEC_BIN:-}" ]; then
        XEBEC=$XEBEC_BIN GUESTBOOK=$(dirname "$XEBEC_BIN")/guestbook
    else
        XEBEC=$TARGET_DIR/release/xebec GUESTBOOK=$TARGET_DIR/release/guestbook
        command -v cargo >/dev/null || die "cargo is missing: install Rust as rust-toolchain.toml names it (https://rustup.rs)"
        [ -e "$XEBEC" ] || echo "building for the first time: this takes some minutes"
        # A terminal sees cargo's own progress.
        local quiet=--quiet
        [ ! -t 2 ] || quiet=
        cargo build ${quiet:+"$quiet"} --release --locked --package xebec --package guestbook
    fi
    XCTL=$(dirname "$XEBEC")/xctl
    [ -e "$XCTL" ] || ln -s xebec "$XCTL"
    done_step
}

# start HOST COMMAND…: runs a component inside the host, if it does not run already.
# The mark in its environment is what down.sh finds the host's processes by.
start() {
    local host=$1 dir=$DEMO_DIR/$1
    shift
    if alive "$host"; then return; fi
    mkdir -p "$dir/data"
    chmod 700 "$dir/data"
    XEBEC_DEMO_HOST=$host XEBEC_DEMO_DIR=$DEMO_DIR setsid --fork \
        ip netns exec "xeb-$host" sh -c "echo \$\$ >'$dir/pid'; exec \"\$@\"" sh "$@" \
        </dev/null >>"$dir/log" 2>&1
    eventually 2 "the pid of $host" alive "$host"
}

xctl() { "$XCTL" --kubeconfig "$KUBECONFIG_FILE" "$@"; }

master_voted() { xctl cluster status -o json | tr -d ' \n' | grep -Eq "\"name\":\"$1\"[^}]*\"voter\":true"; }

boot_masters() {
    step "master m1 answers"
    start m1 "$XEBEC" master --config "$CONFIGS/m1.toml"
    eventually 20 "m1 answers (see $DEMO_DIR/m1/log)" xctl cluster status
    done_step
    local host
    for host in m2 m3; do
        step "master $host"
        if ! alive "$host"; then
            if [ ! -e "$DEMO_DIR/$host/data/meta.json" ]; then
                mkdir -p "$DEMO_DIR/$host"
                (umask 077 && xctl token create --master --ttl 10m >"$DEMO_DIR/$host/token")
            fi
            start "$host" "$XEBEC" master --config "$CONFIGS/$host.toml"
        fi
    done
    for host in m2 m3; do
        step "master $host is a voter"
        eventually 20 "$host is a voter (see $DEMO_DIR/$host/log)" master_voted "$host"
        done_step
    done
}

node_ready() { xctl get node "$1" | grep -q ' Ready '; }

# Whether a node comes in only by a token: it has no certificate yet, or one that has expired.
needs_token() { ! openssl x509 -noout -checkend 0 -in "$DEMO_DIR/$1/data/pki/node.crt" >/dev/null 2>&1; }

boot_nodes() {
    local host
    for host in "${NODES[@]}"; do
        alive "$host" && continue
        if needs_token "$host"; then
            mkdir -p "$DEMO_DIR/$host"
            (umask 077 && xctl token create --ttl 10m >"$DEMO_DIR/$host/token")
        fi
        start "$host" "$XEBEC" node --config "$CONFIGS/$host.toml"
    done
    for host in "${NODES[@]}"; do
        step "node $host is Ready"
        eventually 30 "$host is Ready (see $DEMO_DIR/$host/log)" node_ready "$host"
        done_step
    done
}

guestbook_answers() { curl -fsS --max-time 2 "$URL/entries"; }

# Every host of the shop, by the ingress of every node that is asked.
webshop_answers() {
    local host
    for host in www shop guestbook; do
        curl -fsS --max-time 2 -H "Host: $host.mywebshop.com" "$INGRESS/" || return
    done
    curl -fsS --max-time 2 -H "Host: www.mywebshop.com" "$INGRESS/api"
}

apply_webshop() {
    step "apply examples/webshop"
    xctl apply -f examples/webshop >/dev/null
    done_step
    step "the guestbook answers"
    eventually 60 "the guestbook at $URL" guestbook_answers
    done_step
    step "the webshop answers by the ingress"
    eventually 60 "the webshop at $INGRESS" webshop_answers
    done_step
}

three_masters() {
    CONFIGS=$ROOT/cluster-configs/three-masters
    KUBECONFIG_FILE=$DEMO_DIR/admin.kubeconfig
    URL=http://$(address n1):30080
    INGRESS=http://$(address n1):30880
    step "five hosts as network namespaces"
    make_hosts
    done_step
    boot_masters
    boot_nodes
    apply_webshop
}

# The address that the default route leaves by, as `xebec up` finds it.
own_address() { ip -4 route get 192.0.2.1 2>/dev/null | grep -o 'src [0-9.]*' | cut -d' ' -f2 | grep . || echo 127.0.0.1; }

single() {
    KUBECONFIG_FILE=$DEMO_DIR/single/data/admin.kubeconfig
    URL=http://$(own_address):30080
    INGRESS=http://$(own_address):30880
    step "xebec up: one process, one node"
    if ! alive single; then
        mkdir -p "$DEMO_DIR/single/data"
        chmod 700 "$DEMO_DIR/single/data"
        XEBEC_DEMO_HOST=single setsid --fork sh -c "echo \$\$ >'$DEMO_DIR/single/pid'; exec \"\$@\"" sh \
            "$XEBEC" up --data-dir "$DEMO_DIR/single/data" --images "$IMAGES" </dev/null >>"$DEMO_DIR/single/log" 2>&1
    fi
    eventually 30 "a Ready node (see $DEMO_DIR/single/log)" sh -c "'$XCTL' --kubeconfig '$KUBECONFIG_FILE' get nodes | grep -q ' Ready '"
    done_step
    apply_webshop
}

case $*-$# in
-0 | --single-1) ;;
-h-1 | --help-1) usage && exit ;;
*) die "up.sh takes nothing, or --single: not $*" ;;
esac
need_root
install_packages "${PACKAGES[@]}"
build
step "images: guestbook, redis, busybox"
make_images
done_step
if [ "${1:-}" = --single ]; then single; else three_masters; fi

cat <<END

Try next:
  curl -d entry=hello $URL/entries
  curl -H 'Host: www.mywebshop.com' $INGRESS/api
  $XCTL --kubeconfig $KUBECONFIG_FILE get pods -o wide
  $XCTL --kubeconfig $KUBECONFIG_FILE cluster status
url=$URL
ingress=$INGRESS
kubeconfig=$KUBECONFIG_FILE
END
