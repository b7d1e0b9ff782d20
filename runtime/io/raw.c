// SPDX-License-Identifier: Apache-2.0
// raw - elements and nothing else, C order, native byte order; dtype and shape come from the
// caller, as with numpy.fromfile.
#include "io/flat.h"

static weft_status open_flat(const char *path, bool write, weft_dtype dtype, const wf_shape *shape,
                             wf_flat **out, wf_file_info *info)
{
    int64_t size = 0;
    wf_flat *flat;
    WF_TRY(wf_flat_open("raw", path, write, &flat, &size));
    flat->dtype = dtype;
    flat->shape = *shape;
    weft_status st = wf_flat_attach(flat, size, info);
    if (st != WEFT_OK) {
        wf_flat_close(flat);
        return st;
    }
    *out = flat;
    return WEFT_OK;
}

static weft_status raw_open(const char *path, const wf_open_options *opts, void **state,
                            wf_file_info *info)
{
    wf_flat *flat;
    WF_TRY(open_flat(path, false, opts->dtype, &opts->shape, &flat, info));
    *state = flat;
    return WEFT_OK;
}

static weft_status open_region(const char *path, const wf_create_options *opts, wf_flat **out)
{
    wf_file_info info = { 0 };
    WF_TRY(open_flat(path, true, opts->dtype, &opts->shape, out, &info));
    wf_file_info_fini(&info);
    return WEFT_OK;
}

static weft_status raw_create(const char *path, const wf_create_options *opts, void **state,
                              wf_grid *grid, bool *any_box)
{
    wf_flat *flat;
    WF_TRY(wf_flat_check_options("raw", path, opts));
    WF_TRY(opts->region ? open_region(path, opts, &flat)
                        : wf_flat_create("raw", path, opts, "", 0, &flat));
    weft_status st = wf_flat_grid(opts, grid);
    if (st != WEFT_OK) {
        wf_flat_abort(flat);
        return st;
    }
    *any_box = true;
    *state = flat;
    return WEFT_OK;
}

const wf_format_ops wf_raw_format = {
    .abi = WF_FORMAT_ABI,
    .name = "raw",
    .suffixes = ".raw .bin",
    .open = raw_open,
    .read = wf_flat_read,
    .read_scratch = wf_flat_read_scratch,
    .prefetch = wf_flat_prefetch,
    .done = wf_flat_done,
    .close = wf_flat_close,
    .create = raw_create,
    .write = wf_flat_write,
    .write_scratch = wf_flat_write_scratch,
    .stored = wf_flat_stored,
    .commit = wf_flat_commit,
    .abort = wf_flat_abort,
};
