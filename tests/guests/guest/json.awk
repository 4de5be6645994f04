# Flattens one JSON document: a line "path<TAB>value" for every string, number, true, false and null in it; paths as users.0.name.
# Newlines in strings become \n and backslashes \\ so that a value is one line.
function blank() { sub(/^[ \t\r\n]+/, "", s) }
function text(    r, c, e) {
    s = substr(s, 2); r = ""
    for (;;) {
        if (match(s, /^[^"\\]+/)) { r = r substr(s, 1, RLENGTH); s = substr(s, RLENGTH + 1) }
        c = substr(s, 1, 1)
        if (c == "") { bad = 1; return r }
        if (c == "\"") { s = substr(s, 2); return r }
        e = substr(s, 2, 1); s = substr(s, 3)
        if (e == "n") r = r "\n"
        else if (e == "t") r = r "\t"
        else if (e == "r") r = r "\r"
        else if (e == "u") { r = r utf8(hex(substr(s, 1, 4))); s = substr(s, 5) }
        else r = r e
    }
}
function hex(h,    i, n) { n = 0; h = tolower(h); for (i = 1; i <= length(h); i++) n = n * 16 + index("0123456789abcdef", substr(h, i, 1)) - 1; return n }
function utf8(n) {
    if (n < 128) return sprintf("%c", n)
    if (n < 2048) return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
    return sprintf("%c%c%c", 224 + int(n / 4096), 128 + int(n / 64) % 64, 128 + n % 64)
}
function emit(path, v) { gsub(/\\/, "\\\\", v); gsub(/\n/, "\\n", v); print path "\t" v }
function join(path, key) { return path == "" ? key : path "." key }
function value(path, depth,    c, i, k) {
    blank(); c = substr(s, 1, 1)
    if (depth > 40 || c == "") { bad = 1; return }
    if (c == "{") {
        s = substr(s, 2); blank()
        if (substr(s, 1, 1) == "}") { s = substr(s, 2); return }
        while (!bad) {
            blank(); if (substr(s, 1, 1) != "\"") { bad = 1; return }
            k = text(); blank()
            if (substr(s, 1, 1) != ":") { bad = 1; return }
            s = substr(s, 2); value(join(path, k), depth + 1); blank()
            c = substr(s, 1, 1); s = substr(s, 2)
            if (c == "}") return
            if (c != ",") { bad = 1; return }
        }
    } else if (c == "[") {
        s = substr(s, 2); blank()
        if (substr(s, 1, 1) == "]") { s = substr(s, 2); return }
        for (i = 0; !bad; i++) {
            value(join(path, i), depth + 1); blank()
            c = substr(s, 1, 1); s = substr(s, 2)
            if (c == "]") return
            if (c != ",") { bad = 1; return }
        }
    } else if (c == "\"") emit(path, text())
    else if (match(s, /^[-+.a-zA-Z0-9]+/)) { emit(path, substr(s, 1, RLENGTH)); s = substr(s, RLENGTH + 1) }
    else bad = 1
}
{ s = s $0 "\n" }
END { value("", 0); if (bad) exit 1 }
