/* Products on AMX tiles: 16 rows of 64 bytes each. A panel of a packed weight already is
 * a column of such tiles. A source of product kernels includes this once,
 * with TILES_NAME the name of the function to make, TILES_DOT the instruction and
 * TILES_REST the function that takes the rows left over when 16 no longer fit. x and
 * panels are padded along k to whole tiles. */

#ifndef TILE_ROWS
#define TILE_ROWS 16
#define TILE_BYTES 64

/* Tiles 0 to 3 hold sums, 4 and 5 rows of x, 6 and 7 panels. */
#define TILES 8

/* Operand of LDTILECFG (Intel's Software Developer's Manual, volume 1, chapter 18). */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} tile_config;

static const tile_config full_tiles = {
    .palette = 1,
    .bytes = {TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES,
              TILE_BYTES, TILE_BYTES},
    .rows = {TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS,
             TILE_ROWS},
};
#endif

/* 32 rows times two panels. */
static void multiply_2x2(const char *x, size_t x_stride, const char *w, size_t w_stride,
                         size_t n_tiles, int32_t *sums, size_t sums_bytes)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t i = 0; i < n_tiles; i++) {
        _tile_loadd(6, w, TILE_BYTES);
        _tile_loadd(4, x, x_stride);
        _tile_loadd(7, w + w_stride, TILE_BYTES);
        TILES_DOT(0, 4, 6);
        _tile_loadd(5, x + TILE_ROWS * x_stride, x_stride);
        TILES_DOT(1, 4, 7);
        TILES_DOT(2, 5, 6);
        TILES_DOT(3, 5, 7);
        x += TILE_BYTES;
        w += TILE_ROWS * TILE_BYTES;
    }
    char *out = (char *)sums;
    _tile_stored(0, out, sums_bytes);
    _tile_stored(1, out + TILE_BYTES, sums_bytes);
    _tile_stored(2, out + TILE_ROWS * sums_bytes, sums_bytes);
    _tile_stored(3, out + TILE_ROWS * sums_bytes + TILE_BYTES, sums_bytes);
}

/* 16 rows times one panel. */
static void multiply_1x1(const char *x, size_t x_stride, const char *w, size_t n_tiles,
                         int32_t *sums, size_t sums_bytes)
{
    _tile_zero(0);
    for (size_t i = 0; i < n_tiles; i++) {
        _tile_loadd(4, x, x_stride);
        _tile_loadd(6, w, TILE_BYTES);
        TILES_DOT(0, 4, 6);
        x += TILE_BYTES;
        w += TILE_ROWS * TILE_BYTES;
    }
    _tile_stored(0, sums, sums_bytes);
}

static void TILES_NAME(const cpu_product_args *a)
{
    int whole = a->rows / TILE_ROWS * TILE_ROWS;
    size_t n_tiles = a->panel_stride / (TILE_ROWS * TILE_BYTES);
    size_t sums_bytes = (size_t)a->sums_stride * sizeof(int32_t);
    if (whole > 0)
        _tile_loadconfig(&full_tiles);
    for (int panel = 0; whole > 0 && panel < a->n_panels; panel += 2) {
        const char *w = a->panels + (size_t)panel * a->panel_stride;
        int32_t *sums = (int32_t *)a->sums + panel * CPU_PANEL;
        bool is_pair = panel + 1 < a->n_panels;
        int row = 0;
        for (; is_pair && row + 2 * TILE_ROWS <= whole; row += 2 * TILE_ROWS)
            multiply_2x2(a->x + (size_t)row * a->x_stride, a->x_stride, w,
                         a->panel_stride, n_tiles,
                         sums + (size_t)row * (size_t)a->sums_stride, sums_bytes);
        for (; row < whole; row += TILE_ROWS)
            for (int p = 0; p < 1 + is_pair; p++)
                multiply_1x1(a->x + (size_t)row * a->x_stride, a->x_stride,
                             w + (size_t)p * a->panel_stride, n_tiles,
                             sums + (size_t)row * (size_t)a->sums_stride + p * CPU_PANEL,
                             sums_bytes);
    }
    if (whole > 0)
        _tile_release();
    if (whole < a->rows) {
        cpu_product_args rest = *a;
        rest.rows -= whole;
        rest.x += (size_t)whole * a->x_stride;
        rest.sums = (int32_t *)a->sums + (size_t)whole * (size_t)a->sums_stride;
        TILES_REST(&rest);
    }
}

#undef TILES_NAME
#undef TILES_DOT
#undef TILES_REST
