// SPDX-License-Identifier: Apache-2.0
// picture - colours, digits and a scale. The map runs from dark blue over green to light yellow,
// its lightness always rising, so that it reads in grey and to the colour-blind as well.
#include "io/picture.h"

#include <math.h>
#include <string.h>

#include "base/number.h"

#define MARGIN 16
#define GAP 14
#define BAR 22
#define SIDE 480      // small arrays are drawn at least this long
#define BAR_ROWS 200  // the bar is at least this high
#define GLYPH_W 5
#define GLYPH_H 7
#define LABEL_CHARS 12

static const unsigned char map[][3] = { { 38, 18, 84 },   { 52, 58, 136 },  { 42, 98, 152 },
                                        { 30, 134, 150 }, { 44, 164, 128 }, { 104, 192, 92 },
                                        { 178, 214, 68 }, { 250, 238, 104 } };
#define NCOLOURS ((int)(sizeof map / sizeof *map))
static const unsigned char missing[3] = { 190, 190, 190 };

// Seven rows of five dots, the highest bit on the left.
static const struct {
    char c;
    unsigned char row[GLYPH_H];
} glyphs[] = {
    { '0', { 14, 17, 17, 17, 17, 17, 14 } }, { '1', { 4, 12, 4, 4, 4, 4, 14 } },
    { '2', { 14, 17, 1, 6, 8, 16, 31 } },    { '3', { 30, 1, 1, 14, 1, 1, 30 } },
    { '4', { 3, 5, 9, 17, 31, 1, 1 } },      { '5', { 31, 16, 30, 1, 1, 17, 14 } },
    { '6', { 6, 8, 16, 30, 17, 17, 14 } },   { '7', { 31, 1, 1, 2, 4, 8, 8 } },
    { '8', { 14, 17, 17, 14, 17, 17, 14 } }, { '9', { 14, 17, 17, 15, 1, 2, 12 } },
    { '-', { 0, 0, 0, 31, 0, 0, 0 } },       { '+', { 0, 4, 4, 31, 4, 4, 0 } },
    { '.', { 0, 0, 0, 0, 0, 12, 12 } },      { 'e', { 0, 0, 14, 17, 31, 16, 14 } },
};

void wf_picture_colour(double place, unsigned char rgb[3])
{
    double at = (place < 0 ? 0 : place > 1 ? 1 : place) * (NCOLOURS - 1);
    int i = (int)at < NCOLOURS - 1 ? (int)at : NCOLOURS - 2;
    for (int c = 0; c < 3; c++)
        rgb[c] = (unsigned char)lround(map[i][c] + (at - i) * (map[i + 1][c] - map[i][c]));
}

