#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command `weft`: what it prints where, its exit codes, and what it leaves alone. Values:
# numpy_test.py; the text of arrays: print_test.py; Ctrl-C and the progress bar: terminal_test.py.
# usage: command_test.sh    $WEFT_COMMAND is the command
set -u
weft=${WEFT_COMMAND:?}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
unset "${!WEFT_@}"
export HOME=$folder XDG_CONFIG_HOME=$folder/config
failures=0

# expect CODE STDOUT STDERR -- ARGUMENTS...: the whole text of both, the last newline aside; * is any text.
expect() {
    local code=$1 out=$2 err=$3 got_code got_out got_err
    shift 4
    got_out=$("$weft" "$@" 2>stderr)
    got_code=$?
    got_err=$(cat stderr)
    # shellcheck disable=SC2053
    if [ "$got_code" != "$code" ] || [[ $got_out != $out ]] || [[ $got_err != $err ]]; then
        failures=$((failures + 1))
        printf 'weft %s\n  expected exit %s, "%s", "%s"\n  got      exit %s, "%s", "%s"\n' \
            "$*" "$code" "$out" "$err" "$got_code" "$got_out" "$got_err"
    fi
}

# has LIBRARY: whether this build has it; what needs it is left out, and said, where it has not.
has() {
    "$weft" doctor | grep -q "^$1 *yes" && return 0
    echo "left out: what needs $1, which this build lacks"
    return 1
}

check() {
    if ! eval "$1"; then
        failures=$((failures + 1))
        echo "not so: $1"
    fi
}

# --- help, versions, wrong usage ---

expect 0 'weft [0-9]*.[0-9]*.[0-9]*' '' -- --version
expect 0 'usage: weft COMMAND*eval *info *config *doctor *scheduler *worker *top *keygen *run *' '' -- help
expect 0 'usage: weft eval EXPRESSION*--memory-limit*' '' -- help eval
expect 0 'usage: weft info *' '' -- info --help
expect 0 '*add(x1, x2) *x1 + x2*mean(x, ?axis], ?, ?dtype], ?keepdims])*arithmetic mean*reshape(x, shape...)*concat*also concatenate*' '' -- help functions
check '[ $("$weft" help functions | grep -c "^round(") = 1 ] && ! "$weft" help functions | grep -q ")  *$"'
expect 2 '' 'usage: weft COMMAND*' --
expect 2 '' "weft: unknown command 'evla'; did you mean 'eval'?"$'\n''see `weft help`' -- evla
expect 2 '' "weft: unknown command 'frobnicate'"$'\n''see `weft help`' -- frobnicate
expect 2 '' "weft eval: expected an expression"$'\n''see `weft help eval`' -- eval
expect 2 '' "weft eval: expected NAME=PATH behind the expression, got 'x.npy'"* -- eval x x.npy
expect 2 '' "weft eval: expected a name before '=', got '2x=x.npy'"* -- eval x 2x=x.npy
expect 2 '' "weft eval: the input 'x' is given twice"* -- eval x x=a.npy x=b.npy
expect 2 '' "weft eval: unknown option '--memory-limt'; did you mean '--memory-limit'?"* -- eval 1 --memory-limt 3
expect 2 '' "weft eval: --threads needs a value"* -- eval 1 --threads
expect 2 '' "weft eval: --overwrite takes no value, got '--overwrite=1'"* -- eval 1 --overwrite=1
expect 2 '' "weft eval: --set: expected KEY=VALUE, got 'threads'"* -- eval 1 --set threads
expect 2 '' "weft doctor: expected no argument, got 'x'"* -- doctor x
for name in scheduler worker top keygen; do
    expect 1 '' "weft: *clusters are not supported by this version" -- $name
done
expect 1 '' "weft: run: clusters are not supported by this version" -- run ./prog
expect 1 '' "weft: open: connecting to a scheduler is not supported by this version" -- eval 1 --scheduler tcp://localhost:1
expect 1 '' "weft: open: workers in processes of their own are not supported by this version" -- eval 1 --workers 2

