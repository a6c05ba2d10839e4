/* Matrices on the device. Rows of floats and of int8 begin at multiples of four elements,
 * with zeros between, so that shaders load four at once whatever the number of columns;
 * i32 is packed. */
#include "vulkan/internal.h"

#include <stdlib.h>
#include <string.h>

/* What offsets of descriptors are multiples of on every device. */
#define ALIGNMENT 256

static vulkan_backend *backend_of(const asr_buffer *buffer)
{
    return (vulkan_backend *)buffer->backend;
}

static VkDeviceSize round_up(VkDeviceSize bytes, VkDeviceSize multiple)
{
    return (bytes + multiple - 1) / multiple * multiple;
}

static VkDeviceSize stride_bytes(const vulkan_buffer *buffer)
{
    return (VkDeviceSize)buffer->row_stride * asr_dtype_size(buffer->base.dtype);
}

static size_t row_bytes(const vulkan_buffer *buffer)
{
    return (size_t)buffer->base.cols * asr_dtype_size(buffer->base.dtype);
}

static vulkan_buffer *create(asr_backend *base, asr_dtype dtype, int rows, int cols,
                             vulkan_place place, asr_error *error)
{
    vulkan_backend *backend = (vulkan_backend *)base;
    vulkan_buffer *buffer = calloc(1, sizeof(*buffer));
    if (!buffer) {
        asr_fail_memory(error);
        return NULL;
    }
    buffer->base = (asr_buffer){base, dtype, rows, cols};
    buffer->row_stride = dtype == ASR_I32 ? cols : (cols + 3) / 4 * 4;
    buffer->data_bytes = (VkDeviceSize)rows * stride_bytes(buffer);
    buffer->scales_offset = round_up(buffer->data_bytes, ALIGNMENT);
    VkDeviceSize bytes = dtype == ASR_I8
                             ? buffer->scales_offset + (VkDeviceSize)rows * sizeof(float)
                             : buffer->data_bytes;
    VkDeviceSize most = backend->device.properties.limits.maxStorageBufferRange;
    if (buffer->data_bytes > most) {
        asr_fail(
            error,
            "A matrix of %d × %d is larger than %s takes (%u MB); choose --precision "
            "int8 or f16, a smaller model, or --device cpu.",
            rows, cols, backend->device.properties.deviceName, (unsigned)(most >> 20));
        goto fail;
    }
    if (!vulkan_storage_create(&buffer->storage, &backend->memory, round_up(bytes, 4),
                               place, error))
        goto fail;
    return buffer;
fail:
    free(buffer);
    return NULL;
}

void vulkan_buffer_destroy(asr_buffer *base)
{
    vulkan_buffer *buffer = (vulkan_buffer *)base;
    /* A batch of uploads may still name this buffer; that it fails shows at the next
     * run, too. */
    vulkan_upload_flush(&backend_of(base)->commands, NULL);
    vulkan_storage_destroy(&buffer->storage, &backend_of(base)->memory);
    free(buffer);
}

/* Copies rows to where rows are `stride` bytes apart, zeros in between. */
static void spread_rows(char *to, size_t stride, const char *from, size_t row, int n)
{
    if (stride == row) {
        memcpy(to, from, (size_t)n * row);
        return;
    }
    for (int r = 0; r < n; r++) {
        memcpy(to + (size_t)r * stride, from + (size_t)r * row, row);
        memset(to + (size_t)r * stride + row, 0, stride - row);
    }
}

/* How many rows go through the staging buffer at once. */
static int rows_at_once(const vulkan_buffer *buffer)
{
    VkDeviceSize n = VULKAN_STAGING_BYTES / stride_bytes(buffer);
    return n > (VkDeviceSize)buffer->base.rows ? buffer->base.rows : (int)n;
}

static bool fits_staging(const vulkan_buffer *buffer, asr_error *error)
{
    if (stride_bytes(buffer) <= VULKAN_STAGING_BYTES)
        return true;
    return asr_fail(error,
                    "A matrix with rows of %d elements is too wide for the "
                    "graphics device; use --device cpu.",
                    buffer->base.cols);
}

