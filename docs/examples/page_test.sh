#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# page_test - compiles and runs every ```c block of a Markdown page that has a main(), and compiles the other blocks that
# include a header. Works in ".".
# usage: page_test.sh PAGE.md FOLDER_OF_LIBWEFT
set -eu
page=$1 libdir=$2
rm -f block*
awk '/^```c$/ { file = "block" ++n ".c"; next } /^```/ { file = ""; next } file { print > file }' "$page"
tried=0
for block in block*.c; do
    grep -q '^#include' "$block" || continue
    tried=$((tried + 1))
    echo "+ $(basename "$page"), C block ${block//[!0-9]/}"
    if grep -q 'int main(' "$block"; then
        "${CC:-cc}" -std=gnu11 -Wall -I"$WEFT_SOURCE_DIR/include" "$block" -o "${block%.c}" -L"$libdir" -lweft -lm
        LD_LIBRARY_PATH=$libdir "./${block%.c}"
    else
        "${CC:-cc}" -std=gnu11 -Wall -I"$WEFT_SOURCE_DIR/include" -c "$block" -o "${block%.c}.o"
    fi
done
[ $tried -gt 0 ] || { echo "skipped: no whole program in $page"; exit 77; }
