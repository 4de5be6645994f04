/* Watches a box of the X screen: writes every picture of it that differs from the one before, as a line
 * "MILLISECONDS BYTES" (monotonic clock) and the pixels, 4 bytes each, until its input closes.
 *
 *   watch X Y WIDTH HEIGHT */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PERIOD_MS 3

int main(int count, char **words) {
    Display *display = count == 5 ? XOpenDisplay(NULL) : NULL;
    if (!display) return fprintf(stderr, "use: watch X Y WIDTH HEIGHT, with DISPLAY set\n"), 2;
    int x = atoi(words[1]), y = atoi(words[2]);
    unsigned width = (unsigned)atoi(words[3]), height = (unsigned)atoi(words[4]);
    XImage *before = NULL;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    do {
        XImage *image = XGetImage(display, DefaultRootWindow(display), x, y, width, height, AllPlanes, ZPixmap);
        if (!image) return fprintf(stderr, "watch: no picture\n"), 1;
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        size_t bytes = (size_t)image->bytes_per_line * (size_t)image->height;
        if (before && !memcmp(before->data, image->data, bytes)) {
            XDestroyImage(image);
            continue;
        }
        printf("%.3f %zu\n", (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6, bytes);
        fwrite(image->data, 1, bytes, stdout);
        fflush(stdout);
        if (before) XDestroyImage(before);
        before = image;
    } while (poll(&input, 1, PERIOD_MS) == 0);
    return 0;
}
