#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# includes_test - every #include "..." in our folders stays within the table rooms.txt; prints each one that does not.
# usage: includes_test.sh [ROOT]    ROOT is the source tree; default: $WEFT_SOURCE_DIR, else two folders up from here.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-${WEFT_SOURCE_DIR:-$here/../..}}" || exit 2

files=$(find include runtime kernels bindings docs/examples -type f \
        \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.cu' -o -name '*.cuh' -o -name '*.inc' \) 2>/dev/null | sort)
[ -n "$files" ] || { echo "includes_test: no source files under $(pwd)"; exit 2; }

# shellcheck disable=SC2086
awk -v table="$here/rooms.txt" '
# The folder of the table that FILE lies in: the longest that is a prefix.
function room_of(file,    parts, path) {
    path = file
    while (sub(/\/[^\/]*$/, "", path))
        if (path in known) return path
    return ""
}
# The file that TEXT, included by FILE, means: beside it, or under one of the include roots.
function resolve(file, text,    path) {
    path = file; sub(/[^\/]*$/, "", path)
    if ((path text) in exists) return path text
    for (i = 1; i <= nroots; i++)
        if ((roots[i] "/" text) in exists) return roots[i] "/" text
    return ""
}
function complain(why) { printf "%s:%d: %s\n", FILENAME, FNR, why; bad++ }
BEGIN {
    nroots = split("include runtime kernels", roots, " ")
    while ((getline line < table) > 0) {
        if (line ~ /^#/ || line !~ /:/) continue
        folder = line; sub(/:.*/, "", folder); sub(/^[^:]*:/, "", line)
        n = split(line, to, " ")
        if (folder == "only-public") { public_only[to[1]] = 1; known[to[1]] = 1; continue }
        known[folder] = 1; order[++nrooms] = folder
        for (i = 1; i <= n; i++) may[folder, to[i]] = 1
    }
    known["include"] = 1; public_only["include"] = 1
    for (k = 1; k <= nrooms; k++)  # the closure: what those may include, in turn
        for (a = 1; a <= nrooms; a++)
            if ((order[a], order[k]) in may)
                for (b = 1; b <= nrooms; b++)
                    if ((order[k], order[b]) in may) may[order[a], order[b]] = 1
    for (i = 1; i < ARGC; i++) exists[ARGV[i]] = 1
    exists["runtime/base/build_info.h"] = exists["runtime/device/cuda/kernel_text.h"] = 1  # written by CMake
}
FNR == 1 {
    nfiles++
    from = room_of(FILENAME)
    if (from == "") complain("this folder is not in tests/arch/rooms.txt")
}
/^[ \t]*#[ \t]*include[ \t]*["<]/ {
    quoted = ($0 ~ /include[ \t]*"/)
    text = $0; sub(/^[^"<]*["<]/, "", text); sub(/[">].*/, "", text)
    target = resolve(FILENAME, text)
    if (target == "") {
        if (quoted) complain("\"" text "\" is no file of this tree")
        next  # a system or third-party header
    }
    ncheck++
    to_room = room_of(target)
    if (to_room == from || to_room ~ /^include/) next
    if (from in public_only) complain(from " may include only include/weft, not " target)
    else if (to_room == "runtime/base" && from != "kernels") next
    else if (to_room == "kernels" && from != "kernels" && target != "kernels/kernel.h")
        complain(from " may include kernels/kernel.h, not " target)
    else if (!((from, to_room) in may)) complain(from " may not include " to_room " (" target ")")
}
END {
    printf "includes: %d files, %d includes of our own, %d outside the table\n", nfiles, ncheck, bad
    exit bad > 0 || ncheck == 0
}' $files
