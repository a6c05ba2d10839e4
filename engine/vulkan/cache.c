/* The pipeline cache's file: a header of ours, then what the driver gave. Drivers trust
 * their own data, so ours has a checksum, and a damaged file is ignored. */
#include "vulkan/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x31435056u /* "VPC1" */
#define MAX_BYTES ((size_t)256 << 20)

typedef struct cache_header {
    uint32_t magic;
    uint32_t reserved;
    uint64_t size;
    uint64_t checksum;
} cache_header;

/* FNV-1a, 64 bits. */
static uint64_t checksum_of(const unsigned char *data, size_t size)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001B3u;
    return hash;
}

char *vulkan_cache_path(const vulkan_device *device, const char *cache_dir)
{
    const VkPhysicalDeviceProperties *p = &device->properties;
    char uuid[2 * VK_UUID_SIZE + 1];
    for (unsigned i = 0; i < VK_UUID_SIZE; i++)
        snprintf(uuid + 2 * i, 3, "%02x", p->pipelineCacheUUID[i]);
    char *path = NULL;
    if (asprintf(&path, "%s/pipelines-%04x-%04x-%08x-%s", cache_dir, p->vendorID,
                 p->deviceID, p->driverVersion, uuid) < 0)
        return NULL;
    return path;
}

static void *read_checked(FILE *file, size_t *size)
{
    cache_header header;
    if (fread(&header, sizeof(header), 1, file) != 1 || header.magic != MAGIC ||
        header.size > MAX_BYTES)
        return NULL;
    unsigned char *data = malloc((size_t)header.size + 1);
    if (!data)
        return NULL;
    if (fread(data, 1, (size_t)header.size, file) != header.size ||
        checksum_of(data, (size_t)header.size) != header.checksum) {
        free(data);
        return NULL;
    }
    *size = (size_t)header.size;
    return data;
}

void *vulkan_cache_load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    void *data = read_checked(file, size);
    fclose(file);
    return data;
}

static bool write_file(int fd, const void *data, size_t size)
{
    FILE *file = fdopen(fd, "wb");
    if (!file) {
        close(fd);
        return false;
    }
    cache_header header = {MAGIC, 0, size, checksum_of(data, size)};
    bool ok = fwrite(&header, sizeof(header), 1, file) == 1 &&
              fwrite(data, 1, size, file) == size && fflush(file) == 0 &&
              fsync(fileno(file)) == 0;
    return fclose(file) == 0 && ok;
}

void vulkan_cache_save(const char *path, const void *data, size_t size)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return;
    int fd = mkstemp(temporary);
    if (fd >= 0 && (!write_file(fd, data, size) || rename(temporary, path) != 0))
        unlink(temporary);
    free(temporary);
}