# --- expressions ---

expect 0 '2' '' -- eval 1+1
expect 0 '-1' '' -- eval -2+1
expect 0 '6' '' -- eval --threads 1 'sum(arange(4))'
expect 0 $'??0 1 2]\n ?3 4 5]]' '' -- eval 'arange(6).reshape(2, 3)'
expect 0 '7' '' -- eval $'a = 3\nb = 4; a + b'
expect 1 '' $'weft: expression, column 13: expected \')\' to match \'(\' at column 5, got end of text\nmean(sqrt(u)\n            ^' \
    -- eval 'mean(sqrt(u)'
expect 1 '' $'weft: expression, line 2, column 5: unknown name \'flor\'; did you mean \'floor\'?\nx + flor\n    ^' -- eval $'x = 1\nx + flor'
expect 1 '' 'weft: expression, column *: expected an array or a number, got the dtype float32'* -- eval 'ones(3, float32).dtype'
expect 1 '' $'weft: expression, column 14: matmul: *\nones((3, 4)) @ ones(3)\n             ^' -- eval 'ones((3, 4)) @ ones(3)'

# --- inputs ---

expect 0 '' '' -- eval 'arange(12.).reshape(3, 4)' -o u.npy
expect 0 '? 6. 22. 38.]' '' -- eval 'sum(u, axis=1)' u=u.npy
expect 0 '' '' -- eval 'u' u=u.npy -o u.raw
check '[ $(stat -c %s u.raw) = 96 ]'
expect 0 '66.0' '' -- eval 'sum(u)' u=raw:float64:3,4:u.raw
codec=none
if has ZLIB; then codec=zlib; fi
expect 0 '' '' -- eval 'u + 1' u=u.npy -o store.zarr --chunks 2,2 --codec $codec --dims row,col
expect 0 '78.0' '' -- eval 'sum(u)' u=store.zarr
expect 2 '' "weft eval: input 'u': expected raw:DTYPE:SHAPE:PATH, got 'raw:float64:u.raw'"* -- eval u u=raw:float64:u.raw
expect 2 '' "weft eval: input 'u': expected a shape as 1000,1000, got '3x4'"* -- eval u u=raw:float64:3x4:u.raw
expect 1 '' "weft: dtype: *'flot'*" -- eval u u=raw:flot:3,4:u.raw
expect 1 '' "weft: *nothing.npy*No such file or directory" -- eval u u=nothing.npy
mkdir group.zarr && echo '{"zarr_format": 2}' >group.zarr/.zgroup
expect 0 '' '' -- eval '2*u' u=u.npy -o group.zarr/v
expect 0 '132.0' '' -- eval 'sum(v)' v=group.zarr
expect 0 '132.0' '' -- eval 'sum(x)' x=group.zarr/v
expect 1 '' "weft: *group.zarr*v*" -- eval 'sum(x)' x=group.zarr

# --- outputs ---

expect 0 '' '' -- eval 'm = mean(u); s = std(u)' u=u.npy -o m=m.npy -o s=s.npy -o last.npy
expect 0 '5.5' '' -- eval m m=m.npy
expect 0 'True' '' -- eval 's == t' s=s.npy t=last.npy
expect 1 '' "weft: 'm.npy' exists; --overwrite replaces it" -- eval 1 -o m.npy
expect 0 '5.5' '' -- eval m m=m.npy
expect 0 '' '' -- eval 1.5 -o m.npy --overwrite
expect 0 '1.5' '' -- eval m m=m.npy
expect 1 '' "weft: expression: no statement assigns 'q'" -- eval 'm = 1' -o q=q.npy
expect 1 '' "weft: *no/such/folder*" -- eval 1 -o no/such/folder/x.npy
expect 2 '' "weft eval: the output 'x.npy' is given twice"* -- eval 1 -o x.npy -o x.npy
check '[ ! -e q.npy ] && [ ! -e x.npy ]'
if has PNG; then
    expect 0 '' '' -- eval 'arange(12.).reshape(3, 4)' -o picture.png
    check '[ "$(head -c 4 picture.png | tail -c 3)" = PNG ]'
