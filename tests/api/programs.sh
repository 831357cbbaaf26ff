# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# programs.sh - what each program of tests/api/programs must do. Sourced by
# installed_test.sh, which sets $work, a folder for files, and has check and
# skip; a check prints what it saw and returns whether it was right.

work=${work:?set by installed_test.sh}

# ---- processes --------------------------------------------------------------

servers=() # to be ended by end_servers

pause() {
    read -r -t 0.02 <> <(:)
}

end_servers() {
    local pid
    for pid in "${servers[@]}"; do
        kill "$pid" 2> /dev/null
        wait "$pid" 2> /dev/null
    done
    servers=()
}

# Until the command succeeds; false if it did not for a minute, or pid ended.
await() { # pid command...
    local pid=$1 i
    shift
    for ((i = 0; i < 3000; i++)); do
        "$@" && return 0
        kill -0 "$pid" 2> /dev/null || return 1
        pause
    done
    return 1
}

# The status of pid; after a minute it is killed.
status_of() {
    local i
    for ((i = 0; i < 3000; i++)); do
        kill -0 "$1" 2> /dev/null || break
        pause
    done
    kill -9 "$1" 2> /dev/null && echo "killed after a minute"
    wait "$1"
}

answers() { # port
    (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

# Start a server on a port nobody listens on: $port. It says so if the port was
# taken meanwhile, and must still run once the port answers.
start_server() { # program args..., with PORT for 127.0.0.1 and a port
    local program=$1 pid try
    shift
    for try in 1 2 3 4 5; do
        port=$((20000 + (RANDOM % 10000)))
        "$program" "${@/PORT/127.0.0.1:$port}" 2> "$work/server" &
        pid=$!
        if await "$pid" answers "$port" && kill -0 "$pid" 2> /dev/null; then
            servers+=("$pid")
            return 0
        fi
        kill "$pid" 2> /dev/null
        wait "$pid" 2> /dev/null
    done
    echo "no server after $try tries"
    cat "$work/server"
    return 1
}

# What a program printed, with its status, must be all of this.
prints() { # status text program args...
    local status=$1 text=$2 rc
    shift 2
    timeout 60 "$@" > "$work/out" 2> "$work/err"
    rc=$?
    cat "$work/out" "$work/err"
    [ "$rc" -eq "$status" ] || { echo "status $rc, not $status"; return 1; }
    [ "$(cat "$work/out")" = "$text" ]
}

# ---- one after the other ----------------------------------------------------

echo_and_client() { # folder suffix
    local rc
    start_server "$1/p01_echo$2" PORT || return 1
    timeout 60 "$1/p02_client$2" "127.0.0.1:$port" 2 > "$work/out"
    rc=$?
    end_servers
    cat "$work/out" "$work/server"
    [ "$rc" -eq 0 ] &&
        grep -Eq '^[1-9][0-9]* round trips, 0 errors$' "$work/out"
}

# 100 children each say hi and bye, between the parent's hi and bye.
says_hi_and_bye() { # program last-line
    timeout 60 "$1" > "$work/out" || { echo "status $?"; return 1; }
    head -n 1 "$work/out"
    tail -n 1 "$work/out"
    [ "$(head -n 1 "$work/out")" = "hi, I'm parent" ] || return 1
    [ "$(tail -n 1 "$work/out")" = "$2" ] || return 1
    [ "$(grep -c "^hi, I'm child[0-9]*$" "$work/out")" -eq 100 ] &&
        [ "$(grep -c '^bye from child[0-9]*$' "$work/out")" -eq 100 ]
}

# Is somebody listening on port 1234 (04D2) of this machine?
port_1234_taken() {
    grep -Eqs '^ *[0-9]+: [0-9A-F]+:04D2 [0-9A-F:]+ 0A ' \
        /proc/net/tcp /proc/net/tcp6
}

# One datagram there and back, empty ones too. A read of one byte at a time, as
# the shell does it, would lose the rest of it.
asks_by_udp() { # port text
    local answer
    {
        printf '%s' "$2" >&3
        answer=$(timeout 2 dd bs=4096 count=1 <&3 2> /dev/null)
    } 3<> "/dev/udp/127.0.0.1/$1" 2> /dev/null
    [ "$answer" = "$2" ]
}

udp_30000_taken() { # 30000 is 7530
    grep -Eqs '^ *[0-9]+: [0-9A-F]+:7530 ' /proc/net/udp /proc/net/udp6
}

# Somebody hangs up before the answer: that is one line, and no end.
echoes_datagrams() { # program
    local pid rc=0 i
    "$1" 2> "$work/err" &
    pid=$!
    await "$pid" asks_by_udp 30000 hello || rc=1
    for i in 1 2 3 4 5 6 7 8 9; do
        asks_by_udp 30000 "datagram $i" || rc=1
        printf 'nobody waits for this' > /dev/udp/127.0.0.1/30000
    done
    asks_by_udp 30000 "$(head -c 4000 /dev/zero | tr '\0' x)" || rc=1
    kill -0 "$pid" || rc=1
    kill "$pid" 2> /dev/null
    wait "$pid" 2> /dev/null
    cat "$work/err"
    return "$rc"
}

# p04 wants UDP port 30000: one at a time, of those who run this test.
with_port_30000() { # command...
    local rc i
    exec 9>> "${TMPDIR:-/tmp}/mayfly-port-30000.lock" 2> /dev/null &&
        flock -w 120 9
    for ((i = 0; i < 100; i++)); do
        udp_30000_taken || break
        pause
    done
    if udp_30000_taken; then
        skip "UDP port 30000 is taken"
        rc=0
    else
        "$@"
        rc=$?
    fi
    exec 9>&-
    return "$rc"
}

# p06 wants port 1234 for itself: one at a time, of those who run this test.
with_port_1234() { # command...
    local rc i
    exec 9>> "${TMPDIR:-/tmp}/mayfly-port-1234.lock" 2> /dev/null &&
        flock -w 120 9
    for ((i = 0; i < 100; i++)); do
        port_1234_taken || break
        pause
    done
    if port_1234_taken; then
        skip "port 1234 is taken"
        rc=0
    else
        "$@"
        rc=$?
    fi
    exec 9>&-
    return "$rc"
}

knock_on_1234() { # program; the connect must come within its half second
    local pid try
    for try in 1 2 3 4 5; do
        "$1" > "$work/out" &
        pid=$!
        await "$pid" answers 1234
        status_of "$pid" || return 1
        cat "$work/out"
        [ "$(cat "$work/out")" = "got connected" ] && return 0
    done
    echo "$try times too late"
    return 1
}

counts_both() { # program
    timeout 60 "$1" > "$work/out" || { echo "status $?"; return 1; }
    cat "$work/out"
    [ "$(wc -l < "$work/out")" -eq 22 ] &&
        [ "$(grep '^v1=' "$work/out")" = "$(printf 'v1=%d\n' {0..9})" ] &&
        [ "$(grep '^v2=' "$work/out")" = "$(printf 'v2=%d\n' {0..9})" ] &&
        [ "$(grep -E '^v1=|^rx1' "$work/out" | tail -n 1)" = "rx1 closed" ] &&
        [ "$(grep -E '^v2=|^rx2' "$work/out" | tail -n 1)" = "rx2 closed" ]
}

# SIGTERM is bit 14 of what the process catches.
catches_term() { # pid
    local mask
    [ "$(readlink "/proc/$1/exe")" != "$(readlink "/proc/$$/exe")" ] ||
        return 1 # still the shell that will be it
    mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2> /dev/null)
    [ -n "$mask" ] && ((16#$mask >> 14 & 1))
}

is_draining() {
    grep -q '^draining$' "$work/out"
}

# Ask p11 to end: $pid has been told once.
start_draining() { # program
    stdbuf -oL "$1" > "$work/out" 2> "$work/err" &
    pid=$!
    await "$pid" catches_term "$pid" && kill -TERM "$pid" &&
        await "$pid" is_draining && return 0
    kill -9 "$pid" 2> /dev/null
    cat "$work/out" "$work/err"
    return 1
}

drains() { # program
    local pid rc
    start_draining "$1" || return 1
    status_of "$pid"
    rc=$?
    cat "$work/out" "$work/err"
    [ "$rc" -eq 0 ] || { echo "status $rc"; return 1; }
    # A job that took more than its 200 ms is cut short, and the only news.
    ! grep '^job ' "$work/out" | grep -Eqv '^job [0-9]+: .*timed out' &&
        [ "$(grep -vc '^job ' "$work/out")" -eq 2 ] &&
        [ "$(tail -n 1 "$work/out")" = "drained" ]
}

# Told twice, it does not drain; unless it was told too late, now and then.
ends_at_once() { # program
    local pid rc try
    for try in 1 2 3 4 5; do
        start_draining "$1" || return 1
        kill -TERM "$pid"
        status_of "$pid"
        rc=$?
        cat "$work/out" "$work/err"
        grep -q '^drained$' "$work/out" && continue
        [ "$rc" -eq 0 ] || echo "status $rc"
        return "$rc"
    done
    echo "$try times too late"
    return 1
}

# Two consumers share a thousand samples from a plain thread.
shares_samples() { # program
    timeout 60 "$1" > "$work/out" || { echo "status $?"; return 1; }
    cat "$work/out"
    [ "$(grep -Ec '^[0-9]+ samples$' "$work/out")" -eq 2 ] &&
        [ "$(wc -l < "$work/out")" -eq 2 ] &&
        [ "$(awk '{ sum += $1 } END { print sum }' "$work/out")" -eq 1000 ]
}

# It has 300 ms for all: not a word of who is slow. Now and then we are.
prints_in_time() { # status text program args...
    local try
    for try in 1 2 3 4 5; do
        prints "$@" && return 0
    done
    echo "not in $try tries"
    return 1
}

# The first answer wins: over a slow one, over a dead one, over one that hangs
# up; and none at all is an error with a reason.
races() { # program
    local fast slow mute rc=0 dead=127.0.0.1:1
    start_server "$work/answer" PORT 0 quick && fast=127.0.0.1:$port &&
        start_server "$work/answer" PORT 60000 late && slow=127.0.0.1:$port &&
        start_server "$work/answer" PORT 0 && mute=127.0.0.1:$port &&
        prints_in_time 0 "$fast: quick" "$1" "$slow" "$fast" "$dead" &&
        prints_in_time 0 "$fast: quick" "$1" "$mute" "$dead" "$fast" &&
        prints 1 "" "$1" "$slow" "$slow" "$slow" &&
        grep -q '^no backend answered: .*timed out' "$work/err" &&
        prints_in_time 1 "" "$1" "$mute" "$dead" "$dead" &&
        grep -q '^no backend answered: ' "$work/err" &&
        ! grep -q 'timed out' "$work/err" || rc=1
    end_servers
    return "$rc"
}

# Lines are said back while it ticks; the end of the input ends it.
says_back() { # program
    local line tick word ticks=0 pid rc
    rm -f "$work/p03.in" "$work/p03.out"
    mkfifo "$work/p03.in" "$work/p03.out" || return 1
    timeout 60 "$1" < "$work/p03.in" > "$work/p03.out" &
    pid=$!
    exec 6> "$work/p03.in" 7< "$work/p03.out"
    for word in one "" "three four"; do
        printf '%s\n' "$word" >&6
        while IFS= read -r -t 30 line <&7 && [[ $line == tick* ]]; do
            ticks=$((ticks + 1))
        done
        [ "$line" = "you said: $word" ] || { echo "said \"$line\""; break; }
    done
    # The last answer came at once; the next line is a tick.
    if [ "$line" = "you said: three four" ] && read -r -t 30 tick <&7; then
        [[ $tick == tick* ]] && ticks=$((ticks + 1))
    fi
    exec 6>&-
    status_of "$pid"
    rc=$?
    exec 7<&-
    echo "status $rc, $ticks ticks"
    [ "$rc" -eq 0 ] && [ "$line" = "you said: three four" ] &&
        [ "$ticks" -gt 0 ] && prints 0 "you said: x" "$1" < <(echo x) &&
        prints 0 "" "$1" < /dev/null
}

# ---- which is what ----------------------------------------------------------

# Run one of them.
run_program() { # title folder suffix program
    local name=${4%.*}
    local program=$2/$name$3
    case $name in
    p01_echo) check "$1: p01_echo and p02_client" echo_and_client "$2" "$3" ;;
    p02_client) ;; # with the one above
    p04_udp)
        check "$1: $name" with_port_30000 echoes_datagrams "$program"
        ;;
    p03_stdio) check "$1: $name" says_back "$program" ;;
    p05_go) check "$1: $name" says_hi_and_bye "$program" "bye from parent" ;;
    p05_spawn)
        check "$1: $name" says_hi_and_bye "$program" "bye from parent, 4950"
        ;;
    p06_select)
        check "$1: $name" with_port_1234 \
            prints 0 "rx2 received, a=hello" "$program"
        check "$1: $name, connected to" with_port_1234 \
            knock_on_1234 "$program"
        ;;
    p07_cqueue) check "$1: $name" prints 0 "sum 8550" "$program" ;;
    p08_loop_select) check "$1: $name" counts_both "$program" ;;
    p11_pool)
        check "$1: $name, told to end once" drains "$program"
        check "$1: $name, told twice" ends_at_once "$program"
        ;;
    p12_thread) check "$1: $name" shares_samples "$program" ;;
    p13_race) check "$1: $name" races "$program" ;;
    p14_cxx)
        check "$1: $name" prints 0 "job 7"$'\n'"done 45" "$program"
        ;;
    p14_cxx_part)
        check "$1: $name" prints 0 "done 52, unwound 12" "$program"
        ;;
    *) check "$1: $name" false ;; # nobody says what it must do
    esac
}
