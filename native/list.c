#include "task.h"

enum text_kind { NONE, TEXT, PATH, NAME, BYTES, LIST };

/* What a record may carry; anything else in it must be zero. An operation has `run`, a frame that
 * is a list `may`. */
struct shape {
    uint16_t flags;
    uint8_t nums, wides;
    uint8_t text[4];
    operation *run;
    enum { NOTHING, STAND_ALONE, HAVE_OPERATIONS } may;
};

static const struct shape op_shapes[] = {
    [OP_SET_ROOT] = {.run = op_set_root, .text = {PATH}},
    [OP_MKDIR] = {.run = op_mkdir, .flags = FLAG_IN_ROOT, .nums = 3, .text = {PATH}},
    [OP_SYMLINK] = {.run = op_symlink, .flags = FLAG_IN_ROOT | FLAG_OPTIONAL, .text = {PATH, PATH}},
    [OP_MKNOD] = {.run = op_mknod, .flags = FLAG_IN_ROOT, .nums = 5, .text = {PATH}},
    [OP_WRITE] = {.run = op_write, .flags = FLAG_PROC, .text = {PATH, BYTES}},
    [OP_MOUNT] = {.run = op_mount, .flags = FLAG_IN_ROOT | FLAG_CREATE | FLAG_COPY_UP, .nums = 1,
                  .text = {TEXT, PATH, TEXT, TEXT}},
    [OP_BIND] = {.run = op_bind, .nums = 5, .wides = 2, .text = {TEXT, PATH, TEXT},
                 .flags = FLAG_IN_ROOT | FLAG_CREATE | FLAG_IDMAP | FLAG_OPTIONAL | FLAG_RECURSIVE},
    [OP_MASK] = {.run = op_mask, .text = {PATH}},
    [OP_PIVOT_ROOT] = {.run = op_pivot_root},
    [OP_CHDIR] = {.run = op_chdir, .text = {PATH}},
    [OP_JOIN] = {.run = op_join, .nums = 1},
    [OP_ENTER_CONTAINER] = {.run = op_enter_container, .nums = 1, .text = {NAME}},
    [OP_UNSHARE] = {.run = op_unshare, .nums = 1},
    [OP_NEW_SESSION] = {.run = op_new_session, .flags = FLAG_TERMINAL},
    [OP_NEW_KEYRING] = {.run = op_new_keyring},
    [OP_UMASK] = {.run = op_umask, .nums = 1},
    [OP_SET_IDS] = {.run = op_set_ids, .flags = FLAG_OPTIONAL, .nums = 2, .text = {BYTES}},
    [OP_DROP_BOUNDING] = {.run = op_drop_bounding, .wides = 1},
    [OP_SET_CAPS] = {.run = op_set_caps, .wides = 4},
    [OP_NO_NEW_PRIVS] = {.run = op_no_new_privs},
    [OP_SECCOMP] = {.run = op_seccomp, .nums = 1, .text = {BYTES}},
    [OP_EXEC] = {.run = op_exec, .nums = 3, .text = {LIST, LIST, LIST}},
    [OP_TERMINAL] = {.run = op_terminal, .flags = FLAG_CONSOLE},
    [OP_DIAL] = {.run = op_dial, .nums = 1},
    [OP_OPEN_SPACE] = {.run = op_open_space, .nums = 1, .text = {PATH}},
    [OP_NEW_USER] = {.run = op_new_user, .nums = 1, .text = {TEXT, TEXT}},
    [OP_HOLD] = {.run = op_hold, .nums = 1},
    [OP_FORK] = {.run = op_fork},
    [OP_NAMES] = {.run = op_names, .text = {TEXT, TEXT}},
    [OP_SETTING] = {.run = op_setting, .nums = 4, .wides = 4, .text = {BYTES}},
    [OP_SET_MOUNT] = {.run = op_set_mount, .flags = FLAG_IN_ROOT, .nums = 5, .wides = 2,
                      .text = {PATH}},
    [OP_NETLINK] = {.run = op_netlink, .text = {BYTES}},
    [OP_SYNC] = {.run = op_sync},
    [OP_SPAWN] = {.run = op_spawn, .nums = 3, .text = {LIST, LIST}},
    [OP_ADOPT] = {.run = op_adopt, .text = {PATH}},
    [OP_GATE] = {.run = op_gate, .text = {PATH}},
    [OP_AWAIT] = {.run = op_await},
    [OP_FIND] = {.run = op_find, .nums = 3, .text = {LIST, LIST, LIST}},
    [OP_INPUT] = {.run = op_input, .text = {PATH}},
};

