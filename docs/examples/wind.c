// SPDX-License-Identifier: Apache-2.0
// wind - the program of the README: two components of wind in a Zarr store, their speed, its mean over time, saved as a Zarr array.
// usage: wind [STORE]    a store with arrays u and v; without one it first makes a small one
#include <stdio.h>

#include <weft.h>

static weft_status make_store(weft_session *s)
{
    weft_save_options over = { .overwrite = true };
    weft_status st =
        weft_save(weft_random_normal(s, WEFT_SHAPE(24, 90, 180), NULL), "wind.zarr/u", &over);
    return st ? st
              : weft_save(weft_random_normal(s, WEFT_SHAPE(24, 90, 180), NULL), "wind.zarr/v",
                          &over);
}

int main(int argc, char **argv)
{
    char u_path[512], v_path[512];
    const char *store = argc > 1 ? argv[1] : "wind.zarr";
    snprintf(u_path, sizeof u_path, "%s/u", store);
    snprintf(v_path, sizeof v_path, "%s/v", store);

    weft_session *s = weft_open(NULL);
    weft_status st = argc > 1 ? WEFT_OK : make_store(s);
    if (!st) {
        weft_array *u = weft_load(s, u_path, NULL),
                   *v = weft_load(s, v_path, NULL);  // reads metadata only
        weft_array *speed = weft_sqrt(weft_add(weft_square(u), weft_square(v)));
        st = weft_save(weft_mean(speed, WEFT_AXES(0), NULL), "mean.zarr",
                       &(weft_save_options){ .overwrite = true });
    }
    weft_array *mean = st ? NULL : weft_load(s, "mean.zarr", NULL);  // what was written
    if (!st) st = weft_print(stdout, mean);
    if (!st) puts("the mean speed over time is in mean.zarr; `weft info mean.zarr` tells of it");
    if (st) fprintf(stderr, "wind: %s\n", weft_last_error());
    weft_close(s);
    return st != WEFT_OK;
}
