# SPDX-License-Identifier: MIT
# tidy.awk - rules about the text of the tree that no compiler checks.
#
#   awk -f tools/tidy.awk FILE...      (tools/tidy.sh makes the list)
#
# Everywhere: SPDX line first, no tabs, no unfinished business, 80 columns; C:
# no `//` comments, at most 800 lines, functions of at most 70. In src/: no call
# or word that belongs to another layer (BEGIN says which and where it may
# stand), a test beside each .c (or a line "src/x/y.c: reason" in
# tests/UNTESTED), each .c and .S named in its CMakeLists.txt.
#
# A waiver lets one thing pass on its own line or, on a line of its own, in the
# next line of code:
#     /* tidy: allow volatile, because the signal handler writes it */
# A waiver that lets nothing pass is an error itself.
# Exits 1 with file:line for each finding.

BEGIN {
    COLUMNS = 80
    FILE_LINES = 800
    FUNCTION_LINES = 70
    # ban(name, words, files where they may stand): see scan_bans().
    ban("errno", "errno", "^src/os/")
    ban("thread-local", "_Thread_local|__thread|thread_local",
        "^src/(os/|sched/self[.]c)")
    ban("malloc", "(malloc|calloc|realloc|free|strdup)[ ]*[(]", "^src/os/")
    ban("assert", "assert[ ]*[(]", "^$")
    ban("sleep", "(sleep|usleep|nanosleep|clock_nanosleep)[ ]*[(]", "^src/os/")
    ban("syscall", "(read|write|readv|writev|recv|send|recvmsg|sendmsg|" \
        "recvfrom|sendto|accept|accept4|connect|close|poll|ppoll|epoll_wait|" \
        "epoll_ctl|syscall|mmap|munmap|madvise|mprotect)[ ]*[(]", "^src/os/")
    ban("pthread", "pthread_[a-z_]+", "^src/os/")
    ban("resolver", "(getaddrinfo|gethostbyname)[ ]*[(]", "^$")
    ban("string", "(strcpy|strcat|sprintf|vsprintf|atoi|atol|gets|strtok)" \
        "[ ]*[(]", "^$")
    ban("rand", "(rand|srand|random|rand_r)[ ]*[(]", "^$")
    ban("volatile", "volatile", "^$")
    ban("kernel-header", "#[ ]*include[ ]*<(sys|linux)/[a-z_/]+[.]h>",
        "^src/os/")
}

FNR == 1 { start_file() }

FILENAME ~ /tests\/UNTESTED$/ { read_untested(); next }
FILENAME ~ /CMakeLists\.txt$/ { cmake_text[folder(FILENAME)] = \
    cmake_text[folder(FILENAME)] "\n" $0 }

{
    check_spdx()
    if (index($0, "\t"))
        complain("tab")
    if (is_code && length($0) > COLUMNS)
        complain(length($0) " columns, at most " COLUMNS)
    # Spelt apart, so that this file does not find itself.
    if ($0 ~ "(FIX" "ME|TO" "DO)")
        complain("unfinished business: do it or say it elsewhere")
}

is_c {
    note_waiver()
    code = strip($0)
    if (has_line_comment)
        complain("// comments are for local debugging")
    if (in_src) {
        scan_bans()
        check_memory_order()
        if ($0 ~ /mfi_assert|_Static_assert|mfi_check_/)
            asserts[layer]++
        lines[layer]++
    }
    if (code ~ /^[{]/)
        function_start = FNR
    if (code ~ /^[}]/ && function_start) {
        if (FNR - function_start > FUNCTION_LINES)
            complain_at(function_start, "function of " FNR - function_start \
                " lines, at most " FUNCTION_LINES)
        function_start = 0
    }
    commented_before = $0 ~ /\*\/[ ]*$/ || in_comment
    if (code !~ /^[ ]*$/)
        end_waivers()
}

END {
    end_file()
    check_tests()
    check_cmake()
    if (density)
        print_density()
    exit bad
}

function ban(name, words, where)
{
    nr_bans++
    ban_name[nr_bans] = name
    ban_words[nr_bans] = words
    ban_where[nr_bans] = where
}

function start_file()
{
    end_file()
    file = FILENAME
    is_c = FILENAME ~ /\.(c|h|S|cc)$/
    is_code = is_c || FILENAME ~ /\.awk$/
    in_src = FILENAME ~ /^src\//
    layer = in_src ? second(FILENAME) : ""
    in_comment = function_start = commented_before = 0
    split("", waiver)
    seen[FILENAME] = 1
}

# What can only be said once the last line was read.
function end_file()
{
    if (file == "")
        return
    end_waivers()
    if (is_c && last_line > FILE_LINES)
        report(file, last_line, "a file of more than " FILE_LINES " lines")
}

# Line 1, or line 2 after #!; JSON knows no comments.
function check_spdx()
{
    last_line = FNR
    if (FNR == 1)
        spdx_line = $0 ~ /^#!/ ? 2 : 1
    if (FNR == spdx_line && $0 !~ /SPDX-License-Identifier: MIT/)
        complain("line " FNR " must be the SPDX-License-Identifier")
}

