/* list-fuzz SEED ROUNDS < frames: decodes each frame of its input, then ROUNDS descendants of
 * them, and reads everything that was accepted. A descendant that took the decoder where none had
 * been before becomes an ancestor itself (gcc's -fsanitize-coverage calls the functions at the
 * end). A hostile list may be refused or be another list; the sanitizers must find nothing. */
#include "list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZE = 1 << 14, MAX_CORPUS = 1 << 14, MAX_FEATURES = 1 << 20 };

struct input {
    uint16_t type;
    uint32_t size;
    uint8_t *bytes;
};

static struct input corpus[MAX_CORPUS];
static size_t corpus_size, features, accepted, refused;
static bool seen[MAX_FEATURES], is_new;
static uint64_t state;
static volatile size_t touched;

static uint32_t below(uint32_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % limit;
}

static void put(uint8_t *bytes, uint32_t size, uint32_t value)
{
    uint32_t at = below(size) & ~3u;
    if (at + sizeof value <= size)
        memcpy(bytes + at, &value, sizeof value);
}

/* Numbers at the edges, ones near what is there, bytes, pieces moved, a shorter or longer end. */
static uint32_t damage(uint8_t *bytes, uint32_t size)
{
    static const uint32_t edges[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8, 4096};
    for (uint32_t n = 1 + below(3); n > 0 && size > 0; n--) {
        uint32_t at = below(size), to = below(size), length = 1 + below(sizeof(struct orc_record));
        switch (below(8)) {
        case 0:
            bytes[at] = (uint8_t)below(256);
            break;
        case 1:
            bytes[at] ^= (uint8_t)(1u << below(8));
            break;
        case 2:
            bytes[at] = (uint8_t)(bytes[at] + below(9) - 4);
            break;
        case 3:
            size = at;
            break;
        case 4:
            if (size + length <= MAX_SIZE) {
                memset(bytes + size, (int)below(3), length);
                size += length;
            }
            break;
        case 5:
            if (at + length <= size && to + length <= size)
                memmove(bytes + to, bytes + at, length);
            break;
        case 6:
            put(bytes, size, below(64));
            break;
        default:
            put(bytes, size, edges[below(8)]);
        }
    }
    return size;
}

/* Mostly the head fits again to the rest, or hardly any descendant would get past it. */
static void mend(uint8_t *bytes, uint32_t size)
{
    struct orc_list head;
    if (below(8) == 0 || size < sizeof head)
        return;
    memcpy(&head, bytes, sizeof head);
    uint64_t records = head.count * (uint64_t)sizeof(struct orc_record);
    if (records > size - sizeof head)
        return;
    head.blob = (uint32_t)(size - sizeof head - records);
    memcpy(bytes, &head, sizeof head);
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
static bool try_decode(uint16_t type, const uint8_t *bytes, uint32_t size)
{
    struct list list;
    uint8_t *copy = malloc(size + (size == 0));
    if (copy == NULL)
        exit(2);
    memcpy(copy, bytes, size);
    is_new = false;
    bool good = list_decode(&list, type, copy, size) == 0;
    if (good)
        touch(&list);
    list_free(&list);
    free(copy);
    return good;
}

static void keep(uint16_t type, const uint8_t *bytes, uint32_t size)
{
    if (corpus_size == MAX_CORPUS)
        return;
    struct input *input = &corpus[corpus_size++];
    *input = (struct input){.type = type, .size = size, .bytes = malloc(size + 1u)};
    if (input->bytes == NULL)
        exit(2);
    memcpy(input->bytes, bytes, size);
}

static void breed(void)
{
    static uint8_t bytes[MAX_SIZE];
    const struct input *parent = &corpus[below((uint32_t)corpus_size)];
    uint16_t type = below(50) == 0 ? (uint16_t)below(32) : parent->type;
    memcpy(bytes, parent->bytes, parent->size);
    uint32_t size = damage(bytes, parent->size);
    mend(bytes, size);
    if (try_decode(type, bytes, size))
        accepted++;
    else
        refused++;
    if (is_new)
        keep(type, bytes, size);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[MAX_SIZE];
    struct orc_frame frame;
    size_t whole = 0;
    long rounds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    state = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
    while (fread(&frame, sizeof frame, 1, stdin) == 1) {
        if (frame.size > MAX_SIZE || fread(bytes, 1, frame.size, stdin) != frame.size)
            return 2;
        whole += try_decode(frame.type, bytes, frame.size);
        keep(frame.type, bytes, frame.size);
    }
    for (long i = 0; i < rounds; i++)
        breed();
    printf("%zu whole, %zu accepted, %zu refused, %zu kept, %zu features\n", whole, accepted,
           refused, corpus_size, features);
    for (size_t i = 0; i < corpus_size; i++)
        free(corpus[i].bytes);
    return 0;
}

/* A place in the program with something that happened there. */
static void feature(const void *place, uint64_t what)
{
    uint64_t hash = ((uintptr_t)place ^ what << 48) * 0x9e3779b97f4a7c15u;
    bool *at = &seen[hash >> 44];
    if (*at)
        return;
    *at = is_new = true;
    features++;
}

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    feature(__builtin_return_address(0), 0);
}

/* How many bits agree: a number that comes nearer to what it is compared with is progress. */
#define TRACE(name, type)                                                                          \
    void __sanitizer_cov_trace_##name(type a, type b);                                             \
    void __sanitizer_cov_trace_##name(type a, type b)                                              \
    {                                                                                              \
        feature(__builtin_return_address(0), 1 + (uint64_t)__builtin_popcountll((a ^ b) + 0ull));  \
    }
TRACE(cmp1, uint8_t)
TRACE(cmp2, uint16_t)
TRACE(cmp4, uint32_t)
TRACE(cmp8, uint64_t)
TRACE(const_cmp1, uint8_t)
TRACE(const_cmp2, uint16_t)
TRACE(const_cmp4, uint32_t)
TRACE(const_cmp8, uint64_t)

void __sanitizer_cov_trace_switch(uint64_t value, void *cases);
void __sanitizer_cov_trace_switch(uint64_t value, void *cases)
{
    feature(cases, 1 + value % 256);
}
