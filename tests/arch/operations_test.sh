#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# operations_test - op.def, the public headers and the definitions in runtime/api name the same operations, and no public
# name means something else in NumPy. Prints each disagreement.
# usage: operations_test.sh [ROOT]    ROOT is the source tree; default: $WEFT_SOURCE_DIR, else two folders up from here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "${1:-${WEFT_SOURCE_DIR:-$here/../..}}" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT && cd "$work"

# The lists, without the prefix weft_.
sed -n 's/^WEFT_[A-Z]*([A-Z0-9_]*, *\([a-z0-9_]*\),.*/\1/p' "$root/include/weft/op.def" | sort >operations
sh "$here/declared.sh" "$root" | sed 's/^weft_//' | sort -u >declared
sh "$here/declared.sh" "$root" 'weft_array \*weft_' | sed 's/^weft_//' | sort -u >declared_arrays
find "$root/runtime" -name '*.c' -not -path '*/cli/*' -exec cat {} + |
    sed -n '/^\(static\|typedef\)/d; /;[ \t]*$/{/{/!d}; s/^[a-z][a-z0-9_ ]*[ *]weft_\([a-z0-9_]*\)(.*/\1/p' | sort >defined_all
sort -u defined_all >defined
grep -v '^#' "$here/api_names.txt" | awk '{ print $1 }' | sort >other_arrays
grep -v '^#' "$here/api_names.txt" | awk '$2 == "numpy" { print $1 }' | sort >same_as_numpy
grep -v '^#' "$here/numpy_names.txt" | tr ' ' '\n' | sort >numpy

[ -s operations ] && [ -s declared_arrays ] || { echo "operations_test: read no operations; is this script out of date?"; exit 2; }

bad=0
# complain FILE TEXT: one line for each name in FILE
complain() {
    while read -r name; do echo "weft_$name: $2"; bad=1; done <"$1"
}
uniq -d operations >out;                                        complain out "stands twice in op.def"
comm -23 operations declared >out;                              complain out "in op.def, but not declared in include/weft.h"
comm -23 operations defined >out;                               complain out "in op.def, but not defined in runtime/api"
comm -23 declared defined | comm -23 - operations >out;         complain out "declared in include/, but defined nowhere in runtime/"
comm -23 defined declared >out;                                 complain out "defined in runtime/, but not declared in include/"
uniq -d defined_all >out;                                       complain out "defined twice in runtime/"
sort -u operations other_arrays | comm -23 declared_arrays - >out
complain out "gives an array, but is neither in op.def nor in tests/arch/api_names.txt"
sort -u operations same_as_numpy | comm -12 declared numpy >both; comm -23 both operations | comm -23 - same_as_numpy >out
complain out "is a NumPy name; if it means the same, say so in tests/arch/api_names.txt"

echo "operations: $(wc -l <operations) in op.def, $(wc -l <declared) functions declared, $(wc -l <defined) defined"
exit $bad
