#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# declared - prints the name of every function that the public headers declare, one a line.
# usage: declared.sh ROOT [PATTERN]     PATTERN: only declarations whose line matches (an awk regular expression)
set -eu
cat "$1"/include/weft.h "$1"/include/weft/*.h | awk -v pattern="${2:-.}" '
{ sub(/\/\/.*/, "") }                                   # comments
{
    text = ""; rest = $0
    while (rest != "") {
        i = index(rest, inside ? "*/" : "/*")
        if (!inside) text = text (i ? substr(rest, 1, i - 1) : rest)
        if (!i) break
        rest = substr(rest, i + 2); inside = !inside
    }
}
text ~ /^[ \t]*#/ || continued { continued = text ~ /\\$/; next }  # macros
text ~ /^(typedef|static|inline|template|[ \t])/ || text ~ /\(&/ { next }  # types, what is inline, members, continuations
text !~ pattern { next }
match(text, /weft_[a-z0-9_]+\(/) { print substr(text, RSTART, RLENGTH - 1) }'
