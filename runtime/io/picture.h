// SPDX-License-Identifier: Apache-2.0
// picture - a matrix of means drawn row by row: a colour map, and a scale bar with numbers beside
// it. No file format; png.c has that. Pure functions of their arguments.
#ifndef WF_IO_PICTURE_H
#define WF_IO_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#define WF_PICTURE_TICKS 12

typedef struct wf_tick {
    double value;
    char label[32];
} wf_tick;

// What is drawn: HEIGHT x WIDTH values, each ZOOM x ZOOM pixels, on a canvas of ROWS x COLUMNS
// pixels.
typedef struct wf_picture {
    int64_t height, width;
    int zoom, font;  // pixels per value, and per dot of a digit
    int64_t rows, columns;
    double low, high;  // values at the ends of the scale
    bool empty;        // no finite value at all: no scale
    int nticks;
    wf_tick tick[WF_PICTURE_TICKS];
} wf_picture;

// Lays out a picture of HEIGHT x WIDTH values between LOW and HIGH (EMPTY when there are none).
void wf_picture_init(wf_picture *picture, int64_t height, int64_t width, double low, double high,
                     bool empty);
// Draws row Y of the canvas into RGB, 3 bytes a pixel. VALUES is the row of the matrix under it, or
// NULL in the margins.
void wf_picture_row(const wf_picture *picture, int64_t y, const double *values, unsigned char *rgb);
// The row of the matrix that row Y of the canvas shows, or -1.
int64_t wf_picture_value_row(const wf_picture *picture, int64_t y);
// The colour at PLACE, 0 to 1, of the map.
void wf_picture_colour(double place, unsigned char rgb[3]);

#endif
