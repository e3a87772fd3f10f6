/* One pod's shim: single-threaded, one poll loop. What each file holds is exported here. */
#ifndef ORC_SHIM_H
#define ORC_SHIM_H

#include "list.h"
#include "task.h"

enum shim_limits {
    MAX_CONNECTIONS = 128,
    MAX_PROCESSES = 256,
    PUMP_SIZE = 32768,         /* read from a process at once */
    OUTPUT_HIGH = 65536,       /* pending for a client: its process is read no further */
    ATTACHED_HIGH = 524288,    /* the same for an attached one */
    ATTACHED_PATIENCE_MS = 2000, /* that long, then it must go: the container goes on */
    OUTPUT_LIMIT = 1048576,    /* pending for a control connection: the client is gone or mad */
    DRAIN_LIMIT = 1048576,     /* read of an ended process' pipe: no pipe holds more */
};

/* A descriptor of the loop; not polled while `events` is 0. */
struct source {
    int fd; /* -1: none */
    short events;
    void (*ready)(struct source *source, short events);
    void *owner;
};

struct buffer {
    uint8_t *bytes;
    size_t used, size;
};

struct process;

struct connection {
    struct connection *next;
    struct source source;
    struct buffer in, out;
    struct process *session; /* whose streams are here */
    bool is_session;
    bool attached; /* to a container, which goes on without it */
    bool gives_input;
    uint64_t full_since_ms; /* 0: it isn't */
    bool closing; /* once everything is sent */
    bool dead;
};

enum role { ROLE_RUN, ROLE_CONTAINER, ROLE_EXEC };

struct log;

struct process {
    struct process *next;
    enum role role;
    char name[ORC_MAX_NAME + 1];
    pid_t pid;
    pid_t helper; /* of enter-container, not reaped yet; 0: none */
    struct source report, life, output[2], input;
    struct connection *client; /* whom to answer; NULL: gone */
    uint32_t tag;
    struct orc_failure failure;
    bool adopts; /* an orphan that it has yet to name */
    bool asked; /* its client, who lets it go on */
    bool callers; /* see FLAG_CALLERS */
    bool leaves;  /* its end is for who inherits it from the front, too */
    bool met; /* no child of ours */
    bool ready, failed, settled; /* settled: the start was answered */
    bool reaped, finished, dead; /* finished: the end was announced */
    bool terminal, hung_up, input_once;
    int exit_code, signal;
    size_t drained; /* bytes read since the end */
    uint64_t started_ms, finished_ms;
    struct log *log;
    char *console;    /* the socket that a terminal goes to, or "" */
    char *listener;   /* where a filter's descriptor goes: a path, and after its NUL a message */
    uint8_t *pending; /* standard input that the process hasn't taken */
    size_t pending_at, pending_size;
    bool input_ended;
};

struct shim {
    int run_dir;
    int exits_dir;
    int null;
    int spaces[SPACE_COUNT];
    struct orc_hello hello;
    struct source listener;
    struct source typed; /* a front's own input, for its container's terminal */
    struct connection *connections;
    struct process *processes;
    struct connection *shutdown; /* who asked for it */
    uint32_t shutdown_tag;
    bool shutting_down;
};

extern struct shim shim;

uint64_t now_ms(clockid_t clock);

/* What a shim and a front begin with: NULL, or the stage that failed, with errno. */
const char *shim_begin(const char *name);
/* Never returns but by `round`, called after each. */
void shim_serve(void (*round)(void));

/* connections.c */
void connection_accept(struct source *source, short events);
struct connection *connection_open(int fd); /* its own from then on; NULL: no memory */
void connection_send(struct connection *connection, uint16_t type, uint32_t tag, const void *bytes,
                     size_t size);
void connection_fail(struct connection *connection, uint32_t tag,
                     const struct orc_failure *failure);
void connection_refuse(struct connection *connection, uint32_t tag, int error, const char *stage);
void connection_close(struct connection *connection);
void connection_want(struct connection *connection); /* sets the events to wait for */
void connection_end_session(struct connection *connection); /* closes once everything is sent */
void connection_drop_slow(struct connection *connection);
void connection_finish(struct connection *connection, uint32_t tag);
void connection_free(struct connection *connection);
void connections_broadcast(uint16_t type, const void *bytes, size_t size);
/* The clients of a process' streams. */
void clients_send(const struct process *process, uint16_t type, const void *bytes, size_t size);
void clients_resume(const struct process *process); /* it has taken its input */
void clients_end(const struct process *process);
bool clients_are_full(const struct process *process);

/* requests.c: one frame. False: it was malformed, the connection must go. */
bool request_handle(struct connection *connection, const struct orc_frame *frame, uint8_t *payload);

/* oci.c */
void front_print(const struct list *list);
void front_read(struct connection *connection, uint32_t tag, uint32_t number);
_Noreturn void front_finish(int code);

/* births.c */
void process_meet(struct connection *client, uint32_t tag, const struct list *list);
void process_start(struct connection *client, uint32_t tag, uint16_t type, struct list *list);

/* processes.c */
struct process *process_find(const char *name);
void process_attach(struct process *process, struct connection *client, uint32_t tag,
                    bool gives_input);
void process_on_report(struct source *source, short events);
void process_on_end(struct source *source, short events);
void process_set_failure(struct process *process, int error, const char *stage);
void process_kill(struct process *process, int signal);
void process_continue(struct process *process);
void process_advance(struct process *process); /* takes what steps have become possible */
void process_want(struct process *process);
void process_hang_up(struct process *process);
struct orc_state process_state(const struct process *process);
/* Its client, how it is. */
void process_tell(const struct process *process, uint16_t type);
bool process_is_live(const struct process *process);
void process_free(struct process *process);
void process_forget(struct process *process);

/* streams.c: a process' input and output. */
void stream_output_ready(struct source *source, short events);
void stream_input_ready(struct source *source, short events);
void stream_give_input(struct process *process, const uint8_t *bytes, size_t size);
/* The process runs: what its client has already sent goes in. */
void stream_start(struct process *process);
bool stream_has_input(const struct process *process);
void stream_end_input(struct process *process);
void stream_resize(struct process *process, uint16_t columns, uint16_t rows);
/* Reads what is left after the end; true: nothing more will come, or nothing more is waited for. */
bool stream_drain(struct process *process);
void stream_close(struct source *source);

/* log.c: CRI's log format, with rotation. */
struct log *log_open(const char *path, uint64_t max_bytes, uint32_t max_files);
void log_write(struct log *log, int stream, const uint8_t *bytes, size_t size);
void log_close(struct log *log); /* writes what is left of unfinished lines */
void log_abandon(struct log *log); /* the container never started: removes an empty file */

#endif
