# shellcheck shell=bash
# What contrib/test and contrib/quickstart share: packages, configure, make. To be sourced, from the top folder.

# Debian keeps servers there, and an ordinary user's PATH does not.
PATH=$PATH:/usr/sbin:/sbin

# What a build needs.
# shellcheck disable=SC2034
BUILD_PACKAGES=(autoconf automake pkg-config gcc make libc6-dev libssl-dev libev-dev libconfig-dev libmaxminddb-dev
  libunistring-dev)

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

say() {
  printf '\n== %s\n' "$*"
}

# as_root COMMAND...: by sudo where we are not root.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages PACKAGE...: those of them that are missing; no service is started by it.
install_packages() {
  local package missing=() policy=/usr/sbin/policy-rc.d ours=
  command -v dpkg-query >/dev/null || die "this needs Debian's packages: $*"
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || die "install these packages first: ${missing[*]}"
  if [ ! -e "$policy" ]; then
    ours=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  local status=0
  { as_root apt-get -qq update &&
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -qq -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"; } || status=$?
  [ -z "$ours" ] || as_root rm -f "$policy"
  [ "$status" -eq 0 ] || die "apt-get could not install ${missing[*]}"
}

# prepare_configure: makes ./configure where it is missing or older than what it is made from.
prepare_configure() {
  if [ ! -x configure ] || [ configure -ot configure.ac ] || [ Makefile.in -ot Makefile.am ]; then
    say "autoreconf"
    autoreconf -fi
  fi
}

CONFIGURE_FLAGS=()

# build FOLDER COMPILER FLAGS [MAKE-FLAGS]: configures once, by CONFIGURE_FLAGS, and makes what has changed.
# Warnings are kept out of configure's own tests by MAKE-FLAGS.
build() {
  local folder=$1 compiler=$2 flags=$3 make_flags=${4-} top=$PWD
  prepare_configure && mkdir -p "$folder" || return
  if [ ! -f "$folder/Makefile" ]; then
    say "configure in $folder"
    (cd "$folder" && "$top/configure" --quiet "${CONFIGURE_FLAGS[@]}" CC="$compiler" CFLAGS="$flags") || return
  fi
  say "make in $folder"
  make --no-print-directory -s -C "$folder" -j "$(nproc)" CFLAGS="$flags $make_flags"
}

# download_packages PACKAGE...: into the current folder. Root's folders are nothing for apt's own account.
download_packages() {
  apt-get -qq -o APT::Sandbox::User=root download "$@"
}

# unpack_packages FOLDER PACKAGE...: their files, without installing them, where they are not there yet.
unpack_packages() {
  local folder=$1 new=$1.new package
  shift
  [ ! -d "$folder" ] || return 0
  say "unpacking $* in $folder"
  rm -rf "$new"
  mkdir -p "$new/packages" "$new/files"
  (cd "$new/packages" && { download_packages "$@" || { as_root apt-get -qq update && download_packages "$@"; }; }) ||
    die "apt-get could not download $*"
  for package in "$new/packages"/*.deb; do
    dpkg -x "$package" "$new/files" || die "dpkg could not unpack $package"
  done
  mv "$new/files" "$folder"
  rm -r "$new"
}
