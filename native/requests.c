#include "shim.h"

static void send_states(struct connection *connection, uint32_t tag)
{
    struct orc_state *states = calloc(MAX_PROCESSES, sizeof *states);
    size_t count = 0;
    if (states == NULL)
        return connection_refuse(connection, tag, ENOMEM, "list");
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        if (p->role == ROLE_CONTAINER && p->settled)
            states[count++] = process_state(p);
    connection_send(connection, FRAME_DONE, tag, states, count * sizeof *states);
    free(states);
}

static void forget(struct connection *connection, uint32_t tag, struct process *process)
{
    if (process != NULL && process_is_live(process))
        return connection_refuse(connection, tag, EBUSY, "forget");
    if (process != NULL)
        process_forget(process);
    connection_send(connection, FRAME_DONE, tag, NULL, 0);
}

static void shut_down(struct connection *connection, uint32_t tag)
{
    shim.shutting_down = true;
    shim.shutdown = connection;
    shim.shutdown_tag = tag;
    for (struct process *p = shim.processes; p != NULL; p = p->next)
        process_kill(p, SIGKILL);
}

static void handle_list(struct connection *connection, const struct orc_frame *frame,
                        struct list *list)
{
    const struct orc_record *record = &list->records[0];
    struct process *process = process_find(list_text(list, record, 0)); /* if it names one */
    switch (frame->type) {
    case FRAME_RUN:
    case FRAME_START:
    case FRAME_EXEC:
        if (shim.shutting_down)
            return connection_refuse(connection, frame->tag, ESHUTDOWN, "shutdown");
        return process_start(connection, frame->tag, frame->type, list);
    case FRAME_MEET:
        return process_meet(connection, frame->tag, list);
    case FRAME_ATTACH:
        return process_attach(process, connection, frame->tag, (record->flags & FLAG_INPUT) != 0);
    case FRAME_KILL:
        process_kill(process, (int)record->num[0]);
        return connection_send(connection, FRAME_DONE, frame->tag, NULL, 0);
    case FRAME_CONTINUE:
        if (process == NULL || !process->asked)
            return connection_refuse(connection, frame->tag, ESRCH, "find container");
        process_continue(process);
        return connection_send(connection, FRAME_DONE, frame->tag, NULL, 0);
    case FRAME_LIST:
        return send_states(connection, frame->tag);
    case FRAME_FORGET:
        return forget(connection, frame->tag, process);
    case FRAME_SHUTDOWN:
        return shut_down(connection, frame->tag);
    case FRAME_RESIZE:
        return stream_resize(connection->session, (uint16_t)record->num[0],
                             (uint16_t)record->num[1]);
    case FRAME_PRINT:
        return front_print(list);
    case FRAME_READ:
        return front_read(connection, frame->tag, record->num[0]);
    case FRAME_FINISH:
        return front_finish((int)record->num[0]);
    default:
        return connection_refuse(connection, frame->tag, ENOSYS, "request");
    }
}

bool request_handle(struct connection *connection, const struct orc_frame *frame, uint8_t *payload)
{
    struct list list;
    bool to_session = frame->type == FRAME_INPUT || frame->type == FRAME_INPUT_END ||
                      frame->type == FRAME_RESIZE;
    if (connection->is_session != to_session)
        return false;
    if (to_session && (connection->session == NULL || frame->size > ORC_MAX_INPUT))
        return connection->session == NULL; /* what comes after the end is dropped */
    if (frame->type == FRAME_INPUT) {
        if (connection->gives_input)
            stream_give_input(connection->session, payload, frame->size);
        return true;
    }
    if (frame->type == FRAME_INPUT_END) {
        /* A container's input stays open for the next client, unless it is for one only. */
        if (connection->gives_input && (!connection->attached || connection->session->input_once))
            stream_end_input(connection->session);
        return true;
    }
    int error = list_decode(&list, frame->type, payload, frame->size);
    if (error < 0)
        connection_refuse(connection, frame->tag, -error, "decode");
    else
        handle_list(connection, frame, &list);
    list_free(&list);
    return true;
}
