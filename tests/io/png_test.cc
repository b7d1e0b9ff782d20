// SPDX-License-Identifier: Apache-2.0
// png_test - pictures: colours, means of blocks, scales; and single elements as doubles.
#include "io/io_helper.h"

#ifdef WF_HAVE_PNG
#include <png.h>
#endif

#include <cmath>
#include <cstring>

extern "C" {
#include "io/element.h"
#include "io/picture.h"
}

class Png : public IoTest {};

#ifndef WF_HAVE_PNG

TEST_F(Png, SaysWhatIsMissing) {
    Save save;
    save.shape = { 2, 2 };
    EXPECT_EQ(WriteAll(Path("a.png"), save, Bytes(16)), WEFT_UNSUPPORTED);
    EXPECT_EQ(std::string(wf_last_error()),
              "png: '" + Path("a.png") + "' needs libpng, which this build lacks");
}

#else

struct Image {
    uint32_t width = 0, height = 0;
    Bytes rgb;
    std::vector<int> At(uint32_t x, uint32_t y) const {
        const unsigned char *p = &rgb[3 * (static_cast<size_t>(y) * width + x)];
        return { p[0], p[1], p[2] };
    }
};

static Image ReadPng(const std::string &path) {
    Image image;
    png_image png = {};
    png.version = PNG_IMAGE_VERSION;
    EXPECT_NE(png_image_begin_read_from_file(&png, path.c_str()), 0) << png.message;
    png.format = PNG_FORMAT_RGB;
    image.width = png.width;
    image.height = png.height;
    image.rgb.resize(PNG_IMAGE_SIZE(png));
    EXPECT_NE(png_image_finish_read(&png, nullptr, image.rgb.data(), 0, nullptr), 0) << png.message;
    return image;
}

static std::vector<int> Colour(double place) {
    unsigned char rgb[3];
    wf_picture_colour(place, rgb);
    return { rgb[0], rgb[1], rgb[2] };
}

static Bytes Doubles(const std::vector<double> &v) {
    Bytes bytes(v.size() * 8);
    memcpy(bytes.data(), v.data(), bytes.size());
    return bytes;
}

TEST_F(Png, DrawsEachValueInItsColour) {
    Save save;
    save.dtype = WEFT_FLOAT64;
    save.shape = { 2, 3 };
    ASSERT_EQ(WriteAll(Path("a.png"), save, Doubles({ 0, 1, 2, 4, NAN, INFINITY })), WEFT_OK)
        << wf_last_error();

    Image image = ReadPng(Path("a.png"));

    const uint32_t zoom = 160, half = 16 + zoom / 2;
    EXPECT_EQ(image.At(half, half), Colour(0));
    EXPECT_EQ(image.At(half + zoom, half), Colour(0.25));
    EXPECT_EQ(image.At(half + 2 * zoom, half), Colour(0.5));
    EXPECT_EQ(image.At(half, half + zoom), Colour(1));
    EXPECT_EQ(image.At(half + zoom, half + zoom), (std::vector<int>{ 190, 190, 190 }));
    EXPECT_EQ(image.At(half + 2 * zoom, half + zoom), Colour(1));
    EXPECT_EQ(image.At(16 + 3 * zoom + 14 + 5, 16), Colour(1)); // the bar's upper end
    EXPECT_EQ(image.At(16 + 3 * zoom + 14 + 5, image.height - 17), Colour(0));
    EXPECT_EQ(image.At(2, 2), (std::vector<int>{ 255, 255, 255 }));
    EXPECT_EQ(List(), "a.png");
}

TEST_F(Png, LargeArraysBecomeMeansOfBlocks) {
    const int64_t n = 5000;
    Save save;
    save.dtype = WEFT_UINT8;
    save.shape = { n, 2 };
    wf_create_options opts = Options(save);
    wf_writer *writer = nullptr;
    ASSERT_EQ(wf_writer_create(Path("big.png").c_str(), &opts, &writer), WEFT_OK)
        << wf_last_error();
    Bytes data(static_cast<size_t>(n) * 2, 0);
    for (int64_t i = 0; i < n; i++)
        data[static_cast<size_t>(2 * i)] = i % 2 ? 100 : 0; // means of two rows: 50 left, 0 right
    for (int64_t i = 0; i < n; i += 777) {
        int64_t rows = std::min<int64_t>(777, n - i);
        ASSERT_EQ(WriteBox(writer, Box({ i, 0 }, { rows, 2 }),
                           Bytes(data.begin() + 2 * i, data.begin() + 2 * (i + rows))),
                  WEFT_OK);
    }

    ASSERT_EQ(wf_writer_commit(writer), WEFT_OK) << wf_last_error();

    Image image = ReadPng(Path("big.png"));
    EXPECT_EQ(image.height, 2500u + 32);
    EXPECT_EQ(image.At(16, 1000), Colour(1));
    EXPECT_EQ(image.At(17, 1000), Colour(0));
    EXPECT_EQ(image.At(16, 2500 + 15), Colour(1));
}

