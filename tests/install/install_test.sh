#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install_test - builds and runs a C and a C++ program against an install tree, as a stranger would.
# usage: install_test.sh pkgconfig_shared|pkgconfig_static|cmake_shared|cmake_static
# Reads ../prefix (the install tree, made by the test install.tree), $WEFT_SOURCE_DIR, $CC and $CXX; works in ".".
set -eu
way=$1
source=$WEFT_SOURCE_DIR/tests/install
tree=$(cd ../prefix && pwd)
rm -rf prefix work && mkdir work

# The tree is moved first: nothing in it may remember where it was installed to. For pkgconfig_static the shared library
# is taken out, so that -lweft can only mean the static one.
cp -a "$tree" prefix
prefix=$PWD/prefix
libdir=$(dirname "$(find "$prefix" -name libweft.a)")
case $way in pkgconfig_static) find "$libdir" -name 'libweft.so*' -delete ;; esac
command -v "${CXX:-none}" >/dev/null || { echo "skipped: no C++ compiler"; exit 77; }

case $way in
pkgconfig_*)
    command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }
    export PKG_CONFIG_PATH=$libdir/pkgconfig
    static=; [ "$way" = pkgconfig_static ] && static=--static
    version=$(pkg-config --modversion weft)
    flags=$(pkg-config --cflags weft)
    libs=$(pkg-config $static --libs weft)
    set -x
    # shellcheck disable=SC2086
    "$CC" -DEXPECTED_VERSION="\"$version\"" $flags "$source/program.c" -o work/program_c $libs
    # shellcheck disable=SC2086
    "$CXX" -DEXPECTED_VERSION="\"$version\"" $flags "$source/program.cc" -o work/program_cc $libs
    ;;
cmake_*)
    shared=ON; [ "$way" = cmake_static ] && shared=OFF
    set -x
    cmake -S "$source" -B work -DCMAKE_PREFIX_PATH="$prefix" -DBUILD_SHARED_LIBS=$shared >work/configure.log 2>&1 ||
        { cat work/configure.log; exit 1; }
    cmake --build work >work/build.log 2>&1 || { cat work/build.log; exit 1; }
    ;;
esac
set -x
LD_LIBRARY_PATH=$libdir work/program_c
LD_LIBRARY_PATH=$libdir work/program_cc
case $way in
*_static) ! ldd work/program_c | grep libweft ;;
*_shared) LD_LIBRARY_PATH=$libdir ldd work/program_c | grep "libweft.so.0 => $libdir/" ;;
esac
rm -rf prefix work
