#!/bin/sh
# Installs the servers that the tests start, where that is possible without a question: on Debian, as root. Says nothing
# where they are all there. What is missing in the end is skipped, and the reason names what to install; only with the
# argument `strict` that is a failure.
set -u

missing() {
    # postgres lies outside of the PATH on Debian
    command -v etcd >/dev/null || [ -x /usr/bin/etcd ] || echo etcd-server
    command -v etcdctl >/dev/null || [ -x /usr/bin/etcdctl ] || echo etcd-client
    command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || echo postgresql
    command -v redis-server >/dev/null || echo redis-server
    command -v promtool >/dev/null || echo prometheus
}

packages=$(missing | tr '\n' ' ')
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing the servers of the tests: $packages"
    # RUNLEVEL=1 keeps the packages from starting a service: a test starts its own server, on a port of its own.
    apt-get update -qq &&
        RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    packages=$(missing | tr '\n' ' ')
fi

if [ -n "$packages" ]; then
    echo "Not installed, so their tests are skipped; Debian's packages: $packages"
    [ "${1:-}" != strict ] || exit 1
fi
exit 0
