#!/usr/bin/env bash
# The kernel backend of GRE, proved on a stock Debian kernel that has it: boots one under qemu with its modules, and runs
# net's tests there, of which the suite of the kernel backend is one. With scenarios as arguments, dzsim runs those there
# as well, on the kernel dataplane.
# usage: ci/kernel-gre.sh [SCENARIO...]
# needs: qemu-system-x86_64 (package qemu-system-x86) and apt-get, dpkg-deb; is fast where /dev/kvm can be used.
set -euo pipefail
cd "$(dirname "$0")/.."
modules=(ip_gre dummy vrf veth tun bridge nf_tables)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/dz-kernel-gre
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

for tool in qemu-system-x86_64 apt-get dpkg-deb; do
    command -v $tool >/dev/null || { echo "$0: $tool is missing" >&2; exit 3; }
done

# The kernel that the distribution's meta package names, unpacked once.
package=$(apt-cache depends linux-image-amd64 | grep -o 'linux-image-[0-9].*' | head -1)
[ -n "$package" ] || { echo "$0: apt knows no linux-image-amd64; run apt-get update" >&2; exit 3; }
if [ ! -d "$cache/$package" ]; then
    mkdir -p "$cache"
    (cd "$work" && apt-get --quiet download "$package" busybox-static 2>&1)
    mkdir "$work/unpacked"
    for file in "$work"/*.deb; do dpkg-deb -x "$file" "$work/unpacked"; done
    mv "$work/unpacked" "$cache/$package"
fi
kernel=$(echo "$cache/$package"/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}
busybox=$cache/$package/bin/busybox
from=$cache/$package/lib/modules/$version

# The programs to run, with their libraries, each where it is here.
install_program() {
    install -D -m 755 "$1" "$root$1"
    strip --strip-debug "$root$1" 2>/dev/null || true
    ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
        [ -e "$root$library" ] || install -D -m 755 "$library" "$root$library"
    done
}
mapfile -t tests < <(cargo test --locked --package dz-net --lib --test suite --no-run 2>&1 | tee /dev/stderr |
    sed -n 's/.*Executable.*(\(.*\))/\1/p')
[ ${#tests[@]} = 2 ] || { echo "$0: expected two test programs, got ${tests[*]}" >&2; exit 1; }
commands=()
for test in "${tests[@]}"; do
    test=$(realpath "$test")
    install_program "$test"
    commands+=("$test --test-threads 2")
done
install_program "$(realpath "${tests[0]%/deps/*}/dz-gre-helper")"
# That one promise is the reason for all of this.
commands+=("$(realpath "${tests[1]}") --nocapture the_kernel_backend | grep -F 'kernel gre: present, running the suite'")
if [ $# -gt 0 ]; then
    cargo build --locked --package dzsim --bin dzsim
    dzsim=$(realpath "${tests[0]%/deps/*}/dzsim")
    install_program "$dzsim"
    for scenario in "$@"; do
        find "$scenario" -type f -name '*.yaml' | while read -r file; do install -D -m 644 "$file" "$root$PWD/$file"; done
    done
    # What a scenario records is compared with what is kept, whichever the dataplane.
    mkdir -p "$root$PWD" && cp -r snapshots "$root$PWD"
    commands+=("$dzsim run --dataplane kernel --artifacts /tmp/artifacts $*")
fi

# Modules that the tests may have loaded for them, and the order they are loaded in.
for folder in net lib crypto; do
    mkdir -p "$root/lib/modules/$version/kernel/$folder"
    cp -r "$from/kernel/$folder/." "$root/lib/modules/$version/kernel/$folder"
done
install -D -m 644 -t "$root/lib/modules/$version/kernel/drivers/net" "$from"/kernel/drivers/net/{dummy,tun,veth,vrf}.ko
cp "$from"/modules.{builtin,order} "$root/lib/modules/$version"
"$busybox" depmod -b "$root" "$version"

mkdir -p "$root"/{bin,sbin,proc,sys,dev,tmp,run,etc,root}
cp "$busybox" "$root/bin/busybox"
for applet in sh mount grep cat readlink false modprobe poweroff mkdir; do ln -s busybox "$root/bin/$applet"; done
ln -s ../bin/busybox "$root/sbin/modprobe"
{
    echo '#!/bin/sh'
    echo 'export PATH=/bin:/sbin HOME=/root'
    echo 'mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev'
    echo 'status=0'
    for module in "${modules[@]}"; do echo "modprobe $module || status=1"; done
    echo "mkdir -p '$PWD' && cd '$PWD'"
    for command in "${commands[@]}"; do printf 'echo "== %s"\n%s || status=1\n' "${command//\"/}" "$command"; done
    echo 'echo "kernel-gre: status $status"'
    echo 'poweroff -f'
} >"$root/init"
chmod 755 "$root/init"
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/initramfs"

boot() { # SECONDS [QEMU OPTIONS...]
    timeout "$1" qemu-system-x86_64 "${@:2}" -nodefaults -no-reboot -display none -serial stdio \
        -kernel "$kernel" -append 'console=ttyS0 quiet panic=-1' </dev/null
}
accelerate=(-cpu max)
# Inside a virtual machine the device may be there and not work: see whether a kernel gets as far as to miss its root.
if [ -w /dev/kvm ] && boot 10 -enable-kvm -cpu host -m 512 | grep -q 'Kernel panic'; then
    accelerate=(-enable-kvm -cpu host)
fi
echo "== linux $version, ${accelerate[0]}"
boot 1800 "${accelerate[@]}" -smp 2 -m 3072 -initrd "$work/initramfs" | tee "$work/log"
grep -q 'kernel-gre: status 0' "$work/log"
