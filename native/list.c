#include "list.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum text_kind { NONE, TEXT, PATH, NAME, BYTES, LIST };

/* What a record may carry; anything else in it must be zero. */
struct shape {
    uint16_t flags;
    uint8_t nums;
    uint8_t wides;
    uint8_t text[4];
    bool known;
    bool operations; /* a frame: may operations follow? */
};

static const struct shape op_shapes[] = {
    [OP_SET_ROOT] = {.text = {PATH}, .known = true},
    [OP_MKDIR] = {.flags = FLAG_IN_ROOT, .nums = 3, .text = {PATH}, .known = true},
    [OP_SYMLINK] = {.flags = FLAG_IN_ROOT, .text = {PATH, PATH}, .known = true},
    [OP_MKNOD] = {.flags = FLAG_IN_ROOT, .nums = 5, .text = {PATH}, .known = true},
    [OP_WRITE] = {.text = {PATH, BYTES}, .known = true},
    [OP_MOUNT] = {.flags = FLAG_IN_ROOT | FLAG_CREATE, .nums = 1, .text = {TEXT, PATH, TEXT, TEXT},
                  .known = true},
    [OP_BIND] = {.flags = FLAG_IN_ROOT | FLAG_CREATE | FLAG_IDMAP, .nums = 5, .wides = 2,
                 .text = {PATH, PATH, TEXT}, .known = true},
    [OP_MASK] = {.text = {PATH}, .known = true},
    [OP_READ_ONLY] = {.text = {PATH}, .known = true},
    [OP_MAKE_PRIVATE] = {.known = true},
    [OP_PIVOT_ROOT] = {.known = true},
    [OP_CHDIR] = {.text = {PATH}, .known = true},
    [OP_JOIN] = {.nums = 1, .known = true},
    [OP_ENTER_CONTAINER] = {.nums = 1, .text = {NAME}, .known = true},
    [OP_UNSHARE] = {.nums = 1, .known = true},
    [OP_LINK_UP] = {.text = {TEXT}, .known = true},
    [OP_ADD_ADDRESS] = {.nums = 2, .text = {TEXT}, .known = true},
    [OP_ADD_ROUTE] = {.flags = FLAG_GATEWAY, .nums = 3, .text = {TEXT}, .known = true},
    [OP_NEW_SESSION] = {.flags = FLAG_TERMINAL, .known = true},
    [OP_NEW_KEYRING] = {.known = true},
    [OP_UMASK] = {.nums = 1, .known = true},
    [OP_SET_IDS] = {.nums = 2, .text = {BYTES}, .known = true},
    [OP_DROP_BOUNDING] = {.wides = 1, .known = true},
    [OP_SET_CAPS] = {.wides = 4, .known = true},
    [OP_NO_NEW_PRIVS] = {.known = true},
    [OP_SECCOMP] = {.nums = 1, .text = {BYTES}, .known = true},
    [OP_EXEC] = {.nums = 2, .text = {LIST, LIST}, .known = true},
    [OP_READ_ONLY_ROOT] = {.known = true},
    [OP_TERMINAL] = {.known = true},
    [OP_DIAL] = {.nums = 1, .known = true},
};

static const struct shape frame_shapes[] = {
    [FRAME_LAUNCH] = {.nums = 1, .text = {PATH, LIST}, .known = true},
    [FRAME_SANDBOX] = {.nums = 3, .text = {TEXT}, .known = true},
    [FRAME_RUN] = {.known = true, .operations = true},
    [FRAME_START] = {.flags = FLAG_TERMINAL | FLAG_INPUT | FLAG_INPUT_ONCE, .nums = 5, .wides = 1,
                     .text = {NAME, TEXT, PATH}, .known = true, .operations = true},
    [FRAME_EXEC] = {.flags = FLAG_TERMINAL | FLAG_INPUT, .nums = 3, .text = {NAME}, .known = true,
                    .operations = true},
    [FRAME_KILL] = {.nums = 1, .text = {NAME}, .known = true},
    [FRAME_LIST] = {.known = true},
    [FRAME_FORGET] = {.text = {NAME}, .known = true},
    [FRAME_SHUTDOWN] = {.known = true},
    [FRAME_RESIZE] = {.nums = 2, .known = true},
    [FRAME_ATTACH] = {.flags = FLAG_INPUT, .text = {NAME}, .known = true},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct shape *shape_of(const struct shape *shapes, size_t count, uint16_t kind)
{
    return kind < count && shapes[kind].known ? &shapes[kind] : NULL;
}

/* A container's name is a file name below the run directory. */
static bool is_name(const char *text, size_t length)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return length > 0 && length <= ORC_MAX_NAME && text[0] != '.' &&
           strspn(text, allowed) == length;
}

