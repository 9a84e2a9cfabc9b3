# shellcheck shell=bash
# The webshop's images, made from this machine's own programs: no container engine
# and no registry. Each is packed anew only when what it is made of has changed.

IMAGES=$DEMO_DIR/images

make_images() {
    mkdir -p "$IMAGES"
    image guestbook "$GUESTBOOK" guestbook_root --entrypoint /guestbook
    image redis "$(command -v redis-server)" redis_root --entrypoint /usr/bin/redis-server
    image busybox /bin/busybox busybox_root --entrypoint /bin/sh
}

# image NAME SOURCE ROOT_FUNCTION PACK_OPTIONS…
image() {
    local name=$1 source=$2 fill=$3 archive=$IMAGES/$1.tar
    shift 3
    [ "$archive" -nt "$source" ] && return
    local root
    root=$(mktemp -d)
    "$fill" "$root" "$source"
    mkdir -p "$root/etc" "$root/tmp"
    chmod 1777 "$root/tmp"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
    "$XEBEC" image pack "$root" --name "xebec.local/$name:1" "$@" --output "$archive.part" >/dev/null
    mv "$archive.part" "$archive"
    rm -rf "$root"
}

guestbook_root() { install -D "$2" "$1/guestbook"; }

# A dynamic program brings the libraries that ldd names.
redis_root() {
    install -D "$2" "$1/usr/bin/redis-server"
    mkdir -p "$1/data"
    local library
    ldd "$2" | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "$1$library"; done
}

busybox_root() {
    install -D "$2" "$1/bin/busybox"
    local applet
    for applet in $("$2" --list); do [ "$applet" = busybox ] || ln -sf busybox "$1/bin/$applet"; done
    mkdir -p "$1/www"
    printf '<h1>Xebec</h1><p>A website served by busybox.</p>\n' >"$1/www/index.html"
}
