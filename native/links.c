/* Operations on network links, in the network namespace that was joined. */
#include "links.h"
#include "descriptor.h"
#include "task.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    struct nlmsghdr head;
    union {
        struct ifaddrmsg address;
        struct rtmsg route;
    } body;
    char attributes[64];
};

static struct request new_request(uint16_t type, size_t body_size);
static void add_attribute(struct request *request, uint16_t type, uint32_t value);
static int ask_kernel(struct task *task, const struct request *request);

int link_up(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_UP};
    OWNED int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (strlen(name) >= sizeof request.ifr_name) {
        errno = ENODEV;
        return -1;
    }
    memcpy(request.ifr_name, name, strlen(name) + 1);
    return ioctl(fd, SIOCSIFFLAGS, &request);
}

int op_link_up(struct task *task, const struct orc_record *op)
{
    return link_up(list_text(task->list, op, 0)) < 0 ? task_fail(task, "link up") : 0;
}

int op_add_address(struct task *task, const struct orc_record *op)
{
    struct request request = new_request(RTM_NEWADDR, sizeof request.body.address);
    unsigned int link = if_nametoindex(list_text(task->list, op, 0));
    if (link == 0)
        return task_fail(task, "find link");
    request.body.address = (struct ifaddrmsg){
        .ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)op->num[1], .ifa_index = link};
    add_attribute(&request, IFA_LOCAL, htonl(op->num[0]));
    add_attribute(&request, IFA_ADDRESS, htonl(op->num[0]));
    return ask_kernel(task, &request);
}

int op_add_route(struct task *task, const struct orc_record *op)
{
    bool gateway = (op->flags & FLAG_GATEWAY) != 0;
    struct request request = new_request(RTM_NEWROUTE, sizeof request.body.route);
    unsigned int link = if_nametoindex(list_text(task->list, op, 0));
    if (link == 0)
        return task_fail(task, "find link");
    request.body.route = (struct rtmsg){
        .rtm_family = AF_INET,
        .rtm_dst_len = (uint8_t)op->num[1],
        .rtm_table = RT_TABLE_MAIN,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
        .rtm_type = RTN_UNICAST,
    };
    add_attribute(&request, RTA_OIF, link);
    if (op->num[1] > 0)
        add_attribute(&request, RTA_DST, htonl(op->num[0]));
    if (gateway)
        add_attribute(&request, RTA_GATEWAY, htonl(op->num[2]));
    return ask_kernel(task, &request);
}

static struct request new_request(uint16_t type, size_t body_size)
{
    return (struct request){
        .head = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_size),
                 .nlmsg_type = type,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL}};
}

static void add_attribute(struct request *request, uint16_t type, uint32_t value)
{
    struct rtattr head = {.rta_len = RTA_LENGTH(sizeof value), .rta_type = type};
    char *at = (char *)request + NLMSG_ALIGN(request->head.nlmsg_len);
    memcpy(at, &head, sizeof head);
    memcpy(at + RTA_LENGTH(0), &value, sizeof value);
    request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + RTA_SPACE(sizeof value);
}

static int ask_kernel(struct task *task, const struct request *request)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[512];
    } answer;
    OWNED int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || send(fd, request, request->head.nlmsg_len, 0) < 0)
        return task_fail(task, "netlink");
    ssize_t size = recv(fd, &answer, sizeof answer, 0);
    if (size < 0)
        return task_fail(task, "netlink");
    if ((size_t)size < sizeof answer.head + sizeof(int) || answer.head.nlmsg_type != NLMSG_ERROR)
        return task->stage = "netlink", -EPROTO;
    return task->stage = "netlink", answer.error.error;
}