TEST_F(Png, TakesEveryRealDtype) {
    for (int d = 1; d < WEFT_NDTYPES; d++) {
        weft_dtype dtype = static_cast<weft_dtype>(d);
        Save save;
        save.dtype = dtype;
        save.shape = { 4, 4 };
        save.overwrite = true;
        weft_status st = WriteAll(Path("a.png"), save, Pattern(dtype, 16));
        if (wf_dtype_kind(dtype) == 'c') {
            EXPECT_EQ(st, WEFT_UNSUPPORTED);
            EXPECT_NE(std::string(wf_last_error()).find("has no colours; take abs, real or imag"),
                      std::string::npos);
        } else {
            EXPECT_EQ(st, WEFT_OK) << wf_last_error();
        }
    }
}

TEST_F(Png, NeedsTwoAxes) {
    for (const std::vector<int64_t> &shape :
         { std::vector<int64_t>{}, { 4 }, { 2, 2, 2 }, { 0, 3 } }) {
        Save save;
        save.shape = shape;
        EXPECT_EQ(WriteAll(Path("a.png"), save, Bytes(32)), WEFT_INVALID);
    }
    EXPECT_EQ(std::string(wf_last_error()),
              "png: '" + Path("a.png") +
                  "': a picture needs two axes and at least one element, got shape (0, 3)");
    EXPECT_EQ(List(), "");
}

TEST_F(Png, NothingButNaNIsGreyWithoutAScale) {
    Save save;
    save.dtype = WEFT_FLOAT64;
    save.shape = { 1, 1 };
    ASSERT_EQ(WriteAll(Path("a.png"), save, Doubles({ NAN })), WEFT_OK);
    Image image = ReadPng(Path("a.png"));
    EXPECT_EQ(image.At(100, 100), (std::vector<int>{ 190, 190, 190 }));
    EXPECT_EQ(image.At(16 + 480 + 14 + 5, 100), (std::vector<int>{ 255, 255, 255 }));
}

#endif

static std::string Ticks(double low, double high) {
    wf_picture picture;
    wf_picture_init(&picture, 100, 100, low, high, false);
    std::string text;
    for (int i = 0; i < picture.nticks; i++)
        text += (i ? " " : "") + std::string(picture.tick[i].label);
    return text;
}

TEST(Picture, TicksAreRoundNumbers) {
    EXPECT_EQ(Ticks(0, 1), "0 0.2 0.4 0.6 0.8 1");
    EXPECT_EQ(Ticks(-3.2, 7.9), "-2 0 2 4 6");
    EXPECT_EQ(Ticks(0.1, 0.3), "0.1 0.15 0.2 0.25 0.3");
    EXPECT_EQ(Ticks(1e-7, 6e-7), "1e-07 2e-07 3e-07 4e-07 5e-07 6e-07");
    EXPECT_EQ(Ticks(10000, 60000), "10000 20000 30000 40000 50000 60000");
    EXPECT_EQ(Ticks(5, 5), "5");
    EXPECT_FALSE(Ticks(-1.7e308, 1.7e308).empty());
}

TEST(Picture, ColoursGrowLighter) {
    double last = -1;
    for (int i = 0; i <= 100; i++) {
        unsigned char c[3];
        wf_picture_colour(i / 100.0, c);
        double light = 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
        EXPECT_GT(light, last) << i;
        last = light;
    }
}

TEST(Element, EveryHalfSurvivesTheWayThroughDouble) {
    for (weft_dtype dtype : { WEFT_FLOAT16, WEFT_BFLOAT16 })
        for (uint32_t bits = 0; bits < 65536; bits++) {
            uint16_t in = static_cast<uint16_t>(bits), out = 0;
            double value = wf_element_get(dtype, &in, 0);
            ASSERT_TRUE(wf_element_set(dtype, value, &out));
            if (std::isnan(value))
                ASSERT_TRUE(std::isnan(wf_element_get(dtype, &out, 0)));
            else
                ASSERT_EQ(in, out) << value;
        }
    uint16_t half;
    wf_element_set(WEFT_FLOAT16, 65519, &half);
    EXPECT_EQ(half, 0x7BFF);
    wf_element_set(WEFT_FLOAT16, 65520, &half);
    EXPECT_EQ(half, 0x7C00);
    wf_element_set(WEFT_FLOAT16, 2049, &half); // ties to even
    EXPECT_EQ(wf_element_get(WEFT_FLOAT16, &half, 0), 2048);
}
