/* Verbs about the machine as its guest sees it: processors, memory, firmware, block devices, network interfaces. */
#include "guest.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

static int not_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* hello: who answers. `boot_id` is another one after each boot. */
static void hello(struct answer *answer, char **arguments) {
    (void)arguments;
    char text[4096];
    struct utsname kernel;
    uname(&kernel);
    put_text(answer, "kernel", kernel.release);
    read_text(text, sizeof text, "/proc/sys/kernel/random/boot_id");
    put_text(answer, "boot_id", text);
    read_text(text, sizeof text, "/proc/cmdline");
    put_text(answer, "command_line", text);
    put_number(answer, "uptime_ms", (int64_t)(monotonic_ns() / 1000000));
}

static void put_dmi(struct answer *answer, const char *key, const char *name) {
    char text[256];
    read_text(text, sizeof text, "/sys/class/dmi/id/%s", name);
    put_text(answer, key, text);
}

/* machine: `rtc` is the hardware clock, in seconds since 1970 if it runs in UTC. */
static void machine(struct answer *answer, char **arguments) {
    (void)arguments;
    char text[64];
    struct sysinfo memory;
    sysinfo(&memory);
    put_number(answer, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
    put_number(answer, "memory_bytes", (int64_t)memory.totalram * memory.mem_unit);
    put_text(answer, "firmware", access("/sys/firmware/efi", F_OK) ? "bios" : "uefi");
    put_dmi(answer, "uuid", "product_uuid");
    put_dmi(answer, "serial", "product_serial");
    put_dmi(answer, "product", "product_name");
    read_text(text, sizeof text, "/sys/class/rtc/rtc0/since_epoch");
    put_number(answer, "rtc", atoll(text));
    put_number(answer, "wall_ns", (int64_t)wall_ns());
}

/* The unit serial number page of SCSI, which ATA disks answer as well: four bytes, then text padded with blanks. */
static void scsi_serial(const char *name, char *buffer, size_t room) {
    char path[256];
    snprintf(path, sizeof path, "/sys/block/%s/device/vpd_pg80", name);
    buffer[0] = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    char page[256];
    ssize_t got = read(file, page, sizeof page - 1);
    close(file);
    if (got <= 4)
        return;
    page[got] = 0;
    char *start = page + 4 + strspn(page + 4, " "), *end = start + strlen(start);
    while (end > start && end[-1] == ' ')
        *--end = 0;
    snprintf(buffer, room, "%s", start);
}

static const char *bus_of(const char *name) {
    static const struct {
        const char *part, *bus;
    } marks[] = {{"/ata", "ata"}, {"/usb", "usb"}, {"/nvme", "nvme"}, {"/host", "scsi"}, {"/virtio", "virtio"}};
    char link[512], path[256];
    snprintf(path, sizeof path, "/sys/block/%s", name);
    ssize_t got = readlink(path, link, sizeof link - 1);
    link[got < 0 ? 0 : got] = 0;
    for (size_t at = 0; at < sizeof marks / sizeof *marks; at++)
        if (strstr(link, marks[at].part))
            return marks[at].bus;
    return "other";
}

/* Whether a drive holds a disc. Opening it makes the kernel see a new disc's size; an open tray is left open. */
static bool has_medium(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/dev/%s", name);
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return false;
    bool disc = ioctl(file, CDROM_DRIVE_STATUS, CDSL_CURRENT) == CDS_DISC_OK;
    close(file);
    if (disc && (file = open(path, O_RDONLY | O_CLOEXEC)) >= 0)
        close(file);
    return disc;
}

static int64_t attribute(const char *name, const char *attribute) {
    char text[64];
    read_text(text, sizeof text, "/sys/block/%s/%s", name, attribute);
    return atoll(text);
}

static void put_device(struct answer *answer, const char *name) {
    char text[256];
    bool drive = !strncmp(name, "sr", 2);
    bool medium = drive ? has_medium(name) : true;
    open_object(answer, NULL);
    put_text(answer, "name", name);
    put_text(answer, "kind", drive ? "cdrom" : "disk");
    put_text(answer, "bus", bus_of(name));
    read_text(text, sizeof text, "/sys/block/%s/serial", name);
    if (!text[0])
        scsi_serial(name, text, sizeof text);
    put_text(answer, "serial", text);
    put_number(answer, "size_bytes", medium ? attribute(name, "size") * SECTOR_BYTES : 0);
    put_number(answer, "block_bytes", attribute(name, "queue/logical_block_size"));
    put_truth(answer, "read_only", attribute(name, "ro"));
    put_truth(answer, "medium", medium);
    close_object(answer);
}

/* devices: disks and CD drives, not what the kernel makes up (loop, ram, zram) nor floppy drives. */
static void devices(struct answer *answer, char **arguments) {
    (void)arguments;
    struct dirent **entries;
    int count = scandir("/sys/block", &entries, not_hidden, alphasort);
    open_array(answer, "devices");
    for (int at = 0; at < count; at++) {
        const char *name = entries[at]->d_name;
        if (strncmp(name, "loop", 4) && strncmp(name, "ram", 3) && strncmp(name, "zram", 4) && strncmp(name, "fd", 2))
            put_device(answer, name);
        free(entries[at]);
    }
    if (count >= 0)
        free(entries);
    close_array(answer);
}

static int ones(const unsigned char *mask, size_t length) {
    int count = 0;
    for (size_t at = 0; at < length; at++)
        count += __builtin_popcount(mask[at]);
    return count;
}

static void put_address(struct answer *answer, const struct ifaddrs *address) {
    char text[INET6_ADDRSTRLEN], with_prefix[INET6_ADDRSTRLEN + 5];
    int prefix;
    if (address->ifa_addr->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((struct sockaddr_in *)address->ifa_addr)->sin_addr, text, sizeof text);
        prefix = ones((unsigned char *)&((struct sockaddr_in *)address->ifa_netmask)->sin_addr, 4);
    } else if (address->ifa_addr->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)address->ifa_addr)->sin6_addr, text, sizeof text);
        prefix = ones((unsigned char *)&((struct sockaddr_in6 *)address->ifa_netmask)->sin6_addr, 16);
    } else {
        return;
    }
    snprintf(with_prefix, sizeof with_prefix, "%s/%d", text, prefix);
    put_text(answer, NULL, with_prefix);
}

