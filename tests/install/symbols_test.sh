#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# symbols_test - the shared library exports exactly the functions that the public headers declare, and no others.
# usage: symbols_test.sh LIBWEFT.SO
set -eu
command -v nm >/dev/null || { echo "skipped: no nm"; exit 77; }
sh "$WEFT_SOURCE_DIR/tests/arch/declared.sh" "$WEFT_SOURCE_DIR" | sort -u >declared
nm -D --defined-only "$1" | awk '$2 ~ /^[TDRBVW]$/ { sub(/@.*/, "", $3); print $3 }' | sort -u >exported
diff declared exported >difference && { echo "symbols: $(wc -l <exported) exported, all declared"; exit 0; }
sed -n 's/^< /declared in include\/, not exported: /p; s/^> /exported, not declared in include\/: /p' difference
exit 1