fi
expect 0 '' 'weft: * s, peak memory *, read 0 B, written *, spilled 0 B' -- eval 'ones((100, 100))' -o o.npy --stats
expect 0 '66.0' 'weft: * read 96 B, written 0 B, *' -- eval 'sum(u)' u=u.npy --stats
expect 0 '54.0' 'weft: * read 72 B, written 0 B, *' -- eval 'sum(u[:, 1:])' u=u.npy --stats
expect 0 '' 'weft: * read 96 B, written 224 B, *' -- eval 'u' u=u.npy -o stats.npy --stats
if has ZLIB; then
    expect 0 '' 'weft: * written [0-9]*.* KiB, *' -- eval 'zeros((1000, 100)) + 1' -o packed.zarr --codec zlib --stats  # of 781
fi
expect 0 'plan: *shapes: 500 by 64 is an axis of 500 in blocks of 64, *' '' -- eval 'sum(ones((100, 100)))' --explain
expect 0 'plan: *' '' -- eval 'ones((100, 100))' -o explained.npy --explain
check '[ ! -e explained.npy ]'
expect 0 '10000.0' '' -- eval 'sum(ones((100, 100)))' --profile trace.json
check 'grep -q traceEvents trace.json'

# --- texts from files, pipes ---

printf 'a = 3\na + 4\n' >program
expect 0 '7' '' -- eval -f program
expect 0 '69.0' '' -- eval u=u.npy --file=/dev/stdin < <(echo 'sum(u) + 3')
expect 0 '7' '' -- eval - <program
expect 0 '66.0' '' -- eval - u=u.npy < <(echo 'sum(u)')
expect 1 '' "weft: cannot read 'nothing': No such file or directory" -- eval -f nothing
expect 2 '' "weft eval: input 'x': expected a file or a store, got '-', which cannot be read in blocks"* -- eval 'x+1' x=-
mkfifo fifo
expect 2 '' "weft eval: input 'x': expected a file or a store, got 'fifo', which cannot be read in blocks"* -- eval 'x+1' x=fifo
expect 1 '' "weft: 'fifo' is no file: an array is written as a new one; *" -- eval 1 -o fifo --overwrite
expect 1 '' "weft: '/dev/null' is no file: *" -- eval 1 -o /dev/null
check '"$weft" eval u u=u.npy -o - | cmp - u.npy'
mkdir tmp
check '[ "$(TMPDIR=tmp "$weft" eval 1+1 -o - | wc -c)" = 136 ] && [ -z "$(ls tmp)" ]'

# --- settings ---

expect 0 '64.0' '' -- eval 'sum(ones((8, 8)))' --blocks 2,4 --devices cpu:2@64MiB --disable fuse,share --memory-limit 256MiB
expect 0 '3' '' -- config threads --threads 3
expect 0 '3' '' -- config threads --set threads=3
expect 0 '*memory_limit*threads*devices*' '' -- config
expect 0 '*memory_limit: 0 *# default: *B here*threads: 0 *# default: * here*devices: "" *# default: cpu here*' '' -- config
expect 0 '*threads: 1 *# --threads*check: yes *# --set*' '' -- config --threads 1 --set check=yes
expect 0 '{*"threads": {"value": 0, "effective": *, "origin": "default"}*"spill": {"value": true, "origin": *}' '' -- config --json
expect 0 '{*"blocks": {"value": ?2, 3], "origin": "--blocks"}*"disable": {"value": ?"fuse"], *}' '' -- config --json --blocks 2,3 --disable fuse
if command -v python3 >/dev/null; then check '"$weft" config --json | python3 -m json.tool >/dev/null'; fi
expect 0 '*mode *sync: everything on the calling thread*threads|sync*check *' '' -- help config
expect 1 '' "weft: config: unknown key 'nosuch'" -- config nosuch
expect 2 '' "weft config: --set: unknown key 'foo'"* -- config --set foo=1
expect 1 '' "weft: *unknown key 'thread', did you mean 'threads'?" -- config thread
expect 2 '' "weft eval: --memory-limit: *'lots'"$'\n''see `weft help eval`' -- eval 1 --memory-limit lots
expect 2 '' "weft eval: --threads: *'abc'"* -- eval 1 --threads abc
expect 2 '' "weft eval: --disable: expected names among *, got 'fues'"* -- eval 1 --disable fues
expect 2 '' "weft eval: --set: disable: expected names among *, got 'fues'"* -- eval 1 --set disable=fues
expect 1 '' "weft: open: expected a memory limit of at least 65536 bytes, got 1000" -- eval 1 --memory-limit 1000
WEFT_THREADS=7 expect 0 '7' '' -- config threads
export WEFT_THREADS=x
expect 1 '' "weft: settings: WEFT_THREADS*" -- eval 1
export WEFT_FOO=1
expect 1 '' "weft: settings: WEFT_*" -- eval 1
unset WEFT_FOO
unset WEFT_THREADS

