/* A request's payload, checked once, then read in place: nothing is copied but the two vectors
 * for execve. */
#ifndef ORC_LIST_H
#define ORC_LIST_H

#include "orc.h"
#include "system.h"

struct list {
    const struct orc_record *records; /* number 0 holds the arguments */
    uint32_t count;
    const char *blob;
    char **argv; /* of the last operation, if that is exec */
    char **envp;
};

/* Checks every length, offset, flag and unused field. `bytes` must be aligned to 8 and outlive
 * the list. 0, -EINVAL (malformed), -E2BIG or -ENOMEM. */
int list_decode(struct list *list, uint16_t frame_type, const uint8_t *bytes, size_t size);
void list_free(struct list *list);

/* Puts `count` strings of a LIST, and a NULL, where `vector` is; what comes after them. */
char **list_vector(char **vector, const char *strings, uint32_t count);

static inline const char *list_text(const struct list *list, const struct orc_record *record, int n)
{
    return record->text[n].length > 0 ? list->blob + record->text[n].at : "";
}

/* Of no operation of the list. */
static inline struct orc_failure failure_of(int error, const char *stage)
{
    struct orc_failure failure = {.index = -1, .error = error};
    snprintf(failure.stage, sizeof failure.stage, "%s", stage);
    return failure;
}

#endif
