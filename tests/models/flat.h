/* A checkpoint that is sure of nothing: the multilingual fixture with its logits scaled
 * down. What it says has a low probability, so that decoding falls back to sampling. */
#ifndef FLAT_H
#define FLAT_H

#include "weights/safetensors.h"

#include "fixture.h"
#include "scratch.h"

/* Scales one f32 tensor of a file in memory. */
static inline void flat_scale(char *bytes, const asr_safetensors *file, const char *name,
                              float factor)
{
    size_t size;
    const char *map = asr_safetensors_bytes(file, &size);
    const asr_stored_tensor *tensor = asr_safetensors_find(file, name);
    scratch_check(tensor && tensor->dtype == ASR_F32, name);
    char *at = bytes + ((const char *)tensor->data - map);
    for (size_t i = 0; i < tensor->n_elements; i++, at += sizeof(float)) {
        float value;
        memcpy(&value, at, sizeof(value));
        value *= factor;
        memcpy(at, &value, sizeof(value));
    }
}

/* Makes the checkpoint and returns its directory. */
static inline const char *flat_checkpoint(void)
{
    size_t n;
    asr_error error = {""};
    scratch_copy(fixture_path("multilingual"), "flat");
    const char *path = fixture_path("multilingual/model.safetensors");
    char *bytes = scratch_read(path, &n);
    asr_safetensors *file = asr_safetensors_open(path, &error);
    scratch_check(file != NULL, error.message);
    flat_scale(bytes, file, "model.decoder.layer_norm.weight", 0.15f);
    flat_scale(bytes, file, "model.decoder.layer_norm.bias", 0.15f);
    scratch_write("flat/model.safetensors", bytes, n);
    asr_safetensors_destroy(&file);
    free(bytes);
    return scratch_path("flat");
}

#endif