static bool write_rows(vulkan_buffer *buffer, int first_row, int n_rows, const void *data,
                       asr_error *error)
{
    vulkan_backend *backend = backend_of(&buffer->base);
    size_t stride = (size_t)stride_bytes(buffer), row = row_bytes(buffer);
    if (!fits_staging(buffer, error))
        return false;
    for (int done = 0; done < n_rows;) {
        int n =
            n_rows - done < rows_at_once(buffer) ? n_rows - done : rows_at_once(buffer);
        char *to = vulkan_upload(&backend->commands, &backend->memory, &buffer->storage,
                                 (VkDeviceSize)(first_row + done) * stride,
                                 (VkDeviceSize)n * stride, error);
        if (!to)
            return false;
        spread_rows(to, stride, (const char *)data + (size_t)done * row, row, n);
        done += n;
    }
    return true;
}

static bool write_scales(vulkan_buffer *buffer, const float *scales, asr_error *error)
{
    vulkan_backend *backend = backend_of(&buffer->base);
    VkDeviceSize bytes = (VkDeviceSize)buffer->base.rows * sizeof(float);
    for (VkDeviceSize done = 0; done < bytes;) {
        VkDeviceSize n =
            bytes - done < VULKAN_STAGING_BYTES ? bytes - done : VULKAN_STAGING_BYTES;
        char *to = vulkan_upload(&backend->commands, &backend->memory, &buffer->storage,
                                 buffer->scales_offset + done, n, error);
        if (!to)
            return false;
        memcpy(to, (const char *)scales + done, (size_t)n);
        done += n;
    }
    return true;
}

asr_buffer *vulkan_weight_create(asr_backend *backend, const asr_matrix *matrix,
                                 asr_error *error)
{
    vulkan_buffer *buffer = create(backend, matrix->dtype, matrix->rows, matrix->cols,
                                   VULKAN_ON_DEVICE, error);
    if (!buffer)
        return NULL;
    if (!write_rows(buffer, 0, matrix->rows, matrix->data, error) ||
        (matrix->scales && !write_scales(buffer, matrix->scales, error))) {
        vulkan_buffer_destroy(&buffer->base);
        return NULL;
    }
    return &buffer->base;
}

asr_buffer *vulkan_buffer_create(asr_backend *base, asr_dtype dtype, int rows, int cols,
                                 asr_usage usage, asr_error *error)
{
    vulkan_backend *backend = (vulkan_backend *)base;
    vulkan_place place = usage == ASR_USAGE_HOST ? VULKAN_ON_HOST : VULKAN_ON_DEVICE;
    vulkan_buffer *buffer = create(base, dtype, rows, cols, place, error);
    if (!buffer)
        return NULL;
    if (!vulkan_clear(&backend->commands, &buffer->storage, error)) {
        vulkan_buffer_destroy(&buffer->base);
        return NULL;
    }
    return &buffer->base;
}

bool vulkan_buffer_write(asr_buffer *base, int first_row, int n_rows, const void *data,
                         asr_error *error)
{
    return write_rows((vulkan_buffer *)base, first_row, n_rows, data, error);
}

bool vulkan_buffer_read(asr_buffer *base, int first_row, int n_rows, void *data,
                        asr_error *error)
{
    const vulkan_buffer *buffer = (const vulkan_buffer *)base;
    vulkan_backend *backend = backend_of(base);
    size_t stride = (size_t)stride_bytes(buffer), row = row_bytes(buffer);
    if (!fits_staging(buffer, error))
        return false;
    for (int done = 0; done < n_rows;) {
        int n =
            n_rows - done < rows_at_once(buffer) ? n_rows - done : rows_at_once(buffer);
        const char *from = vulkan_download(
            &backend->commands, &backend->memory, &buffer->storage,
            (VkDeviceSize)(first_row + done) * stride, (VkDeviceSize)n * stride, error);
        if (!from)
            return false;
        for (int r = 0; r < n; r++)
            memcpy((char *)data + (size_t)(done + r) * row, from + (size_t)r * stride,
                   row);
        done += n;
    }
    return true;
}