// 1, 2 or 5 times a power of ten, so that about five steps make RANGE.
static double nice_step(double range)
{
    double power = pow(10, floor(log10(range / 5))), m = range / 5 / power;
    return power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

static void add_tick(wf_picture *p, double value)
{
    char text[WF_NUMBER_TEXT];
    if (p->nticks == WF_PICTURE_TICKS) return;
    value += 0.0;  // no "-0"
    size_t n = (size_t)wf_number_format_f64(value, text);
    if (n > 2 && strcmp(text + n - 2, ".0") == 0) text[n -= 2] = '\0';
    if (n > LABEL_CHARS) text[LABEL_CHARS] = '\0';
    p->tick[p->nticks].value = value;
    strcpy(p->tick[p->nticks++].label, text);
}

static void add_ticks(wf_picture *p)
{
    double range = p->high - p->low;
    if (p->empty) return;
    if (!(range > 0) || !isfinite(range) ||
        range < fabs(p->high) * 1e-9) {  // one value, or nothing between to number
        add_tick(p, p->low);
        if (p->high > p->low) add_tick(p, p->high);
        return;
    }
    double step = nice_step(range), decimals = pow(10, ceil(-log10(step) - 1e-9) + 1);
    for (double k = ceil(p->low / step - 1e-9); k * step <= p->high + step * 1e-9; k++)
        add_tick(p,
                 step < 1 && isfinite(decimals) ? round(k * step * decimals) / decimals : k * step);
}

static int longest_label(const wf_picture *p)
{
    size_t longest = 0;
    for (int i = 0; i < p->nticks; i++)
        if (strlen(p->tick[i].label) > longest) longest = strlen(p->tick[i].label);
    return (int)longest;
}

void wf_picture_init(wf_picture *picture, int64_t height, int64_t width, double low, double high,
                     bool empty)
{
    int64_t longest = height > width ? height : width;
    wf_picture p = { .height = height, .width = width, .low = low, .high = high, .empty = empty };
    p.zoom = longest < SIDE ? (int)(SIDE / longest) : 1;
    int64_t body = height * p.zoom > BAR_ROWS ? height * p.zoom : BAR_ROWS;
    p.font = body >= 400 ? (int)(1 + body / 800 + 1) / 2 + 1 : 1;
    add_ticks(&p);
    p.rows = body + 2 * MARGIN;
    p.columns =
        width * p.zoom + 2 * MARGIN + GAP + BAR + GAP + longest_label(&p) * (GLYPH_W + 1) * p.font;
    *picture = p;
}

int64_t wf_picture_value_row(const wf_picture *picture, int64_t y)
{
    int64_t row = y - MARGIN;
    return row >= 0 && row < picture->height * picture->zoom ? row / picture->zoom : -1;
}

static double place_of(const wf_picture *p, double value)
{
    return p->high > p->low ? value / (p->high - p->low) - p->low / (p->high - p->low) : 0.5;
}

static void draw_values(const wf_picture *p, const double *values, unsigned char *rgb)
{
    rgb += 3 * MARGIN;
    for (int64_t x = 0; x < p->width; x++) {
        unsigned char colour[3];
        if (isnan(values[x])) memcpy(colour, missing, 3);
        else wf_picture_colour(isinf(values[x]) ? (values[x] > 0) : place_of(p, values[x]), colour);
        for (int z = 0; z < p->zoom; z++, rgb += 3) memcpy(rgb, colour, 3);
    }
}

static const unsigned char *find_glyph(char c)
{
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
        if (glyphs[i].c == c) return glyphs[i].row;
    return NULL;
}

static void draw_label(const char *label, int row, int font, unsigned char *rgb)
{
    for (; *label; label++, rgb += 3 * (GLYPH_W + 1) * font) {
        const unsigned char *dots = find_glyph(*label);
        for (int x = 0; dots && x < GLYPH_W * font; x++)
            if (dots[row] >> (GLYPH_W - 1 - x / font) & 1) memset(rgb + 3 * x, 0, 3);
    }
}

static void draw_scale(const wf_picture *p, int64_t y, unsigned char *rgb)
{
    int64_t body = p->rows - 2 * MARGIN, row = y - MARGIN;
    unsigned char colour[3], *bar = rgb + 3 * (MARGIN + p->width * p->zoom + GAP);
    if (row >= 0 && row < body) {
        wf_picture_colour(p->high > p->low ? 1 - (double)row / (double)(body - 1) : 0.5, colour);
        for (int x = 0; x < BAR; x++) memcpy(bar + 3 * x, colour, 3);
    }
    for (int i = 0; i < p->nticks; i++) {
        int64_t centre = MARGIN + llround((1 - place_of(p, p->tick[i].value)) * (double)(body - 1));
        int64_t line = y - (centre - GLYPH_H * p->font / 2);
        if (y == centre) memset(bar + 3 * BAR, 0, 3 * 5);
        if (line >= 0 && line < GLYPH_H * p->font)
            draw_label(p->tick[i].label, (int)(line / p->font), p->font, bar + 3 * (BAR + GAP - 4));
    }
}

void wf_picture_row(const wf_picture *picture, int64_t y, const double *values, unsigned char *rgb)
{
    memset(rgb, 255, (size_t)picture->columns * 3);
    if (values) draw_values(picture, values, rgb);
    if (!picture->empty) draw_scale(picture, y, rgb);
}
