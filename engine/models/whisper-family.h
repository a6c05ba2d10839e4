/* Whisper as a family: recordings of any length. */
#ifndef ASR_WHISPER_FAMILY_H
#define ASR_WHISPER_FAMILY_H

#include "models/family.h"

extern const asr_family asr_whisper_family;

#endif