# The line without comments, strings and character constants.
function strip(text,    out, c, two, quote, i, n)
{
    has_line_comment = 0
    # Quick way out: most lines have none of these.
    if (!in_comment && text !~ /["'\/]/)
        return text
    out = ""
    n = length(text)
    for (i = 1; i <= n; i++) {
        c = substr(text, i, 1)
        two = substr(text, i, 2)
        if (in_comment) {
            if (two == "*/") {
                in_comment = 0
                i++
            }
        } else if (quote != "") {
            if (c == "\\")
                i++
            else if (c == quote)
                quote = ""
        } else if (two == "/*") {
            in_comment = 1
            i++
        } else if (two == "//") {
            has_line_comment = 1
            return out
        } else if (c == "\"" || (c == "'" && FILENAME !~ /\.S$/)) {
            quote = c
            out = out c
        } else {
            out = out c
        }
    }
    return out
}

function note_waiver(    text, name)
{
    if (!match($0, /tidy: allow [a-z.-]+/))
        return
    name = substr($0, RSTART + 12, RLENGTH - 12)
    text = substr($0, RSTART + RLENGTH)
    if (text !~ /^, because /)
        complain("a waiver says: allow " name ", because ...")
    waiver[name] = FNR
    waiver_used[name] = 0
}

# Called after a line of code: waivers reach no further.
function end_waivers(    name)
{
    for (name in waiver) {
        if (!waiver_used[name])
            report(file, waiver[name], "the waiver for " name \
                " allows nothing: remove it")
        delete waiver[name]
    }
}

# A banned word stands alone: not part of a longer name, not a member.
function scan_bans(    i, text)
{
    for (i = 1; i <= nr_bans; i++) {
        if (FILENAME ~ ban_where[i])
            continue
        if (ban_name[i] == "kernel-header") {
            if (match(code, ban_words[i]))
                allow(ban_name[i], substr(code, RSTART, RLENGTH))
            continue
        }
        if (code ~ /^[ ]*#[ ]*include/)
            continue
        text = code
        if (ban_name[i] == "volatile")
            gsub(/asm(__)? volatile/, "asm", text)
        while (match(text, ban_words[i])) {
            if (stands_alone(text, RSTART, RLENGTH)) {
                allow(ban_name[i], substr(text, RSTART, RLENGTH))
                break
            }
            text = "_" substr(text, RSTART + 1)
        }
    }
}

function stands_alone(text, start, len,    before, last, after)
{
    before = start > 1 ? substr(text, start - 1, 1) : " "
    last = substr(text, start + len - 1, 1)
    after = substr(text, start + len, 1)
    return before !~ /[A-Za-z0-9_.>]/ && \
        (last == "(" || after !~ /[A-Za-z0-9_]/)
}

function allow(name, word)
{
    if (name in waiver)
        waiver_used[name] = 1
    else
        complain("banned here (" name "): " word)
}

# Orders are in the names of base/atomic.h; the strongest needs its reason.
function check_memory_order()
{
    if (FILENAME == "src/base/atomic.h" || commented_before ||
        $0 ~ /\/\*/)
        return
    if (code ~ /seq_cst|SEQ_CST/ || \
        code ~ /atomic_(load|store|exchange|fetch_[a-z]+)[ ]*[(]/ || \
        code ~ /atomic_compare_exchange_(weak|strong)[ ]*[(]/)
        complain("sequentially consistent: say why in a comment")
}

function read_untested(    name)
{
    check_spdx()
    if ($0 ~ /^[ ]*(#|$)/)
        return
    name = $1
    if (!sub(/:$/, "", name) || NF < 3)
        complain("write \"src/layer/file.c: the reason\"")
    untested[name] = FNR
}

function check_tests(    name, test, n, part)
{
    for (name in seen) {
        if (name !~ /^src\/.*\.c$/)
            continue
        n = split(name, part, "/")
        test = part[n]
        sub(/\.c$/, "_test.c", test)
        test = "tests/" part[2] "/" test
        if (test in seen && name in untested)
            report("tests/UNTESTED", untested[name], name " has a test")
        else if (!(test in seen) && !(name in untested))
            report(name, 1, "has no " test)
    }
    for (name in untested)
        if (!(name in seen))
            report("tests/UNTESTED", untested[name], "no such file: " name)
}

function check_cmake(    name, n, part, where)
{
    for (name in seen) {
        if (name !~ /^src\/.*\.(c|S)$/)
            continue
        n = split(name, part, "/")
        where = "src/" part[2]
        if (!index(cmake_text[where], part[n]))
            report(name, 1, "is not in " where "/CMakeLists.txt")
    }
}

# No gate: a figure that must be met is met by worthless assertions.
function print_density(    name)
{
    for (name in lines)
        printf "%-6s %5d lines, %5.1f asserts per 1000\n", name, lines[name],
            1000 * asserts[name] / lines[name] | "sort"
    close("sort")
}

function folder(path)
{
    sub(/\/[^\/]*$/, "", path)
    return path
}

function second(path,    part)
{
    split(path, part, "/")
    return part[2]
}

function complain(text)
{
    report(FILENAME, FNR, text)
}

function complain_at(line, text)
{
    report(FILENAME, line, text)
}

function report(name, line, text)
{
    print name ":" line ": " text
    bad = 1
}
