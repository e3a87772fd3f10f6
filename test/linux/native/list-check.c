/* list-check SEED ROUNDS < frames: decodes each frame of its input, whole and then with random
 * damage, reading everything that was accepted. A hostile list may be refused or be another
 * list; it must never crash this. */
#include "list.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;
static volatile size_t touched;

static uint32_t next_random(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static void damage(uint8_t *bytes, size_t *size)
{
    static const uint32_t edges[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8, 4096};
    for (uint32_t n = 1 + next_random() % 4; n > 0 && *size > 0; n--) {
        size_t at = next_random() % *size;
        switch (next_random() % 4) {
        case 0:
            bytes[at] = (uint8_t)next_random();
            break;
        case 1:
            *size = at;
            break;
        default:
            at &= ~(size_t)3;
            if (at + 4 <= *size)
                memcpy(bytes + at, &edges[next_random() % 7], 4);
        }
    }
}

static void touch(const struct list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        for (int t = 0; t < 4; t++)
            for (uint32_t b = 0; b < list->records[i].text[t].length; b++)
                touched += (size_t)list_text(list, &list->records[i], t)[b];
    for (char **v = list->argv; v != NULL && *v != NULL; v++)
        touched += strlen(*v);
    for (char **v = list->envp; v != NULL && *v != NULL; v++)
        touched += strlen(*v);
}

/* Each try gets memory of exactly its size, so that the sanitizer sees the first byte too many. */
static bool try_decode(uint16_t type, const uint8_t *bytes, size_t size)
{
    struct list list;
    uint8_t *copy = malloc(size + (size == 0));
    if (copy == NULL)
        exit(2);
    memcpy(copy, bytes, size);
    bool accepted = list_decode(&list, type, copy, size) == 0;
    if (accepted)
        touch(&list);
    list_free(&list);
    free(copy);
    return accepted;
}

int main(int argc, char **argv)
{
    struct orc_frame frame;
    long rounds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    size_t whole = 0, accepted = 0, refused = 0;
    state = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    while (fread(&frame, sizeof frame, 1, stdin) == 1 && frame.size <= ORC_MAX_FRAME) {
        uint8_t *bytes = malloc(frame.size + 1u), *damaged = malloc(frame.size + 1u);
        if (bytes == NULL || damaged == NULL || fread(bytes, 1, frame.size, stdin) != frame.size)
            return 2;
        whole += try_decode(frame.type, bytes, frame.size);
        for (long i = 0; i < rounds; i++) {
            size_t size = frame.size;
            memcpy(damaged, bytes, size);
            damage(damaged, &size);
            if (try_decode(frame.type, damaged, size))
                accepted++;
            else
                refused++;
        }
        free(bytes);
        free(damaged);
    }
    printf("%zu whole, %zu accepted, %zu refused\n", whole, accepted, refused);
    return 0;
}
