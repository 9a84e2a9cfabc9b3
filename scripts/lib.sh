# shellcheck shell=bash
# shellcheck disable=SC2034  # its variables are used by the scripts that source it
# What the scripts share: where things lie, how a step is told, what a host is.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}/x86_64-unknown-linux-gnu
DEMO_DIR=${XEBEC_DEMO_DIR:-/var/lib/xebec-demo}
BRIDGE=xeb-br0
MASTERS=(m1 m2 m3)
NODES=(n1 n2)
HOSTS=("${MASTERS[@]}" "${NODES[@]}")

# The Debian packages that building and running the demo need, as "package:what it brings".
PACKAGES=(
    build-essential:cc pkg-config:pkg-config mold:mold
    libseccomp-dev:/usr/lib/x86_64-linux-gnu/libseccomp.a
    iproute2:ip procps:ps curl:curl busybox-static:/bin/busybox redis-server:redis-server
)

# What the tests need beside it.
TEST_PACKAGES=(
    strace:strace nftables:nft jq:jq openssl:openssl dnsutils:dig zsh:zsh fish:fish
    nghttp2-client:h2load dnsperf:dnsperf
)

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# usage: the words at the head of the script that runs.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

now_ms() { date +%s%3N; }

# step WORDS…: what is done next; told as one line with its time by `done_step`.
step() {
    STEP=$*
    STEP_STARTED=$(now_ms)
}

done_step() {
    local ms=$(($(now_ms) - STEP_STARTED))
    printf '%-60s %4d.%03d s\n' "$STEP" $((ms / 1000)) $((ms % 1000))
}

need_root() { [ "$(id -u)" = 0 ] || die "this needs root: network namespaces, mounts and cgroups"; }

# install_packages PAIR…: installs what is missing and says so; silent when all is there.
install_packages() {
    local missing=() pair there
    for pair in "$@"; do
        there=${pair#*:}
        case $there in
        /*) [ -e "$there" ] || missing+=("${pair%%:*}") ;;
        *) command -v "$there" >/dev/null || missing+=("${pair%%:*}") ;;
        esac
    done
    [ ${#missing[@]} = 0 ] && return
    echo "installing Debian packages: ${missing[*]}"
    # A package's own service (redis) must not start: only its program is wanted.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        made=1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    [ -z "$made" ] || rm -f $policy
}

# The address of a host: masters from .11 on, nodes from .21 on.
address() {
    case $1 in
    m*) echo "10.99.0.1${1#m}" ;;
    n*) echo "10.99.0.2${1#n}" ;;
    esac
}

# Whether the process of a host's pid file lives and is ours.
alive() {
    local pid
    pid=$(cat "$DEMO_DIR/$1/pid" 2>/dev/null) && [ -n "$pid" ] &&
        tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q xebec
}

# eventually SECONDS WHAT COMMAND…: polls until the command succeeds.
eventually() {
    local deadline=$(($(now_ms) + $1 * 1000)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$(now_ms)" -lt "$deadline" ] || die "gave up waiting: $what"
        sleep 0.05
    done
}