/* `strings`: how many a LIST must hold. */
static bool is_valid_text(enum text_kind kind, const char *text, size_t length, uint32_t strings)
{
    size_t found = length > 0 || strings > 0;
    switch (kind) {
    case NONE:
        return length == 0;
    case TEXT:
        return strlen(text) == length;
    case PATH:
        return length > 0 && length < PATH_MAX && strlen(text) == length;
    case NAME:
        return strlen(text) == length && is_name(text, length);
    case BYTES:
        return true;
    case LIST:
        for (size_t i = 0; i < length; i++)
            found += text[i] == '\0';
        return found == strings;
    }
    return false;
}

static bool is_valid_record(const struct orc_record *record, const struct shape *shape,
                            const char *blob, uint32_t blob_size)
{
    uint32_t counts = 0;
    if ((record->flags & ~shape->flags) != 0)
        return false;
    for (size_t i = shape->nums; i < LENGTH(record->num); i++)
        if (record->num[i] != 0)
            return false;
    for (size_t i = shape->wides; i < LENGTH(record->wide); i++)
        if (record->wide[i] != 0)
            return false;
    for (size_t i = 0; i < LENGTH(record->text); i++) {
        const struct orc_text *text = &record->text[i];
        uint32_t strings = shape->text[i] == LIST ? record->num[counts++] : 0;
        if (shape->text[i] == NONE && text->at == 0 && text->length == 0)
            continue;
        if ((uint64_t)text->at + text->length >= blob_size || blob[text->at + text->length] != '\0')
            return false;
        if (!is_valid_text(shape->text[i], blob + text->at, text->length, strings))
            return false;
    }
    return true;
}

static char **fill_vector(char **vector, const char *strings, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        *vector++ = (char *)(uintptr_t)strings;
        strings += strlen(strings) + 1;
    }
    *vector++ = NULL;
    return vector;
}

/* The vectors are made here, before any fork: the child allocates nothing. */
static int make_vectors(struct list *list)
{
    const struct orc_record *last = &list->records[list->count - 1];
    if (list->count < 2 || last->kind != OP_EXEC)
        return 0;
    if (last->num[0] == 0)
        return -EINVAL;
    list->argv = calloc((size_t)last->num[0] + last->num[1] + 2, sizeof(char *));
    if (list->argv == NULL)
        return -ENOMEM;
    list->envp = fill_vector(list->argv, list_text(list, last, 0), last->num[0]);
    fill_vector(list->envp, list_text(list, last, 1), last->num[1]);
    return 0;
}

int list_decode(struct list *list, uint16_t frame_type, const uint8_t *bytes, size_t size)
{
    const struct shape *frame = shape_of(frame_shapes, LENGTH(frame_shapes), frame_type);
    struct orc_list head;
    memset(list, 0, sizeof *list);
    if (frame == NULL || size < sizeof head || size > ORC_MAX_FRAME)
        return -EINVAL;
    memcpy(&head, bytes, sizeof head);
    uint64_t records = (uint64_t)head.count * sizeof(struct orc_record);
    if (head.count == 0 || sizeof head + records + head.blob != size)
        return -EINVAL;
    list->records = (const void *)(bytes + sizeof head);
    list->count = head.count;
    list->blob = (const char *)bytes + sizeof head + records;
    if (list->records[0].kind != OP_ARGUMENTS || (head.count > 1 && !frame->operations))
        return -EINVAL;
    for (uint32_t i = 0; i < head.count; i++) {
        const struct orc_record *record = &list->records[i];
        const struct shape *shape =
            i == 0 ? frame : shape_of(op_shapes, LENGTH(op_shapes), record->kind);
        if (shape == NULL || !is_valid_record(record, shape, list->blob, head.blob))
            return -EINVAL;
        if (record->kind == OP_EXEC && i != head.count - 1)
            return -EINVAL;
    }
    return make_vectors(list);
}

void list_free(struct list *list)
{
    free(list->argv);
    memset(list, 0, sizeof *list);
}
