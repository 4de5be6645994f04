/* What a test does to an X display that WebDriver can't.
 *
 *   x grab           writes what the screen shows to standard output: a binary PPM picture
 *   x drop X Y FILE… drops files on the window under a point, as a file manager does (the source's half of the XDND
 *                    protocol, version 5), after holding them over it for X_HOVER_MS; 0 when the window took them */
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static Display *display;
static Window own, target;
static char *uris;

static Atom atom(const char *name) { return XInternAtom(display, name, False); }

/* The topmost window under the point that takes drops. */
static Window aware_at(Window window, int x, int y) {
    Window root, parent, *children, found = None;
    unsigned count;
    Atom type;
    int format;
    unsigned long items, left;
    unsigned char *data = NULL;
    XWindowAttributes attributes;
    int at_x, at_y;
    Window child;
    if (!XGetWindowAttributes(display, window, &attributes) || attributes.map_state != IsViewable) return None;
    XTranslateCoordinates(display, window, DefaultRootWindow(display), 0, 0, &at_x, &at_y, &child);
    if (x < at_x || y < at_y || x >= at_x + attributes.width || y >= at_y + attributes.height) return None;
    if (XGetWindowProperty(display, window, atom("XdndAware"), 0, 1, False, XA_ATOM, &type, &format, &items, &left, &data) == Success && items) found = window;
    if (data) XFree(data);
    if (found) return found;
    if (!XQueryTree(display, window, &root, &parent, &children, &count)) return None;
    while (count-- && !found) found = aware_at(children[count], x, y);
    XFree(children);
    return found;
}

static void tell(const char *message, long one, long two, long three, long four) {
    XEvent event = {0};
    event.xclient.type = ClientMessage;
    event.xclient.window = target;
    event.xclient.message_type = atom(message);
    event.xclient.format = 32;
    event.xclient.data.l[0] = (long)own;
    event.xclient.data.l[1] = one;
    event.xclient.data.l[2] = two;
    event.xclient.data.l[3] = three;
    event.xclient.data.l[4] = four;
    XSendEvent(display, target, False, NoEventMask, &event);
    XFlush(display);
}

/* Hands the list of files to whoever asks for it. */
static void answer(XSelectionRequestEvent *request) {
    XEvent event = {0};
    event.xselection.type = SelectionNotify;
    event.xselection.requestor = request->requestor;
    event.xselection.selection = request->selection;
    event.xselection.target = request->target;
    event.xselection.time = request->time;
    if (request->target == atom("text/uri-list")) {
        XChangeProperty(display, request->requestor, request->property, request->target, 8, PropModeReplace, (unsigned char *)uris, (int)strlen(uris));
        event.xselection.property = request->property;
    }
    XSendEvent(display, request->requestor, False, NoEventMask, &event);
    XFlush(display);
}

/* Waits for a message of the target, answering for the files meanwhile; False after five seconds. */
static Bool wait_for(const char *message, XEvent *event) {
    time_t until = time(NULL) + 5;
    while (time(NULL) <= until) {
        while (XPending(display)) {
            XNextEvent(display, event);
            if (event->type == SelectionRequest) answer(&event->xselectionrequest);
            if (event->type == ClientMessage && event->xclient.message_type == atom(message)) return True;
        }
        poll(&(struct pollfd){.fd = ConnectionNumber(display), .events = POLLIN}, 1, 100);
    }
    fprintf(stderr, "x: no %s\n", message);
    return False;
}

static int grab(void) {
    XWindowAttributes screen;
    XGetWindowAttributes(display, DefaultRootWindow(display), &screen);
    XImage *image = XGetImage(display, DefaultRootWindow(display), 0, 0, screen.width, screen.height, AllPlanes, ZPixmap);
    if (!image || image->bits_per_pixel != 32) return fprintf(stderr, "x: the screen can't be read\n"), 1;
    printf("P6\n%d %d\n255\n", screen.width, screen.height);
    for (int y = 0; y < screen.height; y++) {
        for (int x = 0; x < screen.width; x++) {
            unsigned long pixel = XGetPixel(image, x, y);
            putchar(pixel >> 16 & 255);
            putchar(pixel >> 8 & 255);
            putchar(pixel & 255);
        }
    }
    return fflush(stdout) ? 1 : 0;
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static int drop(int x, int y, char **files, int count) {
    Window root = DefaultRootWindow(display);
    if (!(target = aware_at(root, x, y))) return fprintf(stderr, "x: nothing there takes drops\n"), 1;

    size_t room = 1;
    for (int i = 0; i < count; i++) room += strlen(files[i]) * 3 + 16;
    char *end = uris = calloc(1, room);
    for (int i = 0; i < count; i++) {
        end += sprintf(end, "file://");
        for (unsigned char *c = (unsigned char *)files[i]; *c; c++) end += sprintf(end, *c == '/' ? "/" : "%%%02X", *c);
        end += sprintf(end, "\r\n");
    }

    own = XCreateSimpleWindow(display, root, 0, 0, 1, 1, 0, 0, 0);
    XSetSelectionOwner(display, atom("XdndSelection"), own, CurrentTime);
    XEvent event = {0};
    long action = (long)atom("XdndActionCopy"), point = ((long)x << 16) | y;
    tell("XdndEnter", 5L << 24, (long)atom("text/uri-list"), 0, 0);
    /* The first position makes the window look at the files; it accepts them from a later one on. */
    for (int i = 0; i < 20; i++) {
        tell("XdndPosition", 0, point + (i & 1), CurrentTime, action);
        if (!wait_for("XdndStatus", &event)) return 1;
        if (event.xclient.data.l[1] & 1) break;
        pause_ms(50);
    }
    if (!(event.xclient.data.l[1] & 1)) return fprintf(stderr, "x: the window refuses\n"), 1;
    pause_ms(getenv("X_HOVER_MS") ? atol(getenv("X_HOVER_MS")) : 0);
    tell("XdndDrop", 0, CurrentTime, 0, 0);
    if (!wait_for("XdndFinished", &event)) return 1;
    return event.xclient.data.l[1] & 1 ? 0 : 1;
}

int main(int count, char **words) {
    if (!(display = XOpenDisplay(NULL))) return fprintf(stderr, "x: no display\n"), 2;
    if (count == 2 && !strcmp(words[1], "grab")) return grab();
    if (count >= 5 && !strcmp(words[1], "drop")) return drop(atoi(words[2]), atoi(words[3]), words + 4, count - 4);
    return fprintf(stderr, "use: x grab | x drop X Y FILE...\n"), 2;
}