export WEFT_LOG_LEVEL=debug
expect 0 '66.0' "weft: debug: load: opened 'u.npy': float64 (3, 4), mapped"$'\n'"weft: debug: *: plan made: * layers, * tasks, at most * a task"$'\n'"weft: debug: *: done: * tasks, 96 B read, 0 B written" -- eval 'sum(u)' u=u.npy
WEFT_LOG_LEVEL=warn
expect 0 '66.0' '' -- eval 'sum(u)' u=u.npy
unset WEFT_LOG_LEVEL

# --- info, doctor ---

expect 0 '*npy*(3, 4)*float64*' '' -- info u.npy
expect 0 '{"path": "u.npy", "format": *"float64"*}' '' -- info --json u.npy
expect 1 '*(3, 4)*' "weft: *nothing.npy*" -- info u.npy nothing.npy
expect 0 '*dimensions  row,col'$'\n''codec *order *stored *' '' -- info store.zarr
echo '{"units": "m/s", "range": [0, NaN], "_ARRAY_DIMENSIONS": ["row", "col"]}' >store.zarr/.zattrs
expect 0 '*dimensions  row,col'$'\n''attributes  units: "m/s"'$'\n''            range: ?0, "NaN"]'$'\n''codec *' '' -- info store.zarr
expect 0 '*"dims": ?"row", "col"], "attributes": {"units": "m/s", "range": ?0, "NaN"], *}, "codec": *, "order": "C", "fill": null, "stored_chunks": 4, "stored_bytes": *}' \
    '' -- info --json store.zarr
if command -v python3 >/dev/null; then check '"$weft" info --json store.zarr | python3 -m json.tool >/dev/null'; fi
expect 0 '*cpu*' '' -- info
expect 0 '*version*computing*right*' '' -- doctor
expect 0 '{"version": *"computing": "right"*}' '' -- doctor --json

# --- what cannot be written ---

if [ -e /dev/full ]; then
    "$weft" eval 1+1 >/dev/full 2>stderr
    check '[ $? = 1 ] && grep -q "cannot write" stderr'
fi

(ulimit -f 8 && "$weft" eval 'zeros((1000, 1000))' -o large.npy) >/dev/null 2>stderr
check '[ $? = 1 ] && grep -q "large.npy.*File too large" stderr'
check '[ -z "$(ls -A | grep large)" ]'

# --- little address space: nothing may wait for what does not come ---

if (ulimit -v 300000 && "$weft" eval 1+1 --memory-limit 32MiB) >/dev/null 2>&1; then  # not so under sanitizers
    (ulimit -v 300000 && timeout -s KILL 60 "$weft" eval 'sum(ones((300, 300)) @ ones((300, 300)))' --memory-limit 32MiB) >stdout 2>stderr
    check '[ "$(cat stdout)" = 27000000.0 ]'
    (ulimit -v 300000 && "$weft" eval 'sum(ones((3000, 3000)))') >stdout 2>stderr  # the default limit fits in what there is
    check '[ "$(cat stdout)" = 9000000.0 ]'
fi

echo "$failures failed"
[ $failures = 0 ]
