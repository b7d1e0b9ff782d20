#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# header_test - the public headers compile as pedantic C11 and as C++11 to C++20 with every compiler that
# is here, each header alone; their macros expand to what they promise; a status that is ignored is warned
# of; every function is documented.
# usage: header_test.sh [ROOT]    ROOT is the source tree; default: $WEFT_SOURCE_DIR, else two up from here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "${1:-${WEFT_SOURCE_DIR:-$here/../..}}" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT && cd "$work"

flags="-I$root/include -Wall -Wextra -Wshadow -Werror -pedantic-errors"
cp "$here/header_test.c" contract.c && cp contract.c contract.cc
tried=0
try() {
    tried=$((tried + 1))
    # shellcheck disable=SC2086
    "$@" $flags || { echo "failed: $*"; exit 1; }
}

for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    try $cc -std=c11 -fsyntax-only -Wstrict-prototypes "$here/programs_compile.c"
    try $cc -std=c11 -fsyntax-only -Wstrict-prototypes contract.c
    try $cc -std=c11 -DHEADER_TEST_RUN contract.c -o run && ./run
    for header in weft.h weft/types.h weft/daemon.h; do
        echo "#include <$header>" >alone.c && echo "int alone;" >>alone.c && try $cc -std=c11 -fsyntax-only alone.c
    done
    printf '#include <weft.h>\nvoid f(weft_array *x);\nvoid f(weft_array *x) { weft_save(x, "x", NULL); }\n' >ignored.c
    # shellcheck disable=SC2086
    if $cc -std=c11 -c -o ignored.o $flags ignored.c 2>/dev/null; then
        echo "$cc lets a status of weft_save be ignored" && exit 1
    fi
done
for cxx in g++ clang++; do
    command -v $cxx >/dev/null || continue
    for std in 11 14 17 20; do
        try $cxx -std=c++$std -fsyntax-only -Wconversion contract.cc
        try $cxx -std=c++$std -DHEADER_TEST_RUN contract.cc -o run && ./run
    done
done
[ $tried -gt 0 ] || { echo "skipped: neither gcc nor clang"; exit 77; }

# Documented: in the run of lines without a blank one, a comment stands before or beside the declaration.
awk '
/^[ \t]*$/ { commented = 0; next }
/\/\// { commented = 1 }
/^[a-z][a-z0-9_ ]*[ *]weft_[a-z0-9_]*\(/ && !/^(typedef|static|inline|template)/ {
    functions++
    if (!commented) { print FILENAME ":" FNR ": no comment: " $0; bad++ }
}
END { printf "header: %d functions, %d without a comment\n", functions, bad; exit bad > 0 || functions < 150 }
' "$root/include/weft.h" "$root/include/weft/daemon.h"
echo "header: $tried compilations"
