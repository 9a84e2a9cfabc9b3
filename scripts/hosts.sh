# shellcheck shell=bash
# Hosts as network namespaces on one bridge, and how they go again.

# make_hosts: the bridge and every host's namespace and link; what is there stays.
make_hosts() {
    if ! ip link show "$BRIDGE" >/dev/null 2>&1; then
        ip link add "$BRIDGE" type bridge
        ip addr add 10.99.0.1/24 dev "$BRIDGE"
        ip link set "$BRIDGE" up
    fi
    local host
    for host in "${HOSTS[@]}"; do make_host "$host"; done
}

make_host() {
    local host=$1 ns=xeb-$1
    ip netns list | grep -qw "$ns" || ip netns add "$ns"
    ip link show "xebv-$host" >/dev/null 2>&1 && return
    ip link add "xebv-$host" type veth peer name eth0 netns "$ns"
    ip link set "xebv-$host" master "$BRIDGE" up
    ip -n "$ns" link set lo up
    ip -n "$ns" addr add "$(address "$host")/24" dev eth0
    ip -n "$ns" link set eth0 up
    ip -n "$ns" route add default via 10.99.0.1
}

# processes_of HOST: the pids of its components and shims, which carry the mark that
# up.sh set, and of everything below them.
processes_of() {
    local all
    all=$(grep -lzx "XEBEC_DEMO_HOST=$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
    [ -n "$all" ] || return 0
    ps -e -o pid=,ppid= | awk -v roots="$all" '
        BEGIN { n = split(roots, r, /[ \n]+/); for (i = 1; i <= n; i++) wanted[r[i]] = 1 }
        { pid[NR] = $1; parent[NR] = $2 }
        END {
            do {
                grew = 0
                for (i = 1; i <= NR; i++)
                    if (!(pid[i] in wanted) && (parent[i] in wanted)) { wanted[pid[i]] = 1; grew = 1 }
            } while (grew)
            for (p in wanted) print p
        }'
}

# cut_power HOST: everything at once, with no chance to say goodbye.
cut_power() {
    ip link del "xebv-$1" 2>/dev/null || true
    local pids
    # Twice: what was being forked during the first look is found by the second.
    for _ in 1 2 3; do
        pids=$(processes_of "$1")
        [ -n "$pids" ] || break
        # shellcheck disable=SC2086  # one pid a word
        kill -9 $pids 2>/dev/null || true
    done
    rm -f "$DEMO_DIR/$1/pid"
}

# remove_host HOST: as if it had never been.
remove_host() {
    cut_power "$1"
    eventually 5 "the processes of $1 are gone" no_processes "$1"
    ip netns del "xeb-$1" 2>/dev/null || true
    local tree
    for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ -d "$tree/xebec/$1" ] || continue
        eventually 5 "the cgroup $tree/xebec/$1 is gone" remove_cgroup "$tree/xebec/$1"
        rmdir "$tree/xebec" 2>/dev/null || true
    done
}

# A connection that nobody is left to end keeps its pod's namespace, and so the pod's link,
# for a minute or more; where there is none the kernel may be faster than this.
remove_pod_links() {
    local link
    for link in $(ip -o link show type veth | grep -o 'xbc[0-9a-f]*'); do ip link del "$link" || true; done
    ! ip -o link show type veth | grep -q 'xbc[0-9a-f]'
}

no_processes() { [ -z "$(processes_of "$1")" ]; }

remove_cgroup() {
    find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null
    [ ! -d "$1" ]
}