static void put_nic(struct answer *answer, const char *name, const struct ifaddrs *addresses) {
    char text[256], link[256], path[256];
    open_object(answer, NULL);
    put_text(answer, "name", name);
    read_text(text, sizeof text, "/sys/class/net/%s/address", name);
    put_text(answer, "mac", text);
    snprintf(path, sizeof path, "/sys/class/net/%s/device/driver", name);
    ssize_t got = readlink(path, link, sizeof link - 1);
    link[got < 0 ? 0 : got] = 0;
    put_text(answer, "driver", strrchr(link, '/') ? strrchr(link, '/') + 1 : link);
    read_text(text, sizeof text, "/sys/class/net/%s/carrier", name);
    put_truth(answer, "link", text[0] == '1');
    read_text(text, sizeof text, "/sys/class/net/%s/mtu", name);
    put_number(answer, "mtu", atoll(text));
    open_array(answer, "addresses");
    for (; addresses; addresses = addresses->ifa_next)
        if (addresses->ifa_addr && !strcmp(addresses->ifa_name, name))
            put_address(answer, addresses);
    close_array(answer);
    close_object(answer);
}

/* nics: those with a device, so neither lo nor tunnels. */
static void nics(struct answer *answer, char **arguments) {
    (void)arguments;
    struct dirent **entries;
    struct ifaddrs *addresses = NULL;
    int count = scandir("/sys/class/net", &entries, not_hidden, alphasort);
    getifaddrs(&addresses);
    open_array(answer, "nics");
    for (int at = 0; at < count; at++) {
        char path[512];
        snprintf(path, sizeof path, "/sys/class/net/%s/device", entries[at]->d_name);
        if (!access(path, F_OK))
            put_nic(answer, entries[at]->d_name, addresses);
        free(entries[at]);
    }
    if (count >= 0)
        free(entries);
    close_array(answer);
    freeifaddrs(addresses);
}

const struct verb machine_verbs[] = {
    {"hello", 0, hello},
    {"machine", 0, machine},
    {"devices", 0, devices},
    {"nics", 0, nics},
    {0},
};
