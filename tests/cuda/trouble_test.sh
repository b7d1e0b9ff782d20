#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# trouble_test - what is wrong with drivers, GPUs, libraries and the kernel cache is said in one sentence, and the session goes on with what it
# has. On the stand-in for CUDA's libraries, which can be told to have each of these troubles.
set -u
weft=${WEFT_COMMAND:?} sim=${CUDASIM_FOLDER:?}
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset WEFT_KERNEL_CACHE
export WEFT_PLUGIN_PATH="${WEFT_BINARY_DIR:?}"

# run STATUS PATTERN-OF-OUTPUT PATTERN-OF-ERRORS [NAME=VALUE...] -- weft's arguments
run() {
    local status=$1 out=$2 err=$3 env=()
    shift 3
    while [ "$1" != -- ]; do env+=("$1"); shift; done
    shift
    local got_out got_err got_status
    got_out=$(env LD_LIBRARY_PATH="$sim" WEFT_KERNEL_CACHE="$work/kernels" CUDASIM_STRICT=1 "${env[@]}" timeout 60 "$weft" "$@" 2>"$work/err")
    got_status=$?
    got_err=$(cat "$work/err")
    # shellcheck disable=SC2053  # patterns
    if [ $got_status != "$status" ] || [[ $got_out != $out ]] || [[ $got_err != $err ]]; then
        printf '%s weft %s\n  expected exit %s, "%s", "%s"\n  got      exit %s, "%s", "%s"\n' \
            "${env[*]}" "$*" "$status" "$out" "$err" "$got_status" "$got_out" "$got_err"
        failed=$((failed + 1))
    fi
}

sum='sum(arange(100000) * 2)'
answer=9999900000

# It works at all, and what is compiled is kept.
run 0 "$answer" '' -- eval --devices cuda "$sum"
run 0 '*kernel cache*kernels, * bytes*' '' -- doctor --cache
[ -n "$(ls "$work/kernels")" ] || { echo "no kernel was kept"; failed=$((failed + 1)); }

# No driver; an old one; none of its GPUs shown; a GPU whose context cannot be had.
run 1 '' "weft: cuda: no CUDA driver is installed (libcuda.so.1)*" LD_LIBRARY_PATH= -- eval --devices cuda "$sum"
run 0 "$answer" '' LD_LIBRARY_PATH= -- eval "$sum"
run 1 '' "weft: cuda: the CUDA driver is for CUDA 12.2; 12.4 or newer is needed" CUDASIM_DRIVER=12020 -- eval --devices cuda "$sum"
run 0 "$answer" '' CUDASIM_DRIVER=12020 -- eval "$sum"
run 0 '*the CUDA driver is for CUDA 12.2; 12.4 or newer is needed*' '' CUDASIM_DRIVER=12020 -- doctor --cache
run 1 '' "weft: cuda: *" CUDA_VISIBLE_DEVICES= -- eval --devices cuda "$sum"
run 0 "$answer" '' CUDA_VISIBLE_DEVICES= -- eval "$sum"
run 0 "$answer" '' CUDA_VISIBLE_DEVICES=nonsense -- eval "$sum"
run 1 '' "weft: cuda0: cudasim 0: context_retain: *" CUDASIM_FAIL=cuDevicePrimaryCtxRetain:1:46 -- eval --devices cuda "$sum"
run 0 "$answer" '' CUDASIM_FAIL=cuDevicePrimaryCtxRetain:0:46 -- eval "$sum"
run 0 '*cuda0*cannot be used: *' '*' CUDASIM_FAIL=cuDevicePrimaryCtxRetain:0:46 -- doctor --cache

# A GPU without memory; a limit; more than there is.
run 1 '' "weft: cuda0: cudasim 0: only * bytes of its memory are free" CUDASIM_MEMORY=500000 -- eval --devices cuda "$sum"
run 0 "$answer" '' -- eval --devices cuda --device-memory-limit 2MiB "$sum"
run 0 "$answer" '' CUDASIM_FAIL=cuMemAlloc_v2:2:2 -- eval --devices cuda "$sum"

# NVRTC missing: the CPU computes, and says so once.
mkdir "$work/partial"
ln -s "$sim/libcuda.so.1" "$work/partial/"
for library in nvrtc cublas; do  # files that do not load: the machine may have the real ones
    for version in 12 13; do echo none >"$work/partial/lib$library.so.$version"; done
done
run 0 "$answer" 'weft: warning: *NVRTC is not here*' LD_LIBRARY_PATH="$work/partial" CUDA_HOME="$work" WEFT_LOG_LEVEL=warn \
    -- eval --devices cuda "$sum"
run 0 '*nvrtc*NVRTC is not here*cublas*cuBLAS is not here*' '' LD_LIBRARY_PATH="$work/partial" CUDA_HOME="$work" -- doctor --cache

# A kernel cache that is damaged, cut short, of another kind, unwritable, or off.
for file in "$work"/kernels/*; do printf 'damaged' | dd of="$file" bs=1 seek=100 conv=notrunc status=none; done
run 0 "$answer" '' -- eval --devices cuda "$sum"
for file in "$work"/kernels/*; do truncate -s 50 "$file"; done
run 0 "$answer" '' -- eval --devices cuda "$sum"
for file in "$work"/kernels/*; do echo nonsense >"$file"; done
run 0 "$answer" '' -- eval --devices cuda "$sum"
run 0 "$answer" '' WEFT_KERNEL_CACHE=/proc/none -- eval --devices cuda "$sum"
run 0 "$answer" '' WEFT_KERNEL_CACHE=off -- eval --devices cuda "$sum"
run 0 '*kernel cache *off' '' WEFT_KERNEL_CACHE=off -- doctor --cache
run 0 '*kernels removed*' '' -- doctor --clear-cache
[ -z "$(ls "$work/kernels")" ] || { echo "kernels are still there"; failed=$((failed + 1)); }

# A launch or a copy fails once; the GPU dies in mid-run: what still answers finishes.
run 1 '' 'weft: *cuda0: cudasim 0: launch: *' CUDASIM_FAIL=cuLaunchKernel:1:1 -- eval --devices cuda:1 "$sum"
run 0 "$answer" '*' CUDASIM_FAIL=cuLaunchKernel:1:700 -- eval --devices cuda "$sum"
run 0 "$answer" '*' CUDASIM_FAIL=execute:3:700 -- eval --devices cuda:1 "$sum"

# A plan that can never fit is refused before it runs.
run 1 '' 'weft: plan: one task of *sum needs *' -- eval --devices cuda --device-memory-limit 2MiB --memory-limit 2MiB \
    'sum(group_sum(ones(500000), arange(500000), 500000))'

[ $failed = 0 ] || { echo "$failed failed"; exit 1; }