static const struct shape frame_shapes[] = {
    [FRAME_LAUNCH] = {.may = STAND_ALONE, .nums = 1, .text = {PATH, LIST, TEXT}},
    [FRAME_RUN] = {.may = HAVE_OPERATIONS},
    [FRAME_START] = {.may = HAVE_OPERATIONS, .nums = 5, .wides = 1,
                     .flags = FLAG_TERMINAL | FLAG_INPUT | FLAG_INPUT_ONCE | FLAG_CALLERS |
                              FLAG_PASSING,
                     .text = {NAME, TEXT, TEXT, BYTES}},
    [FRAME_EXEC] = {.may = HAVE_OPERATIONS, .flags = FLAG_TERMINAL | FLAG_INPUT, .nums = 3,
                    .text = {NAME, TEXT, NONE, BYTES}},
    [FRAME_KILL] = {.may = STAND_ALONE, .nums = 1, .text = {NAME}},
    [FRAME_LIST] = {.may = STAND_ALONE},
    [FRAME_FORGET] = {.may = STAND_ALONE, .text = {NAME}},
    [FRAME_SHUTDOWN] = {.may = STAND_ALONE},
    [FRAME_RESIZE] = {.may = STAND_ALONE, .nums = 2},
    [FRAME_ATTACH] = {.may = STAND_ALONE, .flags = FLAG_INPUT, .text = {NAME}},
    [FRAME_CONTINUE] = {.may = STAND_ALONE, .text = {NAME}},
    [FRAME_MEET] = {.may = STAND_ALONE, .nums = 1, .text = {NAME, TEXT}},
    [FRAME_PRINT] = {.may = STAND_ALONE, .nums = 1, .text = {BYTES}},
    [FRAME_READ] = {.may = STAND_ALONE, .nums = 1},
    [FRAME_FINISH] = {.may = STAND_ALONE, .nums = 1},
};

operation *list_operation(const struct orc_record *record)
{
    return op_shapes[record->kind].run;
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
        if (text->length == 0 && is_valid_text(shape->text[i], "", 0, strings))
            continue;
        if ((uint64_t)text->at + text->length >= blob_size || blob[text->at + text->length] != '\0')
            return false;
        if (!is_valid_text(shape->text[i], blob + text->at, text->length, strings))
            return false;
    }
    return true;
}

char **list_vector(char **vector, const char *strings, uint32_t count)
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
    list->envp = list_vector(list->argv, list_text(list, last, 0), last->num[0]);
    list_vector(list->envp, list_text(list, last, 1), last->num[1]);
    return 0;
}

int list_decode(struct list *list, uint16_t frame_type, const uint8_t *bytes, size_t size)
{
    const struct shape *frame = &frame_shapes[frame_type < LENGTH(frame_shapes) ? frame_type : 0];
    struct orc_list head;
    memset(list, 0, sizeof *list);
    if (frame->may == NOTHING || size < sizeof head || size > ORC_MAX_FRAME)
        return -EINVAL;
    memcpy(&head, bytes, sizeof head);
    uint64_t records = (uint64_t)head.count * sizeof(struct orc_record);
    if (head.count == 0 || sizeof head + records + head.blob != size)
        return -EINVAL;
    list->records = (const void *)(bytes + sizeof head);
    list->count = head.count;
    list->blob = (const char *)bytes + sizeof head + records;
    if (list->records[0].kind != OP_ARGUMENTS || (head.count > 1 && frame->may != HAVE_OPERATIONS))
        return -EINVAL;
    for (uint32_t i = 0; i < head.count; i++) {
        const struct orc_record *record = &list->records[i];
        const struct shape *op = &op_shapes[record->kind < LENGTH(op_shapes) ? record->kind : 0];
        if ((i > 0 && op->run == NULL) ||
            !is_valid_record(record, i == 0 ? frame : op, list->blob, head.blob))
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
