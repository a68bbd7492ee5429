#!/bin/sh
# Installs etcd-sandbox and its etcds from this directory into your home; no network is needed.
#
#     sh install.sh                                  with the first Python that fits
#     PYTHON=/path/to/python3 sh install.sh          with this one
#
# Again, it mends or renews what is there. What it makes: etcd-sandbox/venv and etcd-sandbox/etcd in
# your data directory (~/.local/share on Linux), and the link ~/.local/bin/etcd-sandbox.
set -eu

fail() {
    printf 'install.sh: error: %s\n\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here"

if command -v sha256sum >/dev/null; then
    sums=sha256sum
elif command -v shasum >/dev/null; then
    sums='shasum -a 256'
else
    fail 'neither sha256sum nor shasum is here' 'install coreutils'
fi
if ! said=$(LC_ALL=C $sums -c SHA256SUMS 2>&1); then
    printf '%s\n' "$said" | grep -v ': OK$' >&2
    fail 'the kit is not whole: these files are damaged or missing' 'copy the kit once more'
fi

. ./kit.conf

system=$(uname -s)
processor=$(uname -m)
if [ "$system $processor" != "$KIT_SYSTEM $KIT_PROCESSOR" ]; then
    fail "the kit is for $KIT_SYSTEM $KIT_PROCESSOR, and this machine is $system $processor" \
        'ask for a kit for this machine: etcd-sandbox kit --for'
fi

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

python=
for version in $KIT_PYTHONS; do
    for candidate in ${PYTHON:-"python$version" python3}; do
        if [ -z "$python" ] && [ "$(version_of "$candidate")" = "$version" ]; then
            python=$candidate
            python_version=$version
        fi
    done
done
if [ -z "$python" ]; then
    fail "the kit is for Python $KIT_PYTHONS, and none of them is here" \
        'name one with PYTHON=/path/to/python3, or ask for a kit for your Python: etcd-sandbox kit --python'
fi

venv=${XDG_DATA_HOME:-$HOME/.local/share}/etcd-sandbox/venv
renewed=yes
if [ "$(version_of "$venv/bin/python")" != "$python_version" ]; then
    renewed=
    "$python" -m venv --clear --without-pip "$venv" ||
        fail "$python could not make an environment, $venv" 'install python3-venv, or name another Python'
fi
# pip itself is run out of its wheel; --isolated: no pip.conf may send it elsewhere.
set -- wheels/pip-*.whl
pip() {
    "$venv/bin/python" "$pip/pip" --isolated --disable-pip-version-check --no-input "$@"
}
pip=$1
own=$(echo "wheels/etcd_sandbox-$KIT_VERSION"-*.whl)
echo "installing etcd-sandbox $KIT_VERSION with $python ($python_version)"
failed() {
    fail 'pip could not install the wheels' 'tell your instructor what stands above'
}
pip install -q --no-index --find-links wheels --upgrade "$own[$KIT_EXTRAS]" pip || failed
if [ -n "$renewed" ]; then
    # The same version may have other contents in another kit.
    pip install -q --no-index --no-deps --force-reinstall "$own" || failed
fi

etcds=$("$venv/bin/python" -c 'from etcd_sandbox.paths import download_home; print(download_home())')
for place in etcd/*/; do
    [ -d "$place" ] || continue
    version=$(basename "$place")
    mkdir -p "$etcds/$version"
    for program in "$place"*; do
        name=$(basename "$program")
        # A program that runs cannot be written, but its name can be given to another.
        cp "$program" "$etcds/$version/.$name.new"
        chmod 755 "$etcds/$version/.$name.new"
        mv -f "$etcds/$version/.$name.new" "$etcds/$version/$name"
    done
    "$etcds/$version/etcd" --version >/dev/null 2>&1 ||
        echo "install.sh: warning: etcd $version does not run on this machine" >&2
    echo "put etcd $version into $etcds/$version"
done

bin=$HOME/.local/bin
mkdir -p "$bin"
if [ -e "$bin/etcd-sandbox" ] && [ ! -L "$bin/etcd-sandbox" ]; then
    fail "$bin/etcd-sandbox is there already, and is not ours" "use $venv/bin/etcd-sandbox, or move that file away"
fi
ln -sf "$venv/bin/etcd-sandbox" "$bin/etcd-sandbox"

echo "installed $("$bin/etcd-sandbox" --version)"
case ":$PATH:" in
*":$bin:"*) ;;
*)
    echo 'your PATH lacks its directory; in each new terminal, or once in ~/.profile:'
    echo "    export PATH=\"$bin:\$PATH\""
    ;;
esac
echo 'next: etcd-sandbox doctor, then etcd-sandbox learn 1'
